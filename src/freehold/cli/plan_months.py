"""Whole months after a cut-over, for `freehold plan actual`: out of the ledger's days, or out of a file."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from freehold.cli.place import Place
from freehold.planner.actual import Month
from freehold.planner.errors import PlanError
from freehold.planner.seed import table

DAYS = 30.4375
"""Of a month, so that months are alike."""
COLUMNS = ("month", "workflow", "calls", "input_tokens", "output_tokens", "cost")


def from_ledger(place: Place, start: date, today: date) -> list[Month]:
    """What callers' calls cost in each whole month since `start`, by workflow."""
    begin = datetime(start.year, start.month, start.day, tzinfo=UTC).timestamp()
    rows = place.client().get("/api/usage", by=["workflow", "day"], since=begin)
    return whole([one for one in rows if not one["own"]], start, today)


def whole(rows: list[dict[str, Any]], start: date, today: date) -> list[Month]:
    """Days summed up to months; the one that is not over is left out."""
    over = int((today - start).days / DAYS)
    found: dict[tuple[str, int], list[float]] = {}
    for one in rows:
        day = date.fromisoformat(one["group"][1])
        month = int((day - start).days / DAYS)
        if 0 <= month < over:
            sums = found.setdefault((one["names"][0], month), [0.0, 0.0, 0.0, 0.0])
            usage = one["usage"]
            cost = float(Decimal(one["cost"]))
            for at, value in enumerate((one["calls"], usage.get("input", 0), usage.get("output", 0), cost)):
                sums[at] += value
    return [
        Month(workflow=name, month=month, calls=calls, input=into, output=out, cost=cost)
        for (name, month), (calls, into, out, cost) in sorted(found.items())
    ]


def from_usage(path: Path) -> list[Month]:
    """CSV: month (from 1), workflow, calls, input_tokens, output_tokens, cost. Raises PlanError naming the row."""
    found = []
    for place, row in table(path, COLUMNS):
        try:
            calls, into, out, cost = (float(row[name]) for name in COLUMNS[2:])
            month = int(row["month"]) - 1
        except ValueError as error:
            raise PlanError(f"{place}: {error}", param=place) from None
        if min(calls, into, out, cost, month) < 0:
            raise PlanError(f"{place}: no figure of it may be negative, and months count from 1", param=place)
        found.append(Month(workflow=row["workflow"], month=month, calls=calls, input=into, output=out, cost=cost))
    return found
