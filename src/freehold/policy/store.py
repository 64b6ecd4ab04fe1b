"""SQL of the budget authority: what epochs hold of a budget, and what those that are over have spent."""

from __future__ import annotations

from decimal import Decimal

import msgspec
from sqlalchemy import Connection, select

from freehold.core.db import upsert
from freehold.core.money import ZERO
from freehold.ledger.tables import leases, spent


class Held(msgspec.Struct, frozen=True):
    """One budget in one period. Dollars."""

    spent: Decimal
    """By epochs that are over, all of whose calls are stored."""
    granted: dict[str, Decimal]
    """By epoch that may still spend it."""
    settled: dict[str, Decimal]
    """What those epochs' ended calls cost so far."""


def held(connection: Connection, budget: str, period_start: int) -> Held:
    """What stands against a budget."""
    gone = connection.execute(
        select(spent.c.amount).where(spent.c.budget == budget, spent.c.period_start == period_start)
    ).scalar()
    rows = connection.execute(
        select(leases.c.epoch, leases.c.granted, leases.c.settled).where(
            leases.c.budget == budget, leases.c.period_start == period_start
        )
    ).all()
    return Held(
        spent=ZERO if gone is None else Decimal(gone),
        granted={one.epoch: Decimal(one.granted) for one in rows},
        settled={one.epoch: Decimal(one.settled) for one in rows},
    )


def set_granted(connection: Connection, epoch: str, budget: str, period_start: int, granted: Decimal) -> None:
    """Write down what an epoch holds, all grants less all returns."""
    row = {"epoch": epoch, "budget": budget, "period_start": period_start, "granted": str(granted), "settled": "0"}
    upsert(connection, leases, [row], ("granted",))
