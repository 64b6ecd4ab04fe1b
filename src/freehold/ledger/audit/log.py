"""Reading the audit log: receipts of calls and changes, and proofs that it has only ever grown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import NoResultFound

from freehold.core.crypto import Verifier
from freehold.core.db import reading
from freehold.core.errors import BadSignature, NotFound, Unavailable
from freehold.core.ids import from_text
from freehold.ledger.audit import merkle, note, store
from freehold.ledger.audit.salts import Salts
from freehold.ledger.audit.tiles import nodes_of
from freehold.ledger.receipts import Receipt, change_of, entry_of, statement_of
from freehold.ledger.store import call_rows


def receipt_of_call(engine: Engine, verifier: Verifier, salts: Salts, call: str) -> Receipt:
    """The receipt of an ended call.

    Raises NotFound, Unavailable (not signed yet: within a second), Erased, BadSignature.
    """
    try:
        raw = from_text(call)
    except ValueError:
        raise NotFound(f"{call!r} is no call id", hint="ids look like call_0192f3...: freehold calls tail") from None
    with reading(engine) as connection:
        row, tried = call_rows(connection, raw)
        return _receipt(connection, verifier, statement_of(row, tried), salts.of_call(row), row["leaf"])


def receipt_of_change(engine: Engine, verifier: Verifier, salts: Salts, leaf: int) -> Receipt:
    """The receipt of an audited change. Raises NotFound, Unavailable (not signed yet), BadSignature."""
    with reading(engine) as connection:
        found = store.entry_at(connection, leaf)
        if found is None:
            raise NotFound(f"no change is logged at leaf {leaf}")
        return _receipt(connection, verifier, change_of(*found), salts.of_change(leaf), leaf)


def consistency_proof(engine: Engine, old: int, new: int) -> tuple[str, ...]:
    """Proof, in hex, that the log of size `old` is the beginning of that of size `new`. Raises NotFound."""
    with reading(engine) as connection:
        newest = store.newest_note(connection)
        if newest is None or not 0 < old <= new <= newest[0]:
            raise NotFound(f"the signed log has no sizes {old} and {new}")
        path = merkle.consistency(nodes_of(store.tiles_in(connection)), old, new)
    return tuple(one.hex() for one in path)


class Link(msgspec.Struct, frozen=True, kw_only=True):
    """A checkpoint and whether it holds."""

    size: int
    at: float
    """Unix seconds."""
    good: bool
    """Did this installation sign it, of what its row says, and is the checkpoint before it the beginning of its log?"""
    problem: str
    follows: int
    """Size of the checkpoint that it was held against; 0 for the oldest that is looked at."""


def chain(engine: Engine, verifier: Verifier, limit: int) -> list[Link]:
    """The newest checkpoints, newest first: each signature checked, each held against the one before it.

    Says that the log only grew, by its tiles; whether each row is what was signed, the whole check alone can say.
    """
    with reading(engine) as connection:
        rows = store.all_checkpoints(connection)[-limit - 1 :]
        nodes = nodes_of(store.tiles_in(connection))
        before = [None, *rows][: len(rows)]
        links = [_link(verifier, nodes, *pair) for pair in zip(before, rows, strict=True)]
    return links[::-1][:limit]


def _link(verifier: Verifier, nodes: merkle.Nodes, before: Any, row: Any) -> Link:
    follows = 0 if before is None else int(before["size"])
    try:
        _check(verifier, nodes, before, row)
        problem = ""
    except BadSignature as error:
        problem = error.message
    except (NoResultFound, ValueError):
        problem = "a part of the tree is missing"
    return Link(size=row["size"], at=row["at"], good=not problem, problem=problem, follows=follows)


def _check(verifier: Verifier, nodes: merkle.Nodes, before: Any, row: Any) -> None:
    said = note.read(row["note"], verifier)
    if (said.size, said.root) != (row["size"], row["root"]):
        raise BadSignature("its row says another size or root than was signed")
    if before is not None:
        path = merkle.consistency(nodes, before["size"], said.size)
        merkle.check_consistency(before["size"], said.size, path, before["root"], said.root)


def _receipt(
    connection: Connection, verifier: Verifier, statement: Mapping[str, Any], salt: bytes, leaf: int
) -> Receipt:
    newest = store.newest_note(connection)
    if newest is None or newest[0] <= leaf:
        raise Unavailable("this is not signed yet", hint="try again in a second", retry_after=1.0)
    size, note = newest
    nodes = nodes_of(store.tiles_in(connection))
    if nodes(0, leaf) != merkle.leaf_hash(entry_of(statement, salt)):
        raise BadSignature(f"the row behind leaf {leaf} was changed after it was logged", hint="restore the database")
    return Receipt(
        statement=dict(statement),
        salt=salt.hex(),
        leaf=leaf,
        proof=tuple(one.hex() for one in merkle.inclusion(nodes, leaf, size)),
        checkpoint=note,
        public_key=verifier.public.hex(),
    )
