"""One job of training in its folder: what is wanted, the lessons, live progress, checkpoints, and what came out.

A job can only be prepared from lessons the rights gate cleared. Every file is written beside its place and renamed,
so a kill at any moment leaves the last whole state, and running the job again goes on from there.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Literal

import msgspec

from freehold.core.errors import BadArtefact, FileRefused, FreeholdError, RightsRefused, Unavailable
from freehold.grading.types import Answer
from freehold.policy.rights import Cleared, Maker, Use
from freehold.registry.artefacts import digest_of

Recipe = Literal["classifier", "lora", "prompt"]

USES: dict[Recipe, Use] = {"classifier": "train_classifier", "lora": "train_generative", "prompt": "prompt"}
"""What the gate must have cleared the lessons for."""


class Lesson(msgspec.Struct, frozen=True):
    """One line of `train.jsonl`: a request and the answer to learn, oldest first."""

    id: str
    at: float
    """Unix seconds."""
    request: str
    """JSON of an OpenAI chat request."""
    answer: Answer
    maker: Maker = "vendor"


class Base(msgspec.Struct, frozen=True):
    """The model a recipe starts from: its name in the store, its file, and that file's SHA-256 in hex."""

    name: str
    file: str
    sha256: str


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """What is wanted. Equal jobs on equal lessons make equal artefacts."""

    recipe: Recipe
    workflow: str
    base: Base | None = None
    seed: int = 0
    options: dict[str, Any] = {}
    """Plain JSON values; each recipe has a struct of its own that they must fit."""
    dataset: str = ""
    """SHA-256 of `train.jsonl`, in hex; written by `prepare`."""
    lessons: int = 0
    cleared_on: str = ""
    """ISO date of the rights gate's decision."""


class File(msgspec.Struct, frozen=True):
    """One file under `out/`."""

    name: str
    sha256: str
    size: int


class Trained(msgspec.Struct, frozen=True, kw_only=True):
    """What came out; the first file is what an engine opens."""

    format: str
    """Of the first file: `safetensors`, `gguf` or `json`."""
    files: tuple[File, ...]
    metrics: dict[str, Any]
    seconds: float
    """Wall time over all runs of the job."""
    bytes: int
    job: Job
    uses_base: bool = True
    """Can it be served on the job's base only?"""


class Progress(msgspec.Struct, frozen=True):
    """One line of `progress.jsonl`."""

    step: int
    of: int
    loss: float
    seconds: float
    phase: str = ""


def prepare(folder: Path, job: Job, lessons: Cleared[Lesson]) -> Job:
    """Make the folder of a job. Raises RightsRefused where the lessons were cleared for another use."""
    if lessons.purpose != USES[job.recipe]:
        raise RightsRefused(f"lessons cleared to {lessons.purpose} are no lessons for the recipe {job.recipe}")
    with refusing():
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = folder / "train.jsonl"
        encoder = msgspec.json.Encoder()
        ordered = sorted(lessons, key=lambda one: (one.at, one.id))
        replace_file(path, b"".join(encoder.encode(one) + b"\n" for one in ordered))
        full = msgspec.structs.replace(job, dataset=digest_of(path), lessons=len(ordered), cleared_on=lessons.on)
        replace_file(folder / "job.json", msgspec.json.encode(full))
    return full


class Workshop:
    """A job's folder, as the recipe that runs in it sees it."""

    def __init__(self, folder: Path) -> None:
        """Raises BadArtefact where the job or its lessons are not what was prepared, FileRefused."""
        self.folder = folder
        self.out = folder / "out"
        with refusing():
            self.job = read_job(folder)
            if digest_of(folder / "train.jsonl") != self.job.dataset:
                raise BadArtefact("train.jsonl is not what the job was prepared with", param=str(folder))
            self.out.mkdir(exist_ok=True, mode=0o700)
        self._before = 0.0
        self._started = time.monotonic()

    def lessons(self) -> list[Lesson]:
        """All lessons, oldest first."""
        decoder = msgspec.json.Decoder(Lesson)
        with refusing(), (self.folder / "train.jsonl").open("rb") as file:
            return [decoder.decode(line) for line in file]

    def seconds(self) -> float:
        """Wall time spent, over all runs of this job."""
        return self._before + time.monotonic() - self._started

    def tell(self, line: Progress) -> None:
        """Add a line to `progress.jsonl`."""
        with refusing(), (self.folder / "progress.jsonl").open("ab") as file:
            file.write(msgspec.json.encode(line) + b"\n")

    def save(self, state: bytes, step: int) -> None:
        """Keep a checkpoint: it replaces the last one whole or not at all."""
        head = msgspec.json.encode(_Checkpoint(self._asked(), step, self.seconds(), hashlib.sha256(state).hexdigest()))
        with refusing():
            replace_file(self.folder / "checkpoint", head + b"\n" + state)

    def resume(self) -> bytes | None:
        """The last checkpoint's state; None where there is none, it is damaged, or it belongs to another job."""
        state: bytes | None = None
        step = 0
        with refusing(), contextlib.suppress(FileNotFoundError, msgspec.DecodeError):
            first, _, rest = (self.folder / "checkpoint").read_bytes().partition(b"\n")
            head = msgspec.json.decode(first, type=_Checkpoint)
            if head.job == self._asked() and head.sha256 == hashlib.sha256(rest).hexdigest():
                state, step, self._before = rest, head.step, head.seconds
        self._forget_after(step)
        return state

    def write(self, name: str, make: Callable[[Path], object]) -> None:
        """Let `make` write the file `name` under `out/`: whole or not at all."""
        part = self.out / f".{name}.part"
        with refusing():
            try:
                make(part)
                part.chmod(0o600)
                os.replace(part, self.out / name)
            finally:
                part.unlink(missing_ok=True)

    def finish(self, form: str, names: Iterable[str], metrics: dict[str, Any], *, uses_base: bool = True) -> Trained:
        """Write `result.json`, the sign that the job is done, and drop the checkpoint."""
        with refusing():
            files = tuple(File(name, digest_of(self.out / name), (self.out / name).stat().st_size) for name in names)
            made = Trained(
                format=form,
                files=files,
                metrics=metrics,
                seconds=round(self.seconds(), 3),
                bytes=sum(one.size for one in files),
                job=self.job,
                uses_base=uses_base,
            )
            keep_result(self.folder, made)
            (self.folder / "checkpoint").unlink(missing_ok=True)
        return made

    def _asked(self) -> str:
        return hashlib.sha256(msgspec.json.encode(self.job, order="deterministic")).hexdigest()

    def _forget_after(self, step: int) -> None:
        """Drop the lines of steps that will be run again, and a line cut short by a kill."""
        path = self.folder / "progress.jsonl"
        with refusing():
            if path.exists():
                kept = [line for line in path.read_bytes().splitlines() if _step_of(line) <= step]
                replace_file(path, b"".join(line + b"\n" for line in kept))


class _Checkpoint(msgspec.Struct, frozen=True):
    job: str
    step: int
    seconds: float
    sha256: str


def branch(folder: Path, into: Path, options: dict[str, Any]) -> None:
    """Make another job on the lessons of a prepared one: the same but for these options. Nothing where it is there.

    Raises BadArtefact, FileRefused.
    """
    if (into / "job.json").exists():
        return
    with refusing():
        job = read_job(folder)
        into.mkdir(parents=True, exist_ok=True, mode=0o700)
        lessons = into / "train.jsonl"
        lessons.unlink(missing_ok=True)
        try:
            os.link(folder / "train.jsonl", lessons)
        except OSError:  # a file system without links
            replace_file(lessons, (folder / "train.jsonl").read_bytes())
        changed = msgspec.structs.replace(job, options={**job.options, **options})
        replace_file(into / "job.json", msgspec.json.encode(changed))


def adopt(folder: Path, best: Path, metrics: dict[str, Any]) -> Trained:
    """Make the result of a branch the result of the job it is one of, with metrics beside its own.

    Raises BadArtefact, FileRefused.
    """
    made = read_result(best)
    if made is None:
        raise BadArtefact("the chosen variant has no result", param=str(best))
    with refusing():
        (folder / "out").mkdir(exist_ok=True, mode=0o700)
        for one in made.files:
            replace_file(folder / "out" / one.name, (best / "out" / one.name).read_bytes())
        full = msgspec.structs.replace(made, metrics={**made.metrics, **metrics})
        keep_result(folder, full)
    return full


def read_job(folder: Path) -> Job:
    """What a folder was prepared for. Raises BadArtefact where it cannot be read."""
    try:
        return msgspec.json.decode((folder / "job.json").read_bytes(), type=Job)
    except msgspec.DecodeError as error:
        raise BadArtefact(f"job.json cannot be read: {error}", param=str(folder)) from None


def read_result(folder: Path) -> Trained | None:
    """What came out of a job, None while it is not done. Raises BadArtefact where a file is not what was written."""
    try:
        made = msgspec.json.decode((folder / "result.json").read_bytes(), type=Trained)
    except FileNotFoundError:
        return None
    except msgspec.DecodeError as error:
        raise BadArtefact(f"result.json cannot be read: {error}", param=str(folder)) from None
    for one in made.files:
        path = folder / "out" / one.name
        if not path.is_file() or digest_of(path) != one.sha256:
            raise BadArtefact(f"{one.name} is not what training left", param=str(path))
    return made


def keep_error(folder: Path, error: FreeholdError | None) -> None:
    """Leave in `error.json` why the job cannot be done, for whoever started it; None: nothing is known against it."""
    path = folder / "error.json"
    with contextlib.suppress(OSError):  # a full disk: whoever started it reads the log
        if error is None:
            path.unlink(missing_ok=True)
        else:
            replace_file(path, msgspec.json.encode(_Said(error.code, error.message, error.hint, error.param)))


def keep_result(folder: Path, made: Trained) -> None:
    """Write `result.json`. What it names lies under `out/` already."""
    replace_file(folder / "result.json", msgspec.json.format(msgspec.json.encode(made), indent=2) + b"\n")


def read_error(folder: Path) -> FreeholdError | None:
    """What the recipe said it cannot be done for, as the error it was; None where it said nothing that can be read."""
    try:
        said = msgspec.json.decode((folder / "error.json").read_bytes(), type=_Said)
    except (FileNotFoundError, msgspec.DecodeError):
        return None
    kind = next((one for one in _kinds(FreeholdError) if one.code == said.code), Unavailable)
    return kind(said.message, hint=said.hint, param=said.param)


def _kinds(of: type[FreeholdError]) -> Iterator[type[FreeholdError]]:
    yield of
    for one in of.__subclasses__():
        yield from _kinds(one)


class _Said(msgspec.Struct, frozen=True):
    code: str
    message: str
    hint: str
    param: str | None = None


def read_progress(folder: Path) -> list[Progress]:
    """The lines so far, oldest first; a line that is still being written is left out."""
    found: list[Progress] = []
    with contextlib.suppress(FileNotFoundError):
        for line in (folder / "progress.jsonl").read_bytes().splitlines():
            with contextlib.suppress(msgspec.DecodeError):
                found.append(msgspec.json.decode(line, type=Progress))
    return found


def _step_of(line: bytes) -> float:
    try:
        return msgspec.json.decode(line, type=Progress).step
    except msgspec.DecodeError:
        return float("inf")


def replace_file(path: Path, data: bytes) -> None:
    """Write a file for this user alone: whole or not at all. Raises OSError."""
    temporary = path.with_name(f".{path.name}.part")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def refusing() -> Iterator[None]:
    """Says a full disk, or a file that may not be used, as an error of ours."""
    try:
        yield
    except OSError as error:
        raise FileRefused.of(error) from error
