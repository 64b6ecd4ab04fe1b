"""Making a candidate: the recipe as a child process, its result into the store, an engine for it. Each part resumes.

Everything is named by the move, so whoever is killed in between finds what is there and goes on.
"""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from freehold.core.crypto import Identity
from freehold.core.errors import Unavailable
from freehold.moves.training.job import Recipe, Trained, read_error, read_progress, read_result
from freehold.registry.admission import Admission, gate, reads
from freehold.registry.artefacts import Kind, Manifest, Store
from freehold.registry.offers import Rules
from freehold.registry.trained import Product, admit_trained
from freehold.serving.wanted import Wanted, wait_ready, want

Beat = Callable[[dict[str, Any]], None]
READY_SECONDS = 180.0
POLL_SECONDS = 0.5
NICE = 19
QUIET = ("OMP_NUM_THREADS=1", "OMP_WAIT_POLICY=passive", "OPENBLAS_NUM_THREADS=1")
KINDS: tuple[tuple[Recipe, Kind], ...] = (("classifier", "classifier"), ("lora", "adapter"), ("prompt", "prompt"))
"""What each recipe makes, as the registry calls it."""


class Made(msgspec.Struct, frozen=True):
    """A candidate that serves: its target, its name in the store, and how it was made."""

    target: str
    artefact: str
    trained: Trained


def train(folder: Path, recipe: Recipe, beat: Beat) -> Trained:
    """Run the recipe to its result; what a killed run left is taken up.

    Raises what the recipe says is wrong, as its own error; Unavailable with its last words where it said nothing.
    """
    done = read_result(folder)
    if done is not None:
        return done
    log = folder / "log"
    with log.open("ab") as out:
        # A bare environment: vendors' secrets are none of its business, and one thread that does not spin leaves
        # the machine to those who serve.
        bare = ["env", "-i", "PATH=/usr/bin:/bin", "LANG=C.UTF-8", f"HOME={folder}", *QUIET]
        recipe_argv = [sys.executable, "-m", f"freehold.moves.training.{recipe}", "--job", str(folder)]
        argv = ["nice", "-n", str(NICE), *bare, *recipe_argv]
        child = subprocess.Popen(argv, stdout=out, stderr=out)
        try:
            while child.poll() is None:
                beat({"phase": "training", **_last(folder)})
                time.sleep(POLL_SECONDS)
        finally:
            _end(child)
    made = read_result(folder)
    said = read_error(folder)
    if made is None and said is not None:
        raise said
    if made is None:
        last = log.read_text(errors="replace").strip().splitlines()[-3:]
        raise Unavailable(f"the recipe {recipe} ended without a result: {' '.join(last)[:400]}", hint=f"read {log}")
    return made


def deploy(home: Path, identity: Identity, name: str, made: Trained, by: str) -> Made:
    """Take what came out into the store, signed, and have an engine serve it for the move `by`. Raises Unavailable."""
    manifest = admit(Store(home / "store", identity), home, name, made)
    target = f"owned-{name}"
    want(home, Wanted(name=target, model=manifest.name, sha256=manifest.files[0].sha256, by=by))
    wait_ready(home, target, READY_SECONDS)
    # What it learned from is on the shelf, under its labels and retention; its digest stays in the lineage.
    (work_folder(home, name) / "train.jsonl").unlink(missing_ok=True)
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


def work_folder(home: Path, name: str) -> Path:
    """Where a recipe works."""
    return home / "work" / name


def _last(folder: Path) -> dict[str, Any]:
    lines = read_progress(folder)
    return msgspec.to_builtins(lines[-1]) if lines else {}


def _end(child: subprocess.Popen[bytes]) -> None:
    if child.poll() is not None:
        return
    with contextlib.suppress(ProcessLookupError):
        child.send_signal(signal.SIGTERM)
    try:
        child.wait(5)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
