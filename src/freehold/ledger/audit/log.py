"""Reading the audit log: receipts of calls and changes, and proofs that it has only ever grown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Engine

from freehold.core.crypto import Verifier
from freehold.core.db import reading
from freehold.core.errors import BadSignature, NotFound, Unavailable
from freehold.core.ids import from_text
from freehold.ledger.audit import merkle, store
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
