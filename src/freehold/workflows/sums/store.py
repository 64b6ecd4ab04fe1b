"""SQL of records' sums: what a list of workflows is read from, so that a million records are not.

Invariant: the table holds exactly the sums of all records, or is empty. What is added is added to it; whatever else is
done to records empties it, and `settle` sums anew. While it is empty, records are summed as they are read.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import msgspec
from sqlalchemy import Connection, Select, and_, delete, func, insert, select

from freehold.core.db import upsert
from freehold.core.money import from_pico
from freehold.ledger.tables import calls
from freehold.workflows.records import LIVE, UNTIMED
from freehold.workflows.tables import record_sums, records

KEYS = ("assigned", "vendor", "model", "app", "owned", "live", "label")
TOKENS = ("input", "output", "cached", "cache_write")
ADDED = ("calls", "errors", "timed", "latency", *TOKENS, "cost_micro", "cost_pico")
_MICRO = 1_000_000
_FAILED = 400


class Sum(msgspec.Struct, frozen=True, kw_only=True):
    """Calls of one workflow on one model, with their tokens. `workflow` is empty for those of none."""

    workflow: str
    vendor: str
    model: str
    app: str
    owned: bool
    live: bool
    label: str
    calls: int
    errors: int
    first: float
    """0 where no call has a time of its own."""
    last: float
    input: int
    output: int
    cached: int
    cache_write: int
    latency: float | None
    """Mean, in seconds, of those whose latency is known."""
    timed: int
    """How many those are."""
    cost: Decimal
    """What live calls did cost, in US dollars; 0 for imported ones."""


def sums(connection: Connection, workflow: str = "") -> list[Sum]:
    """By workflow, model, application and label; of one workflow, or of all that have one."""
    mine = record_sums.c.assigned == workflow if workflow else record_sums.c.assigned != ""
    rows = connection.execute(select(record_sums).where(mine)).mappings().all()
    if not rows and _empty(connection):
        rows = connection.execute(_summed().where(_of(workflow))).mappings().all()
    return [_sum(one) for one in rows]


def add(connection: Connection, fresh: Iterable[bytes]) -> None:
    """Add records that were just written. Where sums of those before are missing, nothing is added."""
    ids = list(fresh)
    if not ids:
        return
    if _empty(connection):
        older = connection.execute(select(func.count()).select_from(records)).scalar_one() > len(ids)
        if older:
            return
    rows = [_plain(one) for one in connection.execute(_summed().where(records.c.id.in_(ids))).mappings()]
    for row in rows:
        before = connection.execute(select(record_sums).where(_same(row))).mappings().first()
        if before is not None:
            row["first"] = min((one for one in (row["first"], before["first"]) if one), default=0.0)
            row["last"] = max(row["last"], before["last"])
            for name in ADDED:
                row[name] += before[name]
    upsert(connection, record_sums, rows, (*ADDED, "first", "last"))


def clear(connection: Connection) -> None:
    """Records were changed: their sums are to be made anew."""
    connection.execute(delete(record_sums))


def settle(connection: Connection) -> bool:
    """Sum anew where that is due; True where it was. Within the transaction that holds the write lock."""
    if not _empty(connection) or connection.execute(select(records.c.id).limit(1)).first() is None:
        return False
    columns = (*KEYS, *ADDED, "first", "last")
    summed = _summed().subquery()
    connection.execute(insert(record_sums).from_select(columns, select(*(summed.c[name] for name in columns))))
    return True


def due(connection: Connection) -> bool:
    """Is there something to settle?"""
    return _empty(connection) and connection.execute(select(records.c.id).limit(1)).first() is not None


def _empty(connection: Connection) -> bool:
    return connection.execute(select(record_sums.c.assigned).limit(1)).first() is None


def _summed() -> Select[Any]:
    """Sums of records as the table has them."""
    live = (records.c.source == LIVE).label("live")
    by = (*(records.c[name] for name in KEYS if name != "live"), live)
    cost = func.coalesce(calls.c.cost, 0)
    timed = records.c.at >= UNTIMED
    return (
        select(
            *by,
            func.count().label("calls"),
            func.count().filter(records.c.status >= _FAILED).label("errors"),
            func.count(records.c.latency).label("timed"),
            func.coalesce(func.sum(records.c.latency), 0.0).label("latency"),
            *(func.sum(records.c[name]).label(name) for name in TOKENS),
            func.sum(cost // _MICRO).label("cost_micro"),
            func.sum(cost % _MICRO).label("cost_pico"),
            func.coalesce(func.min(records.c.at).filter(timed), 0.0).label("first"),
            func.max(records.c.at).label("last"),
        )
        .select_from(records.outerjoin(calls, and_(calls.c.id == records.c.id, records.c.source == LIVE)))
        .group_by(*by[:-1], "live")  # by name: databases compare no expressions
    )


def _of(workflow: str) -> Any:
    return records.c.assigned == workflow if workflow else records.c.assigned != ""


def _same(row: dict[str, Any]) -> Any:
    return and_(*(record_sums.c[name] == row[name] for name in KEYS))


def _plain(row: Any) -> dict[str, Any]:
    """A row with whole numbers as such: some databases sum them as decimals."""
    return {str(name): int(value) if name in ADDED and name != "latency" else value for name, value in row.items()}


def _sum(row: Any) -> Sum:
    plain = {name: row[name] for name in (*KEYS[1:], "calls", "errors", "timed", *TOKENS)}
    return Sum(
        workflow=row["assigned"],
        **{**plain, "owned": bool(row["owned"]), "live": bool(row["live"])},
        first=float(row["first"]),
        last=float(row["last"]),
        latency=row["latency"] / row["timed"] if row["timed"] else None,
        cost=from_pico(int(row["cost_micro"]) * _MICRO + int(row["cost_pico"])),
    )
