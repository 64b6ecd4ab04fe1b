"""Signed, versioned snapshots: how the admin process tells the data plane what to do.

One file a kind (`keys`, `routes`, `policy`), replaced whole by rename, so a reader sees the old or the new.
Layout: 64-byte Ed25519 signature, then a msgpack `Envelope`.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TypeVar

import msgspec

from freehold.core.crypto import Identity, Verifier
from freehold.core.errors import BadArtefact, BadSignature

T = TypeVar("T")


class Envelope(msgspec.Struct, frozen=True):
    """What is signed: the kind, a version that only grows, when it was made, and the content."""

    kind: str
    version: int
    made_at: float
    content: msgspec.Raw


def write_snapshot(folder: Path, kind: str, version: int, made_at: float, content: object, identity: Identity) -> None:
    """Publish `content` (msgspec structs) as the snapshot of `kind`."""
    raw = msgspec.Raw(msgspec.msgpack.encode(content))
    data = msgspec.msgpack.encode(Envelope(kind, version, made_at, raw))
    folder.mkdir(parents=True, exist_ok=True)
    temporary = folder / f".{kind}.{os.getpid()}"
    temporary.write_bytes(identity.sign(data) + data)
    os.replace(temporary, folder / f"{kind}.snapshot")


def read_snapshot(folder: Path, kind: str, form: type[T], verifier: Verifier) -> tuple[int, T]:
    """The version and content of a kind. Raises what `read_signed` raises."""
    version, content, _ = read_signed(folder, kind, form, verifier)
    return version, content


def read_signed(folder: Path, kind: str, form: type[T], verifier: Verifier) -> tuple[int, T, bytes]:
    """The same with its signature, which no other snapshot has.

    Raises FileNotFoundError, BadSignature, or BadArtefact where it is signed but of another form (another version of
    this software wrote it).
    """
    blob = (folder / f"{kind}.snapshot").read_bytes()
    verifier.verify(blob[:64], blob[64:])
    try:
        envelope = msgspec.msgpack.decode(blob[64:], type=Envelope)
        if envelope.kind != kind:
            raise BadSignature(f"the snapshot of {kind} holds {envelope.kind}")
        return envelope.version, msgspec.msgpack.decode(envelope.content, type=form), blob[:64]
    except msgspec.DecodeError as error:
        raise BadArtefact(f"the snapshot of {kind} is signed but has another form: {error}") from None
