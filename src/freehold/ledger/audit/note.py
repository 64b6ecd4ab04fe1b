"""Checkpoints as signed notes (C2SP signed-note and tlog-checkpoint): text that any witness's tool can read.

A checkpoint is the log's origin, its size and its root, then when it was made and the size of the one before it
(extension lines, as the specification allows); the signature is Ed25519 by the installation's identity.
"""

from __future__ import annotations

import base64
from hashlib import sha256

import msgspec

from freehold.core.crypto import Identity, Verifier
from freehold.core.errors import BadSignature

_ED25519 = b"\x01"
_DASH = "\N{EM DASH} "
_AT = "freehold-at "
_PREVIOUS = "freehold-previous "


class Checkpoint(msgspec.Struct, frozen=True):
    """What the log was at one moment."""

    origin: str
    size: int
    root: bytes
    at: float | None = None
    """Unix seconds; None in notes of earlier versions."""
    previous: int = 0
    """Size of the kept checkpoint before it; 0 where there is none."""


def origin_of(verifier: Verifier) -> str:
    """Name of the log that this identity keeps."""
    return f"freehold/{verifier.key_id}"


def sign(checkpoint: Checkpoint, identity: Identity) -> str:
    """The note: text, an empty line, and one signature line."""
    text = _text(checkpoint)
    return f"{text}\n{_line(checkpoint.origin, identity, identity.sign(text.encode()))}\n"


def read(note: str, verifier: Verifier) -> Checkpoint:
    """The checkpoint in a note. Raises BadSignature unless this identity signed it as this log's.

    Others may have signed it too. Any other byte than those of text and signature lines is refused.
    """
    origin = origin_of(verifier)
    text, mark, signatures = note.partition("\n\n")
    text += "\n"
    lines = signatures.split("\n")
    if not mark or lines.pop() != "" or not all(one.startswith(_DASH) for one in lines):
        raise BadSignature("the checkpoint is no signed note")
    for line in lines:
        if line.startswith(f"{_DASH}{origin} "):
            blob = _decode(line.removeprefix(f"{_DASH}{origin} "))
            # Compared whole, so that no unused bit of the base64 can change unseen.
            if len(blob) == 68 and line == _line(origin, verifier, blob[4:]):
                verifier.verify(blob[4:], text.encode())
                return _parse(text, origin)
    raise BadSignature(f"the checkpoint is not signed by {origin}")


def _text(checkpoint: Checkpoint) -> str:
    text = f"{checkpoint.origin}\n{checkpoint.size}\n{base64.b64encode(checkpoint.root).decode()}\n"
    if checkpoint.at is not None:
        text += f"{_AT}{checkpoint.at!r}\n{_PREVIOUS}{checkpoint.previous}\n"
    return text


def _line(name: str, key: Verifier, signature: bytes) -> str:
    hint = sha256(name.encode() + b"\n" + _ED25519 + key.public).digest()[:4]
    return f"{_DASH}{name} {base64.b64encode(hint + signature).decode()}"


def _parse(text: str, origin: str) -> Checkpoint:
    lines = text.split("\n")
    if len(lines) < 4 or lines[0] != origin or not lines[1].isdecimal():
        raise BadSignature("the checkpoint's text has another form")
    at, previous = None, 0
    try:
        for line in lines[3:-1]:
            if line.startswith(_AT):
                at = float(line.removeprefix(_AT))
            elif line.startswith(_PREVIOUS):
                previous = int(line.removeprefix(_PREVIOUS))
    except ValueError:
        raise BadSignature("the checkpoint's text has another form") from None
    return Checkpoint(origin, int(lines[1]), _decode(lines[2]), at, previous)


def _decode(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        raise BadSignature("the checkpoint holds damaged base64") from None
