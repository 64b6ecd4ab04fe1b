"""Receipts: the signed statement of what happened to one call, checked offline with the public key alone.

A receipt's bytes, behind a salt, are one leaf of the audit tree; the proof leads to a signed checkpoint. Pure.
The salt keeps the tree from telling anything about a call to who holds only hashes. A row keeps the form its
statement was hashed in; what a later version adds to a form stands there only where its row has it.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from freehold.core.canonical import canonical
from freehold.core.crypto import Sealer, Verifier
from freehold.core.errors import BadSignature
from freehold.ledger.audit import note
from freehold.ledger.audit.merkle import check_inclusion, leaf_hash
from freehold.ledger.audit.rowsum import row_sum

FORM = 2
"""Of new statements. Form 1 named neither what served the call nor the digest of its row."""
CACHED = "cached"
"""Outcome of an attempt that sent nothing: what the target once answered was served again."""
_encode = msgspec.json.Encoder(order="sorted").encode
_decode = msgspec.json.Decoder().decode


class Receipt(msgspec.Struct, frozen=True):
    """What `freehold receipts` writes to a file. `statement` is what is vouched for."""

    statement: dict[str, Any]
    salt: str
    leaf: int
    proof: tuple[str, ...]
    checkpoint: str
    public_key: str
    """Of the installation, in hex. A checker brings its own copy."""


class Check(msgspec.Struct, frozen=True):
    """One thing that was checked and held."""

    name: str
    detail: str


def statement_of(call: Mapping[str, Any], attempts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The statement about a call, out of its rows in storage form.

    A row's column `scan`, where there is one, is JSON without floats: what was scanned, with what, and what was found.
    """
    form = call["form"]
    said = _plain(call, attempts)
    if any(one["outcome"] == CACHED for one in attempts):
        said["cache"] = "hit"
    if form == 1:
        return said
    said["form"] = form
    said["provider"] = call["provider"]
    said["model"] = call["model"]
    said["model_sha256"] = call["model_digest"]
    said["row_sha256"] = row_sum(call, attempts)
    scan = call.get("scan")
    if scan:
        said["scan"] = _decode(scan)
    return said


def _plain(call: Mapping[str, Any], attempts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    what_if = call["what_if"]
    return {
        "form": 1,
        "call": f"call_{call['id'].hex()}",
        "at_ms": int(call["at"] * 1000),
        "key": call["key_id"],
        "team": call["team"],
        "route": call["route"],
        "dialect": call["dialect"],
        "stream": call["stream"],
        "label": call["label"],
        "workflow": call["workflow"],
        "policy_version": call["policy_version"],
        "routes_version": call["routes_version"],
        "target": call["target"],
        "owned": call["owned"],
        "region": call["region"],
        "sent_to": [
            {"target": one["target"], "owned": one["owned"], "region": one["region"], "outcome": one["outcome"]}
            for one in attempts
            if one["outcome"] != CACHED
        ],
        "outcome": call["outcome"],
        "status": call["status"],
        "error": call["error"],
        "tokens": {
            "input": call["input"],
            "output": call["output"],
            "cached": call["cached"],
            "reasoning": call["reasoning"],
            "estimated": call["estimated"],
        },
        "cost_usd": _dollars(call["cost"]),
        "price": f"{call['price_source']}, {call['price_as_of']}" if call["price_source"] else "",
        "what_if_usd": None if what_if is None else _dollars(what_if),
        "what_if_target": call["what_if_target"],
        "scanned_characters": None if call["scanned"] < 0 else call["scanned"],
        "delivered_bytes": call["delivered"],
        "dropped": call["dropped"].split(",") if call["dropped"] else [],
        "request_sha256": call["request_sha256"].hex(),
        "response_sha256": call["response_sha256"].hex(),
    }


def change_of(at: float, kind: str, actor: str, content: str, form: int = FORM) -> dict[str, Any]:
    """The statement about a change of configuration, keys or data; `content` is canonical JSON."""
    said = {"form": form, "change": kind, "at_ms": int(at * 1000), "actor": actor, "content": content}
    if form > 1:
        said["at"] = repr(at)
    return said


def intent_of(row: Mapping[str, Any]) -> dict[str, Any]:
    """The statement that a call was open, and where to, when a checkpoint was made."""
    return {
        "form": 1,
        "intent": f"call_{row['call'].hex()}",
        "at_ms": row["at_ms"],
        "target": row["target"],
        "label": row["label"],
        "policy_version": row["policy_version"],
    }


def call_salt(secret: bytes, call: bytes) -> bytes:
    """16 bytes that hide a call's statement: derived from its subject's key, so that they go with it."""
    return hmac.digest(secret, b"receipt-salt\0" + call, "sha256")[:16]


def first_call_salt(sealer: Sealer, call: bytes) -> bytes:
    """The salt of a statement of form 1, which no subject's key could destroy."""
    return sealer.digest(b"receipt-salt", call)[:16]


def change_salt(sealer: Sealer, leaf: int) -> bytes:
    """16 bytes that hide the statement about a change."""
    return sealer.digest(b"change-salt", leaf.to_bytes(8, "big"))[:16]


def intent_salt(sealer: Sealer, call: bytes) -> bytes:
    """16 bytes that hide an intent, which tells of nobody."""
    return sealer.digest(b"intent-salt", call)[:16]


def entry_of(statement: Mapping[str, Any], salt: bytes) -> bytes:
    """The leaf's entry: the salt, then the statement as canonical JSON."""
    return salt + _encode(statement)


def verify(receipt: Receipt, public_key: bytes) -> list[Check]:
    """Check a receipt against the installation's public key. Raises BadSignature where anything does not hold."""
    verifier = Verifier(public_key)
    checkpoint = note.read(receipt.checkpoint, verifier)
    try:
        salt = bytes.fromhex(receipt.salt)
        path = [bytes.fromhex(one) for one in receipt.proof]
        entry = salt + canonical(receipt.statement)
    except (ValueError, TypeError):
        raise BadSignature("the receipt holds values of another form") from None
    check_inclusion(leaf_hash(entry), receipt.leaf, checkpoint.size, path, checkpoint.root)
    return [
        Check("signature", f"the checkpoint is signed by identity {verifier.key_id}"),
        Check("inclusion", f"the statement is leaf {receipt.leaf} of {checkpoint.size} in {checkpoint.origin}"),
    ]


def _dollars(pico: int) -> str:
    whole, rest = divmod(abs(pico), 10**12)
    sign = "-" if pico < 0 else ""
    return f"{sign}{whole}.{rest:012d}".rstrip("0").rstrip(".")
