"""What the store holds of a model: its files by digest, where they are from, how they were made, and its papers."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec

from freehold.registry.papers.types import Papers

Kind = Literal["adapter", "chat", "classifier", "embedding", "prompt"]


class Blob(msgspec.Struct, frozen=True):
    """One file of an artefact: its name there, its SHA-256 in hex and its size in bytes."""

    name: str
    sha256: str
    size: int


class Origin(msgspec.Struct, frozen=True):
    """Where the bytes first came from: a package and its version, or a path a person gave."""

    package: str
    version: str
    sha256: str
    """Of the file as fetched, before anything was made of it."""


class Making(msgspec.Struct, frozen=True):
    """How the artefact was made of another file: `none`, `requantise`, `convert` or `train`, and its SHA-256."""

    how: str
    from_sha256: str = ""
    detail: str = ""


class Lineage(msgspec.Struct, frozen=True, kw_only=True):
    """What a trained artefact comes from; digests are SHA-256 in hex."""

    recipe: str
    dataset_sha256: str
    base: str = ""
    """Name in the store of the model it was trained on; empty where it stands alone."""
    base_sha256: str = ""
    """Of the base's first file: the artefact is served on these bytes only."""
    workflow: str = ""


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What one model is; the first file is what the engine opens."""

    name: str
    kind: Kind
    format: str
    files: tuple[Blob, ...]
    origin: Origin
    making: Making
    licence: str
    made_at: str
    """RFC 3339, UTC."""
    lineage: Lineage | None = None
    """Of what was trained, here or elsewhere."""
    papers: Papers | None = None
    """What admission found; None of what was admitted before there were papers."""

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(one.size for one in self.files)


def expired(manifest: Manifest, now: float) -> bool:
    """Whether a person's word that let it in has run out; `now` in Unix seconds."""
    until = manifest.papers.reviewed_until if manifest.papers else ""
    return bool(until) and datetime.fromisoformat(until).timestamp() <= now
