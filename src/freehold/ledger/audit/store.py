"""SQL of the audit tree: tiles, entries, checkpoints, and the queue through which other processes speak to it."""

from __future__ import annotations

from collections.abc import Sequence
from operator import itemgetter
from typing import Any

import msgspec
from sqlalchemy import (
    Boolean,
    Connection,
    Integer,
    Table,
    bindparam,
    delete,
    func,
    insert,
    select,
    text,
    type_coerce,
)

from freehold.core.canonical import canonical
from freehold.core.db import insert_many, upsert
from freehold.ledger.audit.tiles import Tile, Tiles, Tree, load
from freehold.ledger.frames import Open
from freehold.ledger.receipts import FORM
from freehold.ledger.tables import (
    attempts,
    audit_entries,
    audit_intents,
    audit_queue,
    audit_tiles,
    calls,
    checkpoints,
    pending,
)

_HOUR = 3600
_CHUNK = 500

Row = dict[str, Any]


def append(connection: Connection, at: float, kind: str, actor: str, content: object) -> None:
    """Say what was changed and by whom, in the transaction that changes it; the writer moves it into the tree.

    `kind` is `noun.verb` (`keys.create`); `content` is JSON without floats and without secrets.
    """
    row = {"at": at, "kind": kind, "actor": actor, "content": canonical(content).decode()}
    connection.execute(insert(audit_queue), [row])


def queued(connection: Connection, limit: int) -> list[tuple[int, float, str, str, str]]:
    """The oldest entries that wait: id, time, kind, actor, content."""
    found = connection.execute(select(audit_queue).order_by(audit_queue.c.id).limit(limit))
    return [(one.id, one.at, one.kind, one.actor, one.content) for one in found]


def take(connection: Connection, first_leaf: int, entries: list[tuple[int, float, str, str, str]]) -> None:
    """Move queued entries into the tree's rows, at leaves from `first_leaf` on."""
    rows = [
        {"leaf": first_leaf + at, "at": one[1], "kind": one[2], "actor": one[3], "content": one[4], "form": FORM}
        for at, one in enumerate(entries)
    ]
    insert_many(connection, audit_entries, rows)
    connection.execute(delete(audit_queue).where(audit_queue.c.id <= entries[-1][0]))


def intent_rows(first_leaf: int, opened: Sequence[Open]) -> list[dict[str, Any]]:
    """Rows for calls that are open now, at leaves from `first_leaf` on."""
    return [
        {
            "leaf": leaf,
            "call": one.call,
            "at_ms": int(one.at * 1000),
            "target": one.target,
            "label": one.label,
            "policy_version": one.policy_version,
        }
        for leaf, one in enumerate(opened, first_leaf)
    ]


def insert_intents(connection: Connection, rows: list[dict[str, Any]]) -> None:
    """Store intents."""
    insert_many(connection, audit_intents, rows)


def having_intents(connection: Connection, ids: Sequence[bytes]) -> set[bytes]:
    """Those of the calls whose intent stands in the tree."""
    found: set[bytes] = set()
    for at in range(0, len(ids), _CHUNK):
        query = select(audit_intents.c.call).where(audit_intents.c.call.in_(ids[at : at + _CHUNK]))
        found.update(connection.execute(query).scalars())
    return found


def logged_intents(connection: Connection, epoch: str) -> set[bytes]:
    """Open calls of an epoch whose intent stands in the tree."""
    query = select(audit_intents.c.call).join(pending, pending.c.call == audit_intents.c.call)
    return set(connection.execute(query.where(pending.c.epoch == epoch)).scalars())


def tiles_in(connection: Connection) -> Tiles:
    """Stored tiles by level and number; each is read once."""
    seen: dict[tuple[int, int], bytes] = {}
    query = select(audit_tiles.c.hashes).where(
        audit_tiles.c.level == bindparam("level"), audit_tiles.c.number == bindparam("number")
    )

    def tiles(level: int, number: int) -> bytes:
        found = seen.get((level, number))
        if found is None:
            found = seen[level, number] = connection.execute(query, {"level": level, "number": number}).scalar_one()
        return found

    return tiles


def read_tree(connection: Connection) -> Tree:
    """The tree as stored: one leaf for each call and each entry."""
    return load(size_of(connection), tiles_in(connection))


def size_of(connection: Connection) -> int:
    """How many leaves there are."""
    size = 0
    for table in (calls, audit_entries, audit_intents):
        last = connection.execute(select(func.max(table.c.leaf))).scalar()
        size = size if last is None else max(size, last + 1)
    return size


def write_tiles(connection: Connection, tiles: list[Tile]) -> None:
    """Store tiles, over their shorter selves."""
    rows = [{"level": one.level, "number": one.number, "hashes": one.hashes} for one in tiles]
    upsert(connection, audit_tiles, rows, ("hashes",))


def last_checkpoint(connection: Connection) -> tuple[int, float]:
    """Size and time of the newest checkpoint; zeros where there is none."""
    query = select(checkpoints.c.size, checkpoints.c.at).order_by(checkpoints.c.size.desc()).limit(1)
    found = connection.execute(query).first()
    return (0, 0.0) if found is None else (found.size, found.at)


def kept_before(connection: Connection, at: float) -> int:
    """Size of the newest checkpoint that stays when one is made at `at`; 0 where there is none."""
    query = select(checkpoints.c.size, checkpoints.c.at).order_by(checkpoints.c.size.desc()).limit(2)
    found = [(one.size, one.at) for one in connection.execute(query)]
    return next((size for number, (size, then) in enumerate(found) if number or not _same_hour(then, at)), 0)


def write_checkpoint(connection: Connection, size: int, at: float, root: bytes, note: str) -> None:
    """Store a checkpoint. Of those before it, the last of each hour stays: a later one proves the same leaves."""
    previous, then = last_checkpoint(connection)
    if previous and _same_hour(then, at):
        connection.execute(delete(checkpoints).where(checkpoints.c.size == previous))
    upsert(connection, checkpoints, [{"size": size, "at": at, "root": root, "note": note}], ("at", "root", "note"))


def _same_hour(one: float, other: float) -> bool:
    return one // _HOUR == other // _HOUR


def newest_note(connection: Connection) -> tuple[int, str] | None:
    """Size and signed note of the newest checkpoint."""
    query = select(checkpoints.c.size, checkpoints.c.note).order_by(checkpoints.c.size.desc()).limit(1)
    found = connection.execute(query).first()
    return None if found is None else (found.size, found.note)


def entries(connection: Connection, kind: str, before: int | None, limit: int) -> list[dict[str, object]]:
    """Changes in the tree, newest first: leaf, at, kind, actor, content. `kind` empty means all."""
    query = select(audit_entries).order_by(audit_entries.c.leaf.desc()).limit(limit)
    if kind:
        query = query.where(audit_entries.c.kind == kind)
    if before is not None:
        query = query.where(audit_entries.c.leaf < before)
    return [dict(one) for one in connection.execute(query).mappings()]


def entries_after(connection: Connection, leaf: int, limit: int) -> list[dict[str, object]]:
    """Changes in the tree after a leaf, oldest first."""
    query = select(audit_entries).where(audit_entries.c.leaf > leaf).order_by(audit_entries.c.leaf).limit(limit)
    return [dict(one) for one in connection.execute(query).mappings()]


def entry_at(connection: Connection, leaf: int) -> tuple[float, str, str, str, int] | None:
    """Time, kind, actor, content and form of the change at a leaf."""
    found = connection.execute(select(audit_entries).where(audit_entries.c.leaf == leaf)).first()
    return None if found is None else (found.at, found.kind, found.actor, found.content, found.form)


class Leaves(msgspec.Struct, frozen=True):
    """Rows of a span of leaves: calls with their attempts, changes, intents; `astray` are attempts without a call."""

    calls: list[tuple[Row, list[Row]]]
    changes: list[Row]
    intents: list[Row]
    astray: list[int]


def leaves_between(connection: Connection, first: int, end: int) -> Leaves:
    """What stands at the leaves `[first, end)`, in storage form. Raises SQLAlchemyError where rows cannot be read."""
    tried: dict[int, list[Row]] = {}
    for one in _span(connection, attempts, first, end):
        tried.setdefault(one["leaf"], []).append(one)
    for rows in tried.values():
        rows.sort(key=itemgetter("number"))
    return Leaves(
        calls=[(one, tried.pop(one["leaf"], [])) for one in _span(connection, calls, first, end)],
        changes=_span(connection, audit_entries, first, end),
        intents=_span(connection, audit_intents, first, end),
        astray=sorted(tried),
    )


def _span(connection: Connection, table: Table, first: int, end: int) -> list[Row]:
    # Booleans as they lie, so that a 3 does not pass for a true.
    columns = [type_coerce(one, Integer).label(one.name) if isinstance(one.type, Boolean) else one for one in table.c]
    flags = [one.name for one in table.c if isinstance(one.type, Boolean)]
    query = select(*columns).where(table.c.leaf >= first, table.c.leaf < end).order_by(table.c.leaf)
    found = [dict(one) for one in connection.execute(query).mappings()]
    for row in found:
        for name in flags:
            row[name] = {0: False, 1: True}.get(row[name], row[name])
    return found


def last_leaf(connection: Connection) -> int:
    """The highest leaf any row claims; -1 where there is none."""
    found = [connection.execute(select(func.max(one.c.leaf))).scalar() for one in (calls, audit_entries, audit_intents)]
    return max((one for one in found if one is not None), default=-1)


def stored_tiles(connection: Connection) -> dict[tuple[int, int], bytes]:
    """Every tile, by level and number."""
    return {(one.level, one.number): one.hashes for one in connection.execute(select(audit_tiles))}


def all_checkpoints(connection: Connection) -> list[Row]:
    """Every checkpoint, smallest first: size, at, root, note."""
    return [dict(one) for one in connection.execute(select(checkpoints).order_by(checkpoints.c.size)).mappings()]


def erasures(connection: Connection, kind: str) -> list[tuple[int | None, str]]:
    """Leaf (None while it waits) and content of every logged change of a kind, oldest first."""
    logged = select(audit_entries.c.leaf, audit_entries.c.content).where(audit_entries.c.kind == kind)
    waiting = select(audit_queue.c.content).where(audit_queue.c.kind == kind).order_by(audit_queue.c.id)
    found: list[tuple[int | None, str]] = [
        (one.leaf, one.content) for one in connection.execute(logged.order_by(audit_entries.c.leaf))
    ]
    return found + [(None, one) for one in connection.execute(waiting).scalars()]


def waiting(connection: Connection) -> int:
    """How many changes wait for the writer."""
    return int(connection.execute(select(func.count()).select_from(audit_queue)).scalar_one())


def pending_epochs(connection: Connection) -> list[str]:
    """Epochs with open calls in the tables."""
    return sorted(connection.execute(select(pending.c.epoch).distinct()).scalars())


def lost_calls(connection: Connection) -> list[bytes]:
    """Calls whose gateway did not live to tell their outcome, in order."""
    query = select(calls.c.id).where(text("calls.outcome <> 'ok'"), calls.c.outcome == "lost").order_by(calls.c.leaf)
    return list(connection.execute(query).scalars())


def intents_without_call(connection: Connection) -> list[tuple[int, bytes]]:
    """Leaf and call of every intent whose call has not ended, in order."""
    query = select(audit_intents.c.leaf, audit_intents.c.call).outerjoin(calls, calls.c.id == audit_intents.c.call)
    found = connection.execute(query.where(calls.c.id.is_(None)).order_by(audit_intents.c.leaf))
    return [(one.leaf, one.call) for one in found]
