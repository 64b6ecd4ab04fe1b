"""One job of training as a chunk of a pool: its recipe as a child process, in the job's own folder or on a node.

A node is sent the job and its lessons, works in a private folder that is gone afterwards, and gives back what came
out. Equal jobs leave equal files here and there.
"""

from __future__ import annotations

import contextlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import msgspec

from freehold.core.crypto import sha256
from freehold.core.errors import BadArtefact, Unavailable
from freehold.moves.training.errors import NoBase
from freehold.moves.training.job import (
    Recipe,
    Trained,
    keep_error,
    read_error,
    read_job,
    read_result,
    refusing,
    replace_file,
)
from freehold.registry.artefacts import digest_of

NICE = 19
QUIET = ("OMP_NUM_THREADS=1", "OMP_WAIT_POLICY=passive", "OPENBLAS_NUM_THREADS=1")
_LAST_BYTES = 4000
"""Of a log: what a child said at the end."""
_KEEPER = 'exec 3<&0; { cat <&3; rm -rf -- "$1"; } &'
"""Removes a folder once the other end of its standard input is closed, be it that its owner was killed."""


class Here(msgspec.Struct, frozen=True):
    """A job in its folder on this machine. What a killed run left is taken up."""

    recipe: Recipe
    folder: str


class Sent(msgspec.Struct, frozen=True):
    """A job for another machine: `job.json` and `train.jsonl`."""

    recipe: Recipe
    job: bytes
    lessons: bytes


class Came(msgspec.Struct, frozen=True):
    """What a node gives back: a result with its files, or what was said, or a log alone. Empty for a job here."""

    result: bytes = b""
    files: tuple[tuple[str, bytes], ...] = ()
    said: bytes = b""
    log: bytes = b""


def work(chunk: Here | Sent) -> Came:
    """Run a job to its end, whatever that is. Raises FileRefused."""
    if isinstance(chunk, Here):
        with refusing():
            _run(Path(chunk.folder), chunk.recipe)
        return Came()
    with refusing(), _private() as folder:
        replace_file(folder / "train.jsonl", chunk.lessons)
        replace_file(folder / "job.json", chunk.job)
        if _has_base(folder):
            _run(folder, chunk.recipe)
        return _packed(folder)


def sent(folder: Path, recipe: Recipe) -> Sent:
    """A prepared job, to be sent away; what was said of it before is forgotten. Raises FileRefused."""
    keep_error(folder, None)
    with refusing():
        return Sent(recipe, (folder / "job.json").read_bytes(), (folder / "train.jsonl").read_bytes())


def take(folder: Path, came: Came) -> None:
    """Put what a node gave back where the job was prepared; the result last. Raises BadArtefact, FileRefused."""
    with refusing():
        if came.log:
            replace_file(folder / "log", came.log)
        if came.said:
            replace_file(folder / "error.json", came.said)
        if came.result:
            made = msgspec.json.decode(came.result, type=Trained)
            brought = [(name, sha256(data).hex()) for name, data in came.files]
            if made.job != read_job(folder) or brought != [(one.name, one.sha256) for one in made.files]:
                raise BadArtefact("a node gave back something else than this job's result", param=str(folder))
            (folder / "out").mkdir(exist_ok=True, mode=0o700)
            for name, data in came.files:
                replace_file(folder / "out" / Path(name).name, data)
            replace_file(folder / "result.json", came.result)


def ended(folder: Path, recipe: Recipe) -> Trained:
    """The result of a job that was run.

    Raises what the recipe says is wrong, as its own error; Unavailable with its last words where it said nothing.
    """
    made = read_result(folder)
    if made is not None:
        return made
    said = read_error(folder)
    if said is not None:
        raise said
    last = _last(folder).decode(errors="replace").strip().splitlines()[-3:]
    told = " ".join(last)[:400]
    raise Unavailable(f"the recipe {recipe} ended without a result: {told}", hint=f"read {folder / 'log'}")


def _run(folder: Path, recipe: Recipe) -> None:
    """The recipe as a child, with a bare environment and one thread that does not spin.

    Vendors' secrets are none of its business, and the machine is left to those who serve.
    """
    keep_error(folder, None)
    bare = ["env", "-i", "PATH=/usr/bin:/bin", "LANG=C.UTF-8", f"HOME={folder}", *QUIET]
    module = f"freehold.moves.training.{recipe}"
    argv = [sys.executable, "-m", module, "--job", str(folder), "--parent", str(os.getpid())]
    with (folder / "log").open("ab") as out:
        child = subprocess.Popen(["nice", "-n", str(NICE), *bare, *argv], stdout=out, stderr=out)
        try:
            child.wait()
        finally:
            if child.poll() is None:
                child.kill()
                child.wait()


@contextlib.contextmanager
def _private() -> Iterator[Path]:
    """A folder for lessons on a machine that is not theirs. It goes also where this process is killed."""
    folder = Path(tempfile.mkdtemp(prefix="freehold-train-"))
    keeper = subprocess.Popen(
        ["/bin/sh", "-c", _KEEPER, "sh", str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        keeper.communicate()


def _has_base(folder: Path) -> bool:
    """False, and told in the folder, where this machine lacks the model that the job starts from."""
    base = read_job(folder).base
    if base is None:
        return True
    path, node = Path(base.file), platform.node()
    if path.is_file() and digest_of(path) == base.sha256:
        return True
    wrong = "has other bytes as" if path.is_file() else "lacks"
    told = f"the node {node} {wrong} the base {base.name}: {path} with SHA-256 {base.sha256}"
    keep_error(folder, NoBase(told, param=base.file))
    return False


def _packed(folder: Path) -> Came:
    made = read_result(folder)
    if made is not None:
        files = tuple((one.name, (folder / "out" / one.name).read_bytes()) for one in made.files)
        return Came(result=(folder / "result.json").read_bytes(), files=files, log=_last(folder))
    said = folder / "error.json"
    return Came(said=said.read_bytes() if said.is_file() else b"", log=_last(folder))


def _last(folder: Path) -> bytes:
    log = folder / "log"
    return log.read_bytes()[-_LAST_BYTES:] if log.is_file() else b""
