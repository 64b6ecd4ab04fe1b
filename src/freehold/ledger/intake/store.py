"""SQL of the writer: what it loads, where it stands, and what epochs settled. Used inside its one transaction."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from decimal import Decimal

from sqlalchemy import Connection, delete, select

from freehold.core.db import insert_many, upsert
from freehold.core.money import ZERO
from freehold.ledger.intake.rollup import SUMS, by_day
from freehold.ledger.intake.rows import Row
from freehold.ledger.tables import attempts, calls, leases, pending, positions, spent, usage_days, usage_hours

_CHUNK = 500

Spending = dict[tuple[str, int], Decimal]
"""Dollars by budget and start of its period."""


def insert_calls(connection: Connection, rows: list[Row]) -> None:
    """Store ended calls. Raises IntegrityError where one is stored already."""
    insert_many(connection, calls, rows)


def insert_attempts(connection: Connection, rows: list[Row]) -> None:
    """Store the attempts of these calls."""
    insert_many(connection, attempts, rows)


def add_usage(connection: Connection, rows: list[Row]) -> None:
    """Add to the usage of hours."""
    upsert(connection, usage_hours, rows, add=SUMS)
    upsert(connection, usage_days, by_day(rows), add=SUMS)


def existing(connection: Connection, ids: Collection[bytes]) -> set[bytes]:
    """Which of these calls are stored already."""
    found: set[bytes] = set()
    wanted = list(ids)
    for at in range(0, len(wanted), _CHUNK):
        query = select(calls.c.id).where(calls.c.id.in_(wanted[at : at + _CHUNK]))
        found.update(connection.execute(query).scalars())
    return found


def subjects_of(connection: Connection, ids: Collection[bytes]) -> dict[bytes, str]:
    """Names of whom stored calls are about; of records too, where they are live calls."""
    found: dict[bytes, str] = {}
    wanted = list(ids)
    for at in range(0, len(wanted), _CHUNK):
        query = select(calls.c.id, calls.c.subject).where(calls.c.id.in_(wanted[at : at + _CHUNK]))
        found.update((one.id, one.subject) for one in connection.execute(query))
    return found


def read_positions(connection: Connection) -> dict[str, tuple[int, int]]:
    """Segment and offset by epoch."""
    return {one.epoch: (one.segment, one.offset) for one in connection.execute(select(positions))}


def write_position(connection: Connection, epoch: str, segment: int, offset: int) -> None:
    """All before it is stored."""
    row = {"epoch": epoch, "segment": segment, "offset": offset}
    upsert(connection, positions, [row], ("segment", "offset"))


def forget_position(connection: Connection, epoch: str) -> None:
    """The epoch's folder is gone."""
    connection.execute(delete(positions).where(positions.c.epoch == epoch))


def read_pending(connection: Connection, epoch: str) -> list[tuple[bytes, bytes]]:
    """Open calls of an epoch and their frames."""
    query = select(pending.c.call, pending.c.frames).where(pending.c.epoch == epoch)
    return [(one.call, one.frames) for one in connection.execute(query)]


def write_pending(connection: Connection, epoch: str, write: list[tuple[bytes, bytes]], gone: list[bytes]) -> None:
    """Calls that are open now, and calls that are open no more."""
    upsert(connection, pending, [{"call": one, "epoch": epoch, "frames": raw} for one, raw in write], ("frames",))
    for at in range(0, len(gone), _CHUNK):
        connection.execute(delete(pending).where(pending.c.call.in_(gone[at : at + _CHUNK])))


def spending_of(loaded: Iterable[tuple[tuple[str, ...], Decimal]]) -> Spending:
    """Sum costs by the leases that calls drew on (`budget@period_start`)."""
    total: Spending = {}
    for names, amount in loaded:
        for name in names:
            budget, _, start = name.rpartition("@")
            key = (budget, int(start))
            total[key] = total.get(key, ZERO) + amount
    return total


def settle(connection: Connection, epoch: str, spending: Spending) -> None:
    """Add what calls of this epoch cost to its leases."""
    rows = []
    for (budget, start), amount in spending.items():
        query = select(leases.c.granted, leases.c.settled).where(
            leases.c.epoch == epoch, leases.c.budget == budget, leases.c.period_start == start
        )
        held = connection.execute(query).first()
        granted, settled = ("0", ZERO) if held is None else (held.granted, Decimal(held.settled))
        row = {"epoch": epoch, "budget": budget, "period_start": start, "granted": granted}
        rows.append({**row, "settled": str(settled + amount)})
    upsert(connection, leases, rows, ("settled",))


def close_epoch(connection: Connection, epoch: str, *, lost: bool = False) -> None:
    """The epoch is over and all of it is stored: its leases become what its calls cost.

    Where the rest of it is `lost`, what its calls cost is not known: all that it held counts.
    """
    for held in connection.execute(select(leases).where(leases.c.epoch == epoch)).all():
        key = (spent.c.budget == held.budget) & (spent.c.period_start == held.period_start)
        before = connection.execute(select(spent.c.amount).where(key)).scalar()
        cost = max(Decimal(held.settled), Decimal(held.granted)) if lost else Decimal(held.settled)
        amount = cost + (ZERO if before is None else Decimal(before))
        row = {"budget": held.budget, "period_start": held.period_start, "amount": str(amount)}
        upsert(connection, spent, [row], ("amount",))
    connection.execute(delete(leases).where(leases.c.epoch == epoch))


def leased_epochs(connection: Connection) -> set[str]:
    """Epochs that hold leases."""
    return set(connection.execute(select(leases.c.epoch).distinct()).scalars())
