"""Passes: with one, another machine asks the gateway for some models, for a while, as Freehold's own rooms do.

Signed by the instance's identity and kept nowhere. They count while the service key does, under its limits and budgets.
"""

from __future__ import annotations

import base64
import binascii

import msgspec

from freehold.core.crypto import Identity, Verifier
from freehold.core.errors import BadSignature

MARK = "fhp-"
"""What each begins with."""
_CONTEXT = b"freehold/pass/v1\0"
"""So that nothing else which the identity signs is a pass."""
_SIGNATURE_BYTES = 64


class Pass(msgspec.Struct, frozen=True):
    """What one allows."""

    models: tuple[str, ...]
    """As a request names them: a route, or `target:NAME`."""
    until: float
    """Unix seconds."""


def write_pass(identity: Identity, allowed: Pass) -> str:
    """The pass, to be sent as a key is."""
    data = msgspec.msgpack.encode(allowed)
    return MARK + base64.urlsafe_b64encode(identity.sign(_CONTEXT + data) + data).decode()


def read_pass(token: bytes, verifier: Verifier) -> Pass:
    """What a pass allows, and until when. Raises BadSignature for whatever the identity did not write."""
    try:
        packed = base64.b64decode(token.removeprefix(MARK.encode()), b"-_", validate=True)
    except binascii.Error:
        raise BadSignature("a pass is base64") from None
    data = packed[_SIGNATURE_BYTES:]
    verifier.verify(packed[:_SIGNATURE_BYTES], _CONTEXT + data)
    try:
        return msgspec.msgpack.decode(data, type=Pass)
    except msgspec.DecodeError:
        raise BadSignature("a pass of another version") from None
