"""The gap between the best rented and the best owned or open model over time, from scorecards and dated rows. Pure.

Invariant: nothing is extrapolated. A day on which nothing was measured shows what was the best until then.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from pathlib import Path

import msgspec

from freehold.planner.contract import Contract
from freehold.planner.errors import PlanError, Unpriced
from freehold.planner.facts import rows
from freehold.planner.observed import Observed
from freehold.planner.prices import quote
from freehold.planner.seed import BLEND, table

COLUMNS = ("task", "model", "open", "released", "quality", "source", "as_of")
CERTAINTIES = ("", "first-hand", "by name", "second-hand")
"""Of a day: its maker says it; it stands in the model's name, which may be days before; somebody else says it."""
_DAYS_A_MONTH = 30.4375


class Dated(msgspec.Struct, frozen=True, kw_only=True):
    """One model's quality on one task, from a day on."""

    task: str
    model: str
    open: bool
    """Owned, or with open weights."""
    day: str
    """From which it could be had, or on which it was measured; YYYY-MM-DD."""
    quality: float
    cost: float | None
    """US dollars: a call on a workflow, a million tokens (three in for one out) on a public task."""
    source: str


class Step(msgspec.Struct, frozen=True):
    """The best of both sides from a day on; None while a side has none."""

    day: str
    rented: float | None
    rented_model: str
    open: float | None
    open_model: str


class Gap(msgspec.Struct, frozen=True, kw_only=True):
    """One task."""

    task: str
    unit: str
    """Of `rented_cost` and `open_cost`."""
    steps: tuple[Step, ...]
    gap: float | None
    """Best rented less best open, now; at or below the margin it is closed."""
    closed_on: str
    """The first day since which it stayed closed; empty where it is open, or a side has no measurement."""
    rented_cost: float | None
    open_cost: float | None
    """Of the cheapest open model within the margin."""
    open_choice: str
    waiting: float | None
    """US dollars a month that staying costs; None where prices or volume are unknown, or the gap is open."""
    waited: float | None
    """US dollars since it closed, at today's volume and prices."""


def gaps(
    found: Iterable[Dated], margin: float, today: date, calls: Mapping[str, float] | None = None
) -> tuple[Gap, ...]:
    """Every task by name. `calls` a month by task, for what waiting costs."""
    tasks: dict[str, list[Dated]] = {}
    for one in found:
        tasks.setdefault(one.task, []).append(one)
    volumes = calls or {}
    return tuple(_gap(name, mine, margin, today, volumes.get(name)) for name, mine in sorted(tasks.items()))


def _gap(task: str, found: Sequence[Dated], margin: float, today: date, calls: float | None) -> Gap:
    ordered = sorted((one for one in found if one.day <= today.isoformat()), key=lambda one: (one.day, one.model))
    steps: list[Step] = []
    closed_on = ""
    rented: Dated | None = None
    best: Dated | None = None
    for day in dict.fromkeys(one.day for one in ordered):
        for one in (each for each in ordered if each.day == day):
            if one.open:
                best = one if best is None or one.quality > best.quality else best
            else:
                rented = one if rented is None or one.quality > rented.quality else rented
        steps.append(_step(day, rented, best))
        closed = rented is not None and best is not None and best.quality >= rented.quality - margin - 1e-12
        closed_on = (closed_on or day) if closed else ""
    gap = None if rented is None or best is None else rented.quality - best.quality
    choice = _choice(ordered, rented, margin) if closed_on else None
    waiting = _waiting(rented, choice, calls)
    months = (today - date.fromisoformat(closed_on)).days / _DAYS_A_MONTH if closed_on else 0.0
    return Gap(
        task=task,
        unit="US dollars a call" if calls is not None else "US dollars per million tokens",
        steps=tuple(steps),
        gap=gap,
        closed_on=closed_on,
        rented_cost=None if rented is None else rented.cost,
        open_cost=None if choice is None else choice.cost,
        open_choice="" if choice is None else choice.model,
        waiting=waiting,
        waited=None if waiting is None else waiting * months,
    )


def _step(day: str, rented: Dated | None, best: Dated | None) -> Step:
    return Step(
        day,
        None if rented is None else rented.quality,
        "" if rented is None else rented.model,
        None if best is None else best.quality,
        "" if best is None else best.model,
    )


def _choice(found: Sequence[Dated], rented: Dated | None, margin: float) -> Dated | None:
    """The cheapest open model that is good enough; one without a price only where none has one."""
    if rented is None:
        return None
    good = [one for one in found if one.open and one.quality >= rented.quality - margin - 1e-12]
    return min(good, key=lambda one: (one.cost is None, one.cost or 0.0, -one.quality, one.model), default=None)


def _waiting(rented: Dated | None, choice: Dated | None, calls: float | None) -> float | None:
    if rented is None or choice is None or calls is None or rented.cost is None or choice.cost is None:
        return None
    return (rented.cost - choice.cost) * calls


def public(path: Path | None = None) -> tuple[Dated, ...]:
    """Dated rows that come with Freehold, or those of a file of the same columns. Raises PlanError naming the row."""
    placed = [(f"scores.csv: row {at}", row) for at, row in enumerate(rows("scores"), 1)]
    return tuple(_dated(place, row) for place, row in (placed if path is None else table(path, COLUMNS)))


def _dated(place: str, row: Mapping[str, str]) -> Dated:
    try:
        quality, day = float(row["quality"]), date.fromisoformat(row["released"])
    except ValueError as error:
        raise PlanError(f"{place}: {error}", param="quality or released") from None
    if not 0.0 <= quality <= 1.0:
        raise PlanError(f"{place}: quality is {row['quality']}, not between 0 and 1", param="quality")
    if (row.get("certainty") or "") not in CERTAINTIES:
        known = ", ".join(CERTAINTIES[1:])
        raise PlanError(f"{place}: certainty is {row['certainty']!r}, none of {known}", param="certainty")
    if row["open"] not in ("no", "yes"):
        raise PlanError(f"{place}: open is {row['open']!r}, neither yes nor no", param="open")
    return Dated(
        task=row["task"],
        model=row["model"],
        open=row["open"] == "yes",
        day=day.isoformat(),
        quality=quality,
        cost=_list_price(row.get("priced_as") or "", day),
        source=f"{row['source']}, {row['as_of']}{_dated_by(row)}",
    )


def _dated_by(row: Mapping[str, str]) -> str:
    """Where the day stands, for rows that say it, and whether its maker says so itself."""
    told, sure = row.get("released_source"), row.get("certainty") or ""
    return f"; out since{f' ({sure})' if sure else ''}: {told}" if told else ""


def _list_price(model: str, day: date) -> float | None:
    """Three tokens in for one out, at the day's list price; None where the book has none."""
    if not model:
        return None
    try:
        found = quote(model, day, Contract())
    except Unpriced:
        return None
    return (found.input.p50 * BLEND[0] + found.output.p50 * BLEND[1]) / sum(BLEND)


def measured(workflows: Iterable[Observed], costs: Mapping[str, float]) -> tuple[Dated, ...]:
    """What an instance's scorecards say; `costs` of a call now, by workflow, are the incumbents'."""
    found = []
    for workflow in workflows:
        for one in workflow.scores:
            found.append(
                Dated(
                    task=workflow.name,
                    model=one.target,
                    open=one.open,
                    day=one.day,
                    quality=one.quality,
                    cost=one.cost_call,
                    source=one.run,
                )
            )
            found.append(
                Dated(
                    task=workflow.name,
                    model=workflow.now or "the incumbent",
                    open=False,
                    day=one.day,
                    quality=one.incumbent_quality,
                    cost=costs.get(workflow.name),
                    source=f"{one.run}, beside {one.target}",
                )
            )
    return tuple(found)
