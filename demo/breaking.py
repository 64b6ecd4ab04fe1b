"""Breaks the model on purpose: a release of the same classifier whose answers have changed places.

It is what a bad release looks like from outside: quick, well-formed, and wrong.
"""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path

import msgspec
from msgspec.structs import replace
from safetensors import safe_open

from freehold.core.crypto import Identity
from freehold.core.errors import NotFound
from freehold.registry.artefacts import Store
from freehold.registry.trained import Product, admit_trained
from freehold.serving.linear import Description, save
from freehold.serving.wanted import Wanted, listed, wait_ready, want


def release_a_bad_one(home: Path, target: str, artefact: str) -> str:
    """Have `target` serve the broken release; its name in the store."""
    store = Store(home / "store", Identity.load(home / "identity.key"))
    manifest = store.show(artefact)
    source = store.blob(manifest.files[0].sha256)
    name = f"{artefact}-bad"
    broken = home / "work" / f"{name}.safetensors"
    _swap(source, broken)
    lineage = manifest.lineage
    assert lineage is not None
    made = admit_trained(
        store,
        Product(
            name=name,
            kind="classifier",
            format=manifest.format,
            files=(broken,),
            recipe=lineage.recipe,
            dataset_sha256=lineage.dataset_sha256,
            base=lineage.base,
            workflow=lineage.workflow,
            detail="labels moved by one place, on purpose",
        ),
        time.time(),
    )
    before = listed(home).get(target, (None, 0))[0] or Wanted(name=target, model=artefact)
    want(home, replace(before, model=made.name, sha256=made.files[0].sha256))
    # A roll-back may be quicker than this looks: what is no longer wanted was taken back.
    with suppress(NotFound):
        wait_ready(home, target, 60)
    return name


def _swap(source: Path, target: Path) -> None:
    """The same weights; each label stands where its neighbour stood."""
    with safe_open(str(source), framework="numpy") as file:
        told = msgspec.json.decode(file.metadata()["description"], type=Description)
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  not a mapping
    heads = tuple(replace(head, values=(*head.values[1:], head.values[0])) for head in told.heads)
    save(target, replace(told, heads=heads), tensors)
