"""SQL of the audit tree: tiles, entries, checkpoints, and the queue through which other processes speak to it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, delete, func, insert, select

from freehold.core.canonical import canonical
from freehold.core.db import insert_many, upsert
from freehold.ledger.audit.tiles import Tile, Tiles, Tree, load
from freehold.ledger.frames import Open
from freehold.ledger.receipts import FORM
from freehold.ledger.tables import audit_entries, audit_intents, audit_queue, audit_tiles, calls, checkpoints, pending

_HOUR = 3600


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
    connection.execute(insert(audit_entries), rows)
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
    size = 0
    for table in (calls, audit_entries, audit_intents):
        last = connection.execute(select(func.max(table.c.leaf))).scalar()
        size = size if last is None else max(size, last + 1)
    return load(size, tiles_in(connection))


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


def entry_at(connection: Connection, leaf: int) -> tuple[float, str, str, str, int] | None:
    """Time, kind, actor, content and form of the change at a leaf."""
    found = connection.execute(select(audit_entries).where(audit_entries.c.leaf == leaf)).first()
    return None if found is None else (found.at, found.kind, found.actor, found.content, found.form)
