"""A folder that Hugging Face's libraries take for their cache, made of hard links to the store's blobs.

For tools that load by name and never ask the network. What is in it is checked when it is made, not when it is read:
engines of ours open the store itself.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from freehold.core.errors import BadArtefact
from freehold.registry.artefacts import Store
from freehold.registry.layout import replace_file
from freehold.registry.types import Manifest

OWNER = "freehold"
"""Before the names of models that no hub knows."""
_COMMIT = re.compile(r"[0-9a-f]{40}\Z")
_REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}\Z")


def show(store: Store, name: str, cache: Path) -> tuple[str, Path]:
    """Put a model, every byte checked, into the cache folder; its repository's name there and its snapshot.

    The folder must be on the store's file system. Raises as `Store.open_verified` does, and BadArtefact where no links
    can be made.
    """
    store.open_verified(name)
    manifest = store.show(name)
    repository, commit = named(store, manifest)
    home = cache / f"models--{repository.replace('/', '--')}"
    snapshot = home / "snapshots" / commit
    for one in manifest.files:
        blob = home / "blobs" / one.sha256
        _link(store.blob(one.sha256), blob)
        target = snapshot / one.name
        target.parent.mkdir(parents=True, exist_ok=True)
        # The library tells a file's blob by where its link leads.
        up = "../" * (len(Path(one.name).parts) + 1)
        target.unlink(missing_ok=True)
        target.symlink_to(f"{up}blobs/{one.sha256}")
    refs = home / "refs"
    refs.mkdir(parents=True, exist_ok=True)
    replace_file(refs / "main", commit.encode())
    return repository, snapshot


def named(store: Store, manifest: Manifest) -> tuple[str, str]:
    """Repository and commit: the hub's own where it is from there, else ours and the image's digest."""
    origin = manifest.origin
    if origin.package.startswith("hf:") and _COMMIT.match(origin.version):
        repository = origin.package.removeprefix("hf:")
        if _REPOSITORY.match(repository):
            return repository, origin.version
    image = store.record(manifest.name).image or manifest.files[0].sha256
    return f"{OWNER}/{manifest.name}", image[:40]


def _link(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.{os.getpid()}")
    temporary.unlink(missing_ok=True)
    try:
        os.link(source, temporary)
    except OSError as error:
        said = f"{target.parent} cannot hold links to the store: {error.strerror}"
        raise BadArtefact(said, hint="choose a folder on the store's own disk", param=str(target)) from None
    temporary.replace(target)
