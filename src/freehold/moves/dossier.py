"""The dossier: one signed file that says why a move was allowed, with every row its decisions were made from.

Content is canonical JSON (`core.canonical.exact`); the signature is the installation's own, over those bytes.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from typing import Any

import msgspec

from freehold.core.canonical import exact
from freehold.core.clock import iso
from freehold.core.crypto import Identity, Verifier
from freehold.core.errors import BadArtefact
from freehold.moves.savings import Savings
from freehold.moves.types import Event, Move, Pair

FORM = "freehold-dossier/1"
_MEMBERS = frozenset({"content", "key", "signature"})
_HINT = "give the file that was written by: freehold moves dossier"


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a dossier is made of."""

    move: Move
    workflow_name: str
    events: Sequence[Event]
    pairs: Sequence[Pair]
    artefact: dict[str, Any]
    """The signed manifest of what a recipe made; empty where the candidate was there before."""
    savings: Savings | None


def make(evidence: Evidence, identity: Identity, now: float) -> bytes:
    """The signed file."""
    move = evidence.move
    content = {
        "form": FORM,
        "made_at": iso(now),
        "move": move.id,
        "workflow": {"id": move.plan.workflow, "name": evidence.workflow_name},
        "rule": msgspec.to_builtins(move.rule),
        "rule_sha256": move.rule.digest(),
        "plan": msgspec.to_builtins(move.plan),
        "stage": move.stage,
        "candidate": move.candidate,
        "events": [msgspec.to_builtins(one) for one in evidence.events],
        "pairs": [row(one) for one in evidence.pairs],
        "artefact": evidence.artefact,
        "savings": None if evidence.savings is None else msgspec.to_builtins(evidence.savings),
    }
    data = exact(content)
    signed = {
        "content": content,
        "key": identity.public.hex(),
        "signature": base64.b64encode(identity.sign(data)).decode(),
    }
    return exact(signed)


def opened(data: bytes) -> tuple[dict[str, Any], str, bytes]:
    """Content, public key in hex, and signature. Raises BadArtefact for what is no dossier."""
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):  # their texts may quote the whole file
        raise BadArtefact("this is no dossier: it is no JSON that can be read", hint=_HINT) from None
    if not isinstance(found, dict) or found.keys() != _MEMBERS:
        raise BadArtefact("this is no dossier: its members are content, key and signature alone", hint=_HINT)
    content, key = found["content"], str(found["key"])
    try:
        signature = base64.b64decode(found["signature"], validate=True)
    except (ValueError, TypeError):
        raise BadArtefact("this is no dossier: its signature is not Base64", hint=_HINT) from None
    if not isinstance(content, dict) or content.get("form") != FORM:
        raise BadArtefact("this is no dossier of a form this version knows", hint="use the version that wrote it")
    return content, key, signature


def signed(content: dict[str, Any], key: str, signature: bytes) -> None:
    """Raises BadSignature where the key did not sign it, ValueError where it is no key, BadArtefact where too deep."""
    try:
        data = exact(content)
    except RecursionError:
        raise BadArtefact("this is no dossier: it is nested too deep", hint=_HINT) from None
    Verifier(bytes.fromhex(key)).verify(signature, data)


def row(pair: Pair) -> dict[str, Any]:
    """A pair as plain JSON."""
    found = msgspec.structs.asdict(pair)
    return {name: value.hex() if isinstance(value, bytes) else value for name, value in found.items()}


def pair(row: dict[str, Any]) -> Pair:
    """The pair of a row. Raises BadArtefact."""
    try:
        binary = {name: bytes.fromhex(row[name]) for name in ("record", "candidate_sha256", "incumbent_sha256")}
        return msgspec.convert({**row, **binary}, Pair)
    except (KeyError, TypeError, ValueError, msgspec.ValidationError) as error:
        raise BadArtefact(f"a pair of this dossier cannot be read: {error}") from None
