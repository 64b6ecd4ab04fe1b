"""SQL of findings: sums by the hour, which the writer adds to, and the newest calls that hold one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, func, select

from freehold.core.db import upsert
from freehold.core.ids import as_text
from freehold.ledger.findings.rollup import SUMS
from freehold.ledger.intake.rows import Row
from freehold.ledger.tables import calls, guard_hours

NEWEST = 20_000
"""Calls that are looked through for examples: a bound on the time it takes, not a sample."""
_PINNED = "target:%"
"""Routes that are a target's name: Freehold's own rooms ask so, and what they ask was found in before."""


class Sums(msgspec.Struct, frozen=True, kw_only=True):
    """Of one guard on one side. Without a detector of all calls looked at; without a kind of those it failed on."""

    guard: str
    digest: str
    side: str
    detector: str
    kind: str
    calls: int
    findings: int
    failed: int
    refused: int
    """Calls that the guard refused on that side, whatever in them it was."""


class Example(msgspec.Struct, frozen=True, kw_only=True):
    """A call in which something was found. `at` in Unix seconds."""

    call: str
    at: float
    route: str
    target: str
    label: str
    outcome: str
    error: str
    guard: str
    count: int


def add(connection: Connection, rows: Sequence[Row]) -> None:
    """Add to the findings of hours."""
    upsert(connection, guard_hours, list(rows), add=SUMS)


def sums(connection: Connection, first: int, end: int, route: str = "") -> list[Sums]:
    """Of the hours from `first` to before `end`: of one route, else of all but Freehold's own questions."""
    table = guard_hours.c
    groups = (table.guard, table.digest, table.side, table.detector, table.kind)
    query = select(*groups, *(func.sum(table[name]).label(name) for name in SUMS))
    query = query.where(*_span(first, end, route)).group_by(*groups).order_by(*groups)
    return [_sums(one) for one in connection.execute(query).mappings()]


def over(connection: Connection, first: int, end: int, step: int, route: str = "") -> list[tuple[int, str, int]]:
    """Findings by detector for every `step` hours: the first hour of the step, the detector, how many.

    Rows of detector "" count the calls looked at on their way in.
    """
    table = guard_hours.c
    at = (table.hour - table.hour % step).label("at")
    looked = (table.detector == "") & (table.side == "request")
    counted = func.sum(table.findings), func.sum(table.calls)
    query = select(at, table.detector, *counted).where(*_span(first, end, route))
    query = query.where(looked | (table.kind != "")).group_by("at", table.detector).order_by("at", table.detector)
    return [(int(a), str(b), int(c if b else d)) for a, b, c, d in connection.execute(query)]


def examples(
    connection: Connection, side: str, detector: str, kind: str, limit: int, since: float
) -> tuple[list[Example], int]:
    """The newest calls since a time that hold such a finding, among the `NEWEST`; and how many were looked through."""
    last = connection.execute(select(func.max(calls.c.leaf))).scalar()
    if last is None:
        return [], 0
    first = max(-1, int(last) - NEWEST)
    name = f"{detector}/{kind}"
    table = calls.c
    query = select(table.id, table.at, table.route, table.target, table.label, table.outcome, table.error, table.scan)
    query = query.where(table.leaf > first, table.at >= since, table.scan.contains(f'"{name}"', autoescape=True))
    found: list[Example] = []
    for one in connection.execute(query.order_by(table.leaf.desc())).mappings():
        scan = msgspec.json.decode(one["scan"])
        count = scan.get(side, {}).get("found", {}).get(name, 0)
        if count:
            plain = {key: one[key] for key in ("at", "route", "target", "label", "outcome", "error")}
            found.append(Example(call=as_text("call", one["id"]), guard=scan["guard"], count=count, **plain))
        if len(found) == limit:
            break
    return found, int(last) - first


def _span(first: int, end: int, route: str) -> tuple[Any, ...]:
    table = guard_hours.c
    which = table.route == route if route else table.route.not_like(_PINNED)
    return (table.hour >= first, table.hour < end, which)


def _sums(row: Any) -> Sums:
    given: dict[str, Any] = {str(name): int(value) if name in SUMS else value for name, value in row.items()}
    return Sums(**given)
