"""Releases: records of models that something still counts on, kept beside the names they once stood under.

Invariant: a record is copied as it was signed; its signature and bytes are checked whenever it is opened.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

import msgspec

from freehold.core.errors import BadArtefact
from freehold.registry import layout
from freehold.registry.types import Manifest

FOLDER = "releases"


class _Named(msgspec.Struct):
    name: str


class _Record(msgspec.Struct):
    manifest: _Named


def path_of(root: Path, image: str) -> Path:
    """Where the record of an image is kept in the store at `root`; `image` is a SHA-256 in hex."""
    return root / FOLDER / f"{image}.json"


def write(root: Path, image: str, record: bytes) -> None:
    """Keep a signed record; a newer one of the same image, with another person's word, takes its place."""
    path = path_of(root, image)
    path.parent.mkdir(parents=True, exist_ok=True)
    layout.replace_file(path, record)


def found(root: Path) -> tuple[tuple[str, Path], ...]:
    """The images that are kept, each with its record's file."""
    folder = root / FOLDER
    return tuple((one.stem, one) for one in sorted(folder.glob("*.json"))) if folder.is_dir() else ()


def name_in(path: Path) -> str:
    """The name a record says it is of: to be believed once its signature is checked. Raises BadArtefact."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=_Record).manifest.name
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadArtefact(f"the release {path.stem[:16]} cannot be read: {error}", param=str(path)) from None


def staying(held: Sequence[tuple[str, Manifest]], needed: Collection[str] | None) -> frozenset[str]:
    """The images of `held` that are needed, and their bases; all of them where `needed` is None."""
    if needed is None:
        return frozenset(image for image, _ in held)
    stay = {image for image, _ in held if image in needed}
    lines = [one.lineage for image, one in held if image in stay and one.lineage is not None]
    bases = {(one.base, one.base_sha256) for one in lines if one.base}
    return frozenset(
        stay | {image for image, one in held if (one.name.partition("@")[0], one.files[0].sha256) in bases}
    )
