"""Channels on disk: one signed, versioned file each, and the bytes of releases that are no models.

Invariant: what is read was signed by this installation; bytes are what their digest says.
"""

from __future__ import annotations

import hashlib
import stat
from pathlib import Path

import msgspec

from freehold.core.crypto import Identity, Verifier
from freehold.core.errors import BadArtefact, NotFound
from freehold.core.lock import locked
from freehold.registry.channels import STAGES, Change, Channel, Stage
from freehold.registry.layout import replace_file
from freehold.registry.papers import dsse

FOLDER = "channels"
CHANNEL_TYPE = "application/vnd.freehold.channel+json"


def read(root: Path, stage: Stage, verifier: Verifier) -> Channel:
    """A channel of the store at `root`; an empty one before anything stood in it. Raises BadSignature, BadArtefact."""
    path = root / FOLDER / f"{stage}.json"
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return Channel(stage=stage)
    try:
        found = msgspec.json.decode(dsse.opened(data, verifier, CHANNEL_TYPE), type=Channel)
    except msgspec.DecodeError as error:
        raise BadArtefact(f"the channel {stage} cannot be read: {error}", param=str(path)) from None
    if found.stage != stage:
        raise BadArtefact(f"the file of the channel {stage} is that of {found.stage}", param=str(path))
    return found


def everything(root: Path, verifier: Verifier) -> dict[Stage, Channel]:
    """Every channel. Raises as `read` does."""
    return {stage: read(root, stage, verifier) for stage in STAGES}


def change(root: Path, stage: Stage, identity: Identity, how: Change) -> Channel:
    """Change a channel and sign it, one change at a time; where `how` raises, nothing is changed."""
    with locked(root / FOLDER):
        made = how(read(root, stage, identity))
        replace_file(root / FOLDER / f"{stage}.json", dsse.sealed(msgspec.json.encode(made), identity, CHANNEL_TYPE))
    return made


def put(root: Path, data: bytes) -> str:
    """Keep a file's bytes; their SHA-256 in hex."""
    digest = hashlib.sha256(data).hexdigest()
    path = _bytes_of(root, digest)
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        replace_file(path, data)
        path.chmod(stat.S_IRUSR)
    return digest


def get(root: Path, digest: str) -> bytes:
    """The bytes of a digest. Raises NotFound, and BadArtefact where they were changed."""
    try:
        data = _bytes_of(root, digest).read_bytes()
    except FileNotFoundError:
        raise NotFound(f"no file {digest[:16]} is kept for the channels") from None
    if hashlib.sha256(data).hexdigest() != digest:
        raise BadArtefact(f"the file {digest[:16]} of the channels was changed")
    return data


def _bytes_of(root: Path, digest: str) -> Path:
    return root / FOLDER / "files" / digest
