"""SQL of the ledger's readers: calls by filter, one call, usage by group, bodies. Every query is bounded or indexed.

A call's id begins with its time, so a span of time is a range of ids.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from msgspec.json import decode
from sqlalchemy import ColumnElement, Connection, Select, Table, delete, func, select, text, update

from freehold.core.db import upsert
from freehold.core.errors import NotFound
from freehold.core.ids import as_text, from_text
from freehold.core.money import from_pico
from freehold.ledger.meter import Usage
from freehold.ledger.records import (
    AttemptRecord,
    BodyRecord,
    CallDetail,
    CallRecord,
    Filter,
    Page,
)
from freehold.ledger.tables import attempts, bodies, calls, pending

if TYPE_CHECKING:
    from freehold.ledger.capture import Kept

_TOKENS = ("input", "output", "cached", "cache_write", "cache_write_1h", "reasoning")


def list_calls(connection: Connection, wanted: Filter, cursor: str = "", limit: int = 50) -> Page:
    """Calls that match, newest first. `cursor` is the one of the page before."""
    query = matching(select(calls), wanted).order_by(calls.c.id.desc()).limit(limit + 1)
    if cursor:
        query = query.where(calls.c.id < from_text(cursor))
    found = [_call(one) for one in connection.execute(query).mappings()]
    return Page(tuple(found[:limit]), found[limit - 1].id if len(found) > limit else "")


def calls_after(connection: Connection, leaf: int, wanted: Filter, limit: int = 200) -> list[CallRecord]:
    """Calls that ended after the one at `leaf`, in the order they were loaded: what `tail` follows."""
    query = matching(select(calls), wanted).where(calls.c.leaf > leaf).order_by(calls.c.leaf).limit(limit)
    return [_call(one) for one in connection.execute(query).mappings()]


def last_leaf(connection: Connection) -> int:
    """Where a `tail` that begins now starts; -1 where there are no calls."""
    found = connection.execute(select(func.max(calls.c.leaf))).scalar()
    return -1 if found is None else int(found)


def show_call(connection: Connection, call: str) -> CallDetail:
    """One call with its attempts and bodies. Raises NotFound."""
    row, tried = call_rows(connection, _id(call))
    kept = connection.execute(select(bodies).where(bodies.c.call == row["id"]).order_by(bodies.c.side)).mappings()
    return CallDetail(
        call=_call(row),
        attempts=tuple(_attempt(one) for one in tried),
        bodies=tuple(_body(one) for one in kept),
    )


def call_rows(connection: Connection, call: bytes) -> tuple[Any, Sequence[Any]]:
    """The rows of a call and its attempts in storage form. Raises NotFound."""
    row = connection.execute(select(calls).where(calls.c.id == call)).mappings().first()
    if row is None:
        begun = connection.execute(select(pending.c.call).where(pending.c.call == call)).first()
        hint = "it has not ended yet: try again" if begun else "list them: freehold calls tail"
        raise NotFound(f"there is no ended call {as_text('call', call)}", hint=hint)
    query = select(attempts).where(attempts.c.leaf == row["leaf"]).order_by(attempts.c.number)
    return row, connection.execute(query).mappings().all()


def export_calls(connection: Connection, wanted: Filter) -> Iterator[CallDetail]:
    """Every call that matches, oldest first, with attempts and bodies; holds one page in memory."""
    last = b""
    while True:
        query = matching(select(calls), wanted).where(calls.c.id > last).order_by(calls.c.id).limit(500)
        page = connection.execute(query).mappings().all()
        if not page:
            return
        tried = _by(connection, select(attempts).where(attempts.c.leaf.in_([one["leaf"] for one in page])), "leaf")
        kept = _by(connection, select(bodies).where(bodies.c.call.in_([one["id"] for one in page])), "call")
        for row in page:
            yield CallDetail(
                call=_call(row),
                attempts=tuple(_attempt(one) for one in sorted(tried.get(row["leaf"], ()), key=_number)),
                bodies=tuple(_body(one) for one in kept.get(row["id"], ())),
            )
        last = page[-1]["id"]


def tried(
    connection: Connection, targets: Sequence[str], after: int, since: float, limit: int = 500
) -> list[tuple[int, str]]:
    """Attempts at these targets in calls after a leaf and since a time (Unix seconds): leaf and outcome, in order."""
    query = select(attempts.c.leaf, attempts.c.outcome).join(calls, calls.c.leaf == attempts.c.leaf)
    query = query.where(attempts.c.leaf > after, attempts.c.target.in_(targets), calls.c.at >= since)
    found = connection.execute(query.order_by(attempts.c.leaf, attempts.c.number).limit(limit))
    return [(int(leaf), str(outcome)) for leaf, outcome in found]


def any_call_of(connection: Connection, workflow: str) -> bool:
    """True where a call was recorded under this very id or name."""
    return connection.execute(select(calls.c.id).where(calls.c.workflow == workflow).limit(1)).first() is not None


def insert_bodies(connection: Connection, kept: Sequence[Kept]) -> None:
    """Rows for captured bodies; one that is there already stays as it is."""
    rows = [
        {
            "call": one.call,
            "side": one.side,
            "digest": one.digest,
            "label": one.label,
            "size": one.size,
            "kept_at": one.kept_at,
            "retention_until": one.retention_until,
        }
        for one in kept
    ]
    upsert(connection, bodies, rows)


def body_digests(connection: Connection, call: str) -> dict[str, bytes]:
    """Digests of a call's bodies that are still kept, by side."""
    query = select(bodies.c.side, bodies.c.digest).where(bodies.c.call == _id(call), _LIVE)
    return {one.side: one.digest for one in connection.execute(query)}


_LIVE = bodies.c.erased_at.is_(None) & bodies.c.digest.is_not(None)


def bodies_of_call(call: bytes) -> ColumnElement[bool]:
    """Selects the bodies of one call."""
    return bodies.c.call == call


def bodies_of_key(key_id: str) -> ColumnElement[bool]:
    """Selects the bodies of every ended call by a key, and its files."""
    return bodies.c.call.in_(select(calls.c.id).where(calls.c.key_id == key_id)) | (bodies.c.key_id == key_id)


def bodies_of_calls(ids: Sequence[bytes]) -> ColumnElement[bool]:
    """Selects the bodies of these calls, or records."""
    return bodies.c.call.in_(ids)


def bodies_past(now: float) -> ColumnElement[bool]:
    """Selects bodies whose time is over."""
    return bodies.c.retention_until <= now


def mark_erased(connection: Connection, which: ColumnElement[bool], why: str, now: float, limit: int) -> int:
    """Tombstones for bodies among the selected that have none, of about `limit` calls; how many."""
    due = which & bodies.c.erased_at.is_(None)
    found = connection.execute(select(bodies.c.call).where(due).limit(limit)).scalars().all()
    if not found:
        return 0
    statement = update(bodies).where(due, bodies.c.call.in_(set(found))).values(erased_at=now, erased_why=why)
    return connection.execute(statement).rowcount


def erased_digests(connection: Connection, limit: int) -> tuple[list[bytes], list[bytes]]:
    """Digests of erased rows whose files may be there still; and those that no living row needs."""
    query = select(bodies.c.digest).where(bodies.c.erased_at.is_not(None), bodies.c.digest.is_not(None))
    found = [one for one in connection.execute(query.distinct().limit(limit)).scalars() if one is not None]
    needed = set(connection.execute(select(bodies.c.digest).where(bodies.c.digest.in_(found), _LIVE)).scalars())
    return found, [one for one in found if one not in needed]


def forget_digests(connection: Connection, digests: Sequence[bytes]) -> None:
    """Erased rows know their content's digest no more."""
    statement = update(bodies).where(bodies.c.digest.in_(digests), bodies.c.erased_at.is_not(None))
    connection.execute(statement.values(digest=None))


def forget_bodies(connection: Connection, ids: Sequence[bytes]) -> None:
    """Tombstones of these calls go too, once their files are gone."""
    connection.execute(delete(bodies).where(bodies.c.call.in_(ids), bodies.c.digest.is_(None)))


def relabel_bodies(connection: Connection, ids: Select[Any], label: str) -> None:
    """Say how sensitive the bodies of the selected calls are."""
    connection.execute(update(bodies).where(bodies.c.call.in_(ids)).values(label=label))


def named(query: Select[Any], table: Table, wanted: Filter) -> Select[Any]:
    """Of a table with their names: those that a filter names."""
    for name in ("key_id", "team", "route", "target", "workflow", "outcome"):
        value = getattr(wanted, name)
        if value and name == "workflow" and wanted.same:
            query = query.where(table.c.workflow.in_((value, *wanted.same)))
        elif value:
            query = query.where(table.c[name] == value)
    return query


def matching(query: Select[Any], wanted: Filter) -> Select[Any]:
    """Of calls: those that a filter means."""
    query = named(query, calls, wanted)
    if wanted.outcome and wanted.outcome != "ok":
        query = query.where(text("calls.outcome <> 'ok'"))  # spelled out, so that the partial index counts
    if wanted.since is not None:
        query = query.where(calls.c.id >= _id_at(wanted.since))
    if wanted.until is not None:
        query = query.where(calls.c.id < _id_at(wanted.until))
    return query


def _id_at(seconds: float) -> bytes:
    return (max(int(seconds * 1000), 0) << 80).to_bytes(16, "big")


def _id(text: str) -> bytes:
    try:
        return from_text(text)
    except ValueError:
        raise NotFound(f"{text!r} is no call id", hint="ids look like call_0192f3...: freehold calls tail") from None


def _by(connection: Connection, query: Select[Any], name: str) -> dict[Any, list[Any]]:
    found: dict[Any, list[Any]] = {}
    for one in connection.execute(query).mappings():
        found.setdefault(one[name], []).append(one)
    return found


def _number(row: Any) -> int:
    return int(row["number"])


def _usage(row: Any) -> Usage:
    return Usage(**{name: row[name] for name in _TOKENS}, estimated=row["estimated"])


_PLAIN = tuple(
    name
    for name in CallRecord.__struct_fields__
    if name not in {"id", "usage", "reserved", "cost", "what_if", "request_sha256", "response_sha256"}
    and name not in {"dropped", "budgets", "scan"}
)


def _call(row: Any) -> CallRecord:
    return CallRecord(
        id=as_text("call", row["id"]),
        usage=_usage(row),
        reserved=from_pico(row["reserved"]),
        cost=from_pico(row["cost"]),
        what_if=None if row["what_if"] is None else from_pico(row["what_if"]),
        request_sha256=row["request_sha256"].hex(),
        response_sha256=row["response_sha256"].hex(),
        dropped=tuple(row["dropped"].split(",")) if row["dropped"] else (),
        budgets=tuple(row["budgets"].split(",")) if row["budgets"] else (),
        scan=decode(row["scan"]) if row["scan"] else None,
        **{name: row[name] for name in _PLAIN},
    )


_PLAIN_ATTEMPT = tuple(name for name in AttemptRecord.__struct_fields__ if name not in {"usage", "cost"})


def _attempt(row: Any) -> AttemptRecord:
    plain = {name: row[name] for name in _PLAIN_ATTEMPT}
    return AttemptRecord(usage=_usage(row), cost=from_pico(row["cost"]), **plain)


def _body(row: Any) -> BodyRecord:
    return BodyRecord(**{name: row[name] for name in BodyRecord.__struct_fields__})
