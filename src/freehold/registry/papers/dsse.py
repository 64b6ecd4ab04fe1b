"""DSSE envelopes: who signed which bytes as what; the form of in-toto statements and of signatures over models.

Invariant: nothing of a payload is read before its signature was checked. Source: DSSE protocol 1.0.
"""

from __future__ import annotations

import base64
import binascii

import msgspec

from freehold.core.crypto import Identity, Verifier
from freehold.core.errors import BadArtefact

IN_TOTO = "application/vnd.in-toto+json"


class Mark(msgspec.Struct, frozen=True):
    """One signature, in base64."""

    sig: str
    keyid: str = ""


class Envelope(msgspec.Struct, frozen=True, rename="camel"):
    """A payload in base64 and the signatures over it."""

    payload: str
    payload_type: str
    signatures: tuple[Mark, ...]


def encoded(payload_type: str, payload: bytes) -> bytes:
    """What is signed: the pre-authentication encoding."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def sealed(payload: bytes, identity: Identity, payload_type: str = IN_TOTO) -> bytes:
    """The payload in an envelope of this installation, as JSON."""
    mark = Mark(_text(identity.sign(encoded(payload_type, payload))), identity.key_id)
    return msgspec.json.encode(Envelope(_text(payload), payload_type, (mark,)))


def opened(envelope: bytes, verifier: Verifier, payload_type: str = IN_TOTO) -> bytes:
    """The payload of an envelope that `verifier` signed. Raises BadArtefact for none, BadSignature for another's."""
    try:
        found = msgspec.json.decode(envelope, type=Envelope)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadArtefact(f"this is no signed statement: {error}") from None
    if found.payload_type != payload_type or len(found.signatures) != 1:
        raise BadArtefact(f"a statement of {found.payload_type[:80]!r} with {len(found.signatures)} signatures")
    payload = raw(found.payload)
    verifier.verify(raw(found.signatures[0].sig), encoded(payload_type, payload))
    return payload


def raw(text: str) -> bytes:
    """Bytes from base64. Raises BadArtefact."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise BadArtefact("a signed statement holds what is no base64") from None


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
