"""Two figures that plans of this kind are often sold with, made again from rows, and labelled for what they are. Pure.

A usage-weighted list price of closed and of open models is no cost of self-hosting. What a customer can save by moving
depends on the quality that is required: a curve from their own measurements, never one number.
"""

from __future__ import annotations

import csv
import statistics
from collections.abc import Iterable, Sequence
from datetime import date
from pathlib import Path

import msgspec

from freehold.planner import book
from freehold.planner.contract import Contract
from freehold.planner.errors import PlanError
from freehold.planner.prices import quote

CLOSED = ("anthropic", "cohere", "openai", "x-ai")
"""Makers that serve closed models alone, or nearly."""
OPEN = ("avian", "cerebras", "deepseek", "fireworks", "groq", "novita", "ovhcloud", "together")
"""Hosts of open models."""
BLEND = (3.0, 1.0)
"""Tokens in for tokens out, where no usage weighs them: the convention of price comparisons."""
LOSSES = (0.0, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3)
"""Quality that may be lost against the incumbent, at which the curve is drawn."""


class Weight(msgspec.Struct, frozen=True, kw_only=True):
    """How much a model is used."""

    model: str
    """`provider/model`."""
    open: bool
    input: float
    output: float


class Seed(msgspec.Struct, frozen=True, kw_only=True):
    """List prices in US dollars per million tokens."""

    closed: float
    open: float
    lower_by: float
    """Share by which the open price lies below the closed one."""
    what: str
    """What these figures are, and what they are not."""
    models_closed: int
    models_open: int
    as_of: str
    source: str


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """One target on one workflow."""

    workflow: str
    target: str
    quality: float
    """In [0, 1]."""
    cost_call: float
    """US dollars."""
    calls: float
    """A month."""
    incumbent: bool


class Point(msgspec.Struct, frozen=True, kw_only=True):
    """What is saved where so much quality may be lost on every workflow."""

    loss: float
    saving: float
    """Share of what is spent now."""
    monthly: float
    """US dollars."""
    moved: int
    """Workflows that change their target."""
    quality: float
    """Mean over all calls, then."""


_NOTE = "list prices at hosts and vendors; not the cost of self-hosting, and not a saving: quality is not compared"


def weighted(weights: Sequence[Weight], when: date, source: str) -> Seed:
    """Usage-weighted list prices. Raises Unpriced for a model without a price, PlanError where a side has no usage."""
    sides: dict[bool, list[tuple[float, float]]] = {True: [], False: []}
    for one in weights:
        found = quote(one.model, when, Contract())
        cost = (one.input * found.input.p50 + one.output * found.output.p50) / 1e6
        sides[one.open].append((cost, (one.input + one.output) / 1e6))
    if not sides[True] or not sides[False]:
        raise PlanError("the usage needs closed and open models both", param="open")
    closed, opened = (
        sum(cost for cost, _ in side) / sum(mega for _, mega in side) for side in (sides[False], sides[True])
    )
    return Seed(
        closed=closed,
        open=opened,
        lower_by=1.0 - opened / closed,
        what=f"weighted by the usage of {source}; {_NOTE}",
        models_closed=len(sides[False]),
        models_open=len(sides[True]),
        as_of=when.isoformat(),
        source=source,
    )


def unweighted(when: date) -> Seed:
    """Medians over the book, three tokens in for one out: what a price list alone says."""
    closed, opened, source = [], [], ""
    for one in book.everything(when):
        if not one.input or not one.output:
            continue
        blended = (one.input * BLEND[0] + one.output * BLEND[1]) / sum(BLEND)
        source = one.source
        if one.provider in CLOSED:
            closed.append(blended)
        elif one.provider in OPEN:
            opened.append(blended)
    middle, other = statistics.median(closed), statistics.median(opened)
    return Seed(
        closed=middle,
        open=other,
        lower_by=1.0 - other / middle,
        what=f"medians of the price list, no usage in them, three tokens in for one out; {_NOTE}",
        models_closed=len(closed),
        models_open=len(opened),
        as_of=when.isoformat(),
        source=source,
    )


def reallocation(measured: Iterable[Measured]) -> tuple[Point, ...]:
    """The saving over the quality that may be lost: each workflow goes to its cheapest target that is good enough.

    Raises PlanError where a workflow has no incumbent.
    """
    works: dict[str, list[Measured]] = {}
    for one in measured:
        works.setdefault(one.workflow, []).append(one)
    now = {name: next((one for one in found if one.incumbent), None) for name, found in works.items()}
    for name, incumbent in now.items():
        if incumbent is None:
            raise PlanError(f"{name} has no incumbent", param="incumbent")
    spent = sum(one.cost_call * one.calls for one in now.values() if one is not None)
    calls = sum(one.calls for one in now.values() if one is not None)
    if spent <= 0 or calls <= 0:
        raise PlanError("the incumbents cost nothing: there is nothing to save", param="cost_call")
    points = []
    for loss in LOSSES:
        chosen = {name: _cheapest(found, now[name], loss) for name, found in works.items()}
        cost = sum(chosen[name].cost_call * one.calls for name, one in now.items() if one is not None)
        quality = sum(chosen[name].quality * one.calls for name, one in now.items() if one is not None) / calls
        points.append(
            Point(
                loss=loss,
                saving=1.0 - cost / spent,
                monthly=spent - cost,
                moved=sum(not one.incumbent for one in chosen.values()),
                quality=quality,
            )
        )
    return tuple(points)


def _cheapest(found: Sequence[Measured], now: Measured | None, loss: float) -> Measured:
    assert now is not None
    good = [one for one in found if one.incumbent or one.quality >= now.quality - loss - 1e-12]
    return min(good, key=lambda one: (one.cost_call, not one.incumbent, one.target))


def read_weights(path: Path) -> tuple[Weight, ...]:
    """CSV: model, kind (closed or open), input_tokens, output_tokens. Raises PlanError naming row and field."""
    return tuple(
        Weight(
            model=row["model"],
            open=_one_of(place, "kind", row["kind"], ("closed", "open")) == "open",
            input=_number(place, "input_tokens", row["input_tokens"]),
            output=_number(place, "output_tokens", row["output_tokens"]),
        )
        for place, row in table(path, ("model", "kind", "input_tokens", "output_tokens"))
    )


def read_measured(path: Path) -> tuple[Measured, ...]:
    """CSV: workflow, target, quality, cost_call, calls, incumbent (yes or no). Raises PlanError."""
    return tuple(
        Measured(
            workflow=row["workflow"],
            target=row["target"],
            quality=_number(place, "quality", row["quality"], most=1.0),
            cost_call=_number(place, "cost_call", row["cost_call"]),
            calls=_number(place, "calls", row["calls"]),
            incumbent=_one_of(place, "incumbent", row["incumbent"], ("no", "yes")) == "yes",
        )
        for place, row in table(path, ("workflow", "target", "quality", "cost_call", "calls", "incumbent"))
    )


def table(path: Path, names: Sequence[str]) -> list[tuple[str, dict[str, str]]]:
    """Rows of a CSV file with their place, all of `names` in each. Raises PlanError naming what is missing."""
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        missing = [name for name in names if name not in (reader.fieldnames or ())]
        if missing:
            raise PlanError(
                f"{path}: no column {', '.join(missing)}", hint=f"it needs {', '.join(names)}", param=missing[0]
            )
        rows = [(f"{path}: row {number}", row) for number, row in enumerate(reader, start=1)]
    if not rows:
        raise PlanError(f"{path}: no row in it", param=names[0])
    for place, row in rows:
        empty = next((name for name in names if row[name] in (None, "")), None)
        if empty:
            raise PlanError(f"{place}: {empty} is empty", param=empty)
    return rows


def _number(place: str, field: str, text: str, most: float = float("inf")) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not 0.0 <= value <= most or value == float("inf"):
        raise PlanError(f"{place}: {field} is {text!r}", param=field)
    return value


def _one_of(place: str, field: str, text: str, known: Sequence[str]) -> str:
    if text not in known:
        raise PlanError(f"{place}: {field} is {text!r}, none of {', '.join(known)}", param=field)
    return text
