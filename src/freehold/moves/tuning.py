"""Making a candidate: the recipe as a child process, its result into the store, an engine for it. Each part resumes.

Everything is named by the move, so whoever is killed in between finds what is there and goes on.
"""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import msgspec

from freehold.core.crypto import Identity
from freehold.core.errors import BadRequest, Conflict
from freehold.jobs.local_pool import LocalPool
from freehold.jobs.pool import Pool
from freehold.moves.training.chunk import Here, ended, sent, take, work
from freehold.moves.training.job import (
    Recipe,
    Trained,
    adopt,
    branch,
    read_error,
    read_job,
    read_progress,
    read_result,
)
from freehold.moves.variants import LEAST_LESSONS, Outcome, Sweep, best, few, rows, variants
from freehold.registry.admission import Admission, gate, reads
from freehold.registry.artefacts import Kind, Manifest, Store
from freehold.registry.offers import Rules
from freehold.registry.trained import Product, admit_trained
from freehold.serving.wanted import Wanted, wait_ready, want

Beat = Callable[[dict[str, Any]], None]
Place = tuple[Pool, bool]
"""A pool, and whether its workers are on other machines, so that a job must be sent there."""
Places = Callable[[], AbstractContextManager[Place]]
READY_SECONDS = 180.0
VARIANTS = "variants"
"""Folder of a sweep's jobs, under the candidate's."""
_OPTIONS = (BadRequest, Conflict)
"""Of what was asked for: the same job would end the same."""
KINDS: tuple[tuple[Recipe, Kind], ...] = (("classifier", "classifier"), ("lora", "adapter"), ("prompt", "prompt"))
"""What each recipe makes, as the registry calls it."""


class Made(msgspec.Struct, frozen=True):
    """A candidate that serves: its target, its name in the store, and how it was made."""

    target: str
    artefact: str
    trained: Trained


@contextlib.contextmanager
def here() -> Iterator[Place]:
    """One child at a time on this machine."""
    pool = LocalPool(1, patience=None)
    try:
        yield pool, False
    finally:
        pool.close()


def train(folder: Path, recipe: Recipe, beat: Beat, sweep: Sweep | None = None, places: Places = here) -> Trained:
    """Run the recipe to its result, or each variant of a sweep and take the best; what was killed is taken up.

    Raises what the recipe says is wrong, of a sweep where every variant failed; Unavailable where it said nothing.
    """
    done = read_result(folder)
    if done is not None:
        return done
    if not sweep:
        _run([folder], recipe, beat, places)
        return ended(folder, recipe)
    every = variants(sweep)
    if read_job(folder).lessons < LEAST_LESSONS:
        raise few()
    folders = [folder / VARIANTS / str(number) for number in range(1, len(every) + 1)]
    for one, options in zip(folders, every, strict=True):
        branch(folder, one, options)
    _run(folders, recipe, beat, places)
    outcomes = [_outcome(one, recipe, options) for one, options in zip(folders, every, strict=True)]
    chosen = best(outcomes)
    return adopt(folder, folders[chosen], {"sweep": rows(outcomes, chosen)})


def _run(folders: Sequence[Path], recipe: Recipe, beat: Beat, places: Places) -> None:
    """Run each job that has not ended. Raises at once what is of the installation, and no fault of a job's options."""
    left = [one for one in folders if not _over(one)]
    if not left:
        return
    with places() as (pool, away):
        chunks = (sent(one, recipe) if away else Here(recipe, str(one)) for one in left)
        came = pool.map(work, chunks, lambda: beat(_told(folders, live=not away)))
        for folder, one in zip(left, came, strict=True):
            take(folder, one)
            if not _over(folder):
                ended(folder, recipe)


def _over(folder: Path) -> bool:
    """There is a result, or an error that comes again with these options."""
    return (folder / "result.json").exists() or isinstance(read_error(folder), _OPTIONS)


def _outcome(folder: Path, recipe: Recipe, options: dict[str, Any]) -> Outcome:
    try:
        return Outcome(options, ended(folder, recipe))
    except _OPTIONS as error:
        return Outcome(options, error=error)


def _told(folders: Sequence[Path], *, live: bool) -> dict[str, Any]:
    """Progress: the steps of a job that runs here, and how many variants have ended."""
    lines = [found[-1] for one in folders if live and (found := read_progress(one))]
    if len(folders) == 1 and live:
        return {"phase": "training", **(msgspec.to_builtins(lines[0]) if lines else {})}
    told = {"phase": "training variants", "done": sum(_over(one) for one in folders), "of": len(folders)}
    return {**told, "step": sum(one.step for one in lines)} if live else told


def deploy(home: Path, identity: Identity, name: str, made: Trained, by: str) -> Made:
    """Take what came out into the store, signed, and have an engine serve it for the move `by`. Raises Unavailable."""
    manifest = admit(Store(home / "store", identity), home, name, made)
    target = f"owned-{name}"
    want(home, Wanted(name=target, model=manifest.name, sha256=manifest.files[0].sha256, by=by))
    wait_ready(home, target, READY_SECONDS)
    # What it learned from is on the shelf, under its labels and retention; its digest stays in the lineage.
    _forget_lessons(work_folder(home, name))
    return Made(target, manifest.name, made)


def admit(store: Store, home: Path, name: str, made: Trained) -> Manifest:
    """The trained files as an artefact with its lineage; the same again where it is there already."""
    job = made.job
    product = Product(
        name=name,
        kind=dict(KINDS)[job.recipe],
        format=made.format,
        files=tuple(work_folder(home, name) / "out" / one.name for one in made.files),
        recipe=job.recipe,
        dataset_sha256=job.dataset,
        base=job.base.name if job.base and made.uses_base else "",
        workflow=job.workflow,
    )
    # Facts about the licensee bind its base, which went by them when it came in.
    admission = Admission(store, gate(), Rules()) if reads("gguf", "json", "safetensors") else None
    return admit_trained(store, product, time.time(), admission)


def _forget_lessons(folder: Path) -> None:
    """Of variants also the weights go: what they had stands in the candidate's metrics, by digest."""
    (folder / "train.jsonl").unlink(missing_ok=True)
    for one in (folder / VARIANTS).glob("*"):
        (one / "train.jsonl").unlink(missing_ok=True)
        (one / "checkpoint").unlink(missing_ok=True)
        shutil.rmtree(one / "out", ignore_errors=True)


def work_folder(home: Path, name: str) -> Path:
    """Where a recipe works."""
    return home / "work" / name
