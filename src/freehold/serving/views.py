"""A folder of hard links to one artefact's files, for engines that open folders; every byte is checked first."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from freehold.core.errors import BadArtefact
from freehold.registry.artefacts import Store
from freehold.registry.types import Manifest

_DIGITS = 12


def folder_of(views: Path, manifest: Manifest) -> Path:
    """Where the view of this very artefact lies: other bytes under its name lie elsewhere."""
    return views / f"{manifest.name}-{manifest.files[0].sha256[:_DIGITS]}"


def view(store: Store, name: str, views: Path) -> Path:
    """Lay out a model of the store in `views` and return its folder, or its file where a GGUF is all of it.

    Raises as `Store.verify` does, and BadArtefact for a file whose name leads out of the folder.
    """
    manifest = store.verify(name)
    folder = folder_of(views, manifest)
    fresh = folder.with_name(f".{folder.name}.{os.getpid()}")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True, mode=0o700)
    for one in manifest.files:
        at = fresh / one.name
        if at.resolve().parent != fresh.resolve() or one.name in (".", ".."):
            raise BadArtefact(f"{name} has a file {one.name!r} that is no plain name", param=name)
        try:
            os.link(store.blob(one.sha256), at)
        except OSError:  # another file system
            shutil.copyfile(store.blob(one.sha256), at)
    shutil.rmtree(folder, ignore_errors=True)
    fresh.rename(folder)
    return folder / manifest.files[0].name if manifest.format == "gguf" else folder
