"""Checkpoints as signed notes (C2SP signed-note and tlog-checkpoint): text that any witness's tool can read.

A checkpoint is the log's origin, its size and its root; the signature is Ed25519 by the installation's identity.
"""

from __future__ import annotations

import base64
import binascii
from hashlib import sha256

import msgspec

from freehold.core.crypto import Identity, Verifier
from freehold.core.errors import BadSignature

_ED25519 = b"\x01"


class Checkpoint(msgspec.Struct, frozen=True):
    """What the log was at one moment."""

    origin: str
    size: int
    root: bytes


def origin_of(verifier: Verifier) -> str:
    """Name of the log that this identity keeps."""
    return f"freehold/{verifier.key_id}"


def sign(checkpoint: Checkpoint, identity: Identity) -> str:
    """The note: text, an empty line, and one signature line."""
    text = _text(checkpoint)
    blob = _key_hash(checkpoint.origin, identity) + identity.sign(text.encode())
    return f"{text}\n\N{EM DASH} {checkpoint.origin} {base64.b64encode(blob).decode()}\n"


def read(note: str, verifier: Verifier) -> Checkpoint:
    """The checkpoint in a note. Raises BadSignature unless this identity signed it as this log's."""
    origin = origin_of(verifier)
    text, _, signatures = note.partition("\n\n")
    text += "\n"
    prefix = f"\N{EM DASH} {origin} "
    for line in signatures.splitlines():
        if line.startswith(prefix):
            blob = _decode(line[len(prefix) :])
            if blob[:4] == _key_hash(origin, verifier):
                verifier.verify(blob[4:], text.encode())
                return _parse(text, origin)
    raise BadSignature(f"the checkpoint is not signed by {origin}")


def _text(checkpoint: Checkpoint) -> str:
    return f"{checkpoint.origin}\n{checkpoint.size}\n{base64.b64encode(checkpoint.root).decode()}\n"


def _key_hash(name: str, verifier: Verifier) -> bytes:
    return sha256(name.encode() + b"\n" + _ED25519 + verifier.public).digest()[:4]


def _parse(text: str, origin: str) -> Checkpoint:
    lines = text.split("\n")
    if len(lines) < 4 or lines[0] != origin or not lines[1].isdecimal():
        raise BadSignature("the checkpoint's text has another form")
    return Checkpoint(origin, int(lines[1]), _decode(lines[2]))


def _decode(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        raise BadSignature("the checkpoint holds damaged base64") from None
