"""Receipts: the signed statement of what happened to one call, checked offline with the public key alone.

A receipt's bytes, behind a salt, are one leaf of the audit tree; the proof leads to a signed checkpoint. Pure.
The salt keeps the tree from telling anything about a call to who holds only hashes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from freehold.core.canonical import canonical
from freehold.core.crypto import Sealer, Verifier
from freehold.core.errors import BadSignature
from freehold.ledger.audit import note
from freehold.ledger.audit.merkle import check_inclusion, leaf_hash

FORM = 1
_encode = msgspec.json.Encoder(order="sorted").encode


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
    """The statement about a call, out of its rows in storage form."""
    what_if = call["what_if"]
    return {
        "form": FORM,
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


def change_of(at: float, kind: str, actor: str, content: str) -> dict[str, Any]:
    """The statement about a change of configuration, keys or data; `content` is canonical JSON."""
    return {"form": FORM, "change": kind, "at_ms": int(at * 1000), "actor": actor, "content": content}


def call_salt(sealer: Sealer, call: bytes) -> bytes:
    """16 bytes that hide a call's statement; derived, so loading a journal again gives the same leaf."""
    return sealer.digest(b"receipt-salt", call)[:16]


def change_salt(sealer: Sealer, leaf: int) -> bytes:
    """16 bytes that hide the statement about a change."""
    return sealer.digest(b"change-salt", leaf.to_bytes(8, "big"))[:16]


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
