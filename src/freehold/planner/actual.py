"""A plan against what happened after cut-over, month by month, and the plan made anew with what was learned. Pure.

Invariant: only whole months are compared, and a re-fit narrows no assumption that the months say nothing about.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec
import numpy as np

from freehold.planner.assumptions import Assumption
from freehold.planner.draws import quantiles
from freehold.planner.errors import PlanError
from freehold.planner.money import currency
from freehold.planner.plan import Inputs, Plan, Planned, scene_of
from freehold.planner.report.words import counted
from freehold.planner.streams import Scene, Stream, streams
from freehold.planner.types import OptionKind, Range

LEAST_FOR_GROWTH = 3
"""Months from which a growth is fitted."""
_Z90 = 1.2815515655446004
_OWNED = ("self_hosted", "hybrid")


class Month(msgspec.Struct, frozen=True, kw_only=True):
    """What the ledger says of one workflow in one whole month, counted from 0 at the cut-over."""

    workflow: str
    month: int
    calls: float
    input: float
    output: float
    cost: float
    """US dollars."""


class Compared(msgspec.Struct, frozen=True, kw_only=True):
    """One month of one workflow, planned and real. Money in the plan's currency."""

    workflow: str
    month: int
    calls_planned: Range
    calls: float
    cost_planned: Range
    cost: float
    calls_inside: bool
    """Between P10 and P90 of the plan."""
    cost_inside: bool


class Learned(msgspec.Struct, frozen=True, kw_only=True):
    """What the months say of one workflow, against what was planned."""

    workflow: str
    months: int
    level: float
    """Calls against the plan's median, over all months."""
    growth: Range | None
    """A year; None with too few months."""
    output_ratio: float
    """Output tokens of a call against the trace's."""
    cost_ratio: float
    """Cost against the plan's median."""


class Actual(msgspec.Struct, frozen=True, kw_only=True):
    """The whole comparison."""

    option: dict[str, OptionKind]
    months: tuple[Compared, ...]
    learned: tuple[Learned, ...]
    inside: float
    """Share of months whose cost the plan's range held; a sound plan holds eight in ten."""


def compare(plan: Plan, found: Sequence[Month], option: OptionKind | None = None) -> Actual:
    """Held against the advised option of each workflow, or `option`. Raises PlanError where nothing can be."""
    months: list[Compared] = []
    learned: list[Learned] = []
    options: dict[str, OptionKind] = {}
    for at, planned in enumerate(plan.workflows):
        mine = sorted((one for one in found if one.workflow == planned.name), key=lambda one: one.month)
        mine = [one for one in mine if 0 <= one.month < plan.inputs.months]
        if not mine:
            continue
        chosen = options[planned.name] = option or _advised(planned)
        scene = scene_of(plan.inputs, at, planned.share)
        stream = _stream(scene, planned, chosen)
        rows = [_month(scene, stream, one) for one in mine]
        months += rows
        learned.append(_learned(scene, mine, rows))
    if not months:
        raise PlanError("no whole month of a planned workflow is there yet", param="since")
    inside = sum(one.cost_inside for one in months) / len(months)
    return Actual(option=options, months=tuple(months), learned=tuple(learned), inside=inside)


def _advised(planned: Planned) -> OptionKind:
    decision = planned.decision
    return "nothing" if decision is None or decision.advice == "not_yet" else decision.option


def _stream(scene: Scene, planned: Planned, option: OptionKind) -> Stream:
    variant = next(one.best.variant for one in planned.options if one.best.option == option)
    return next(one for one in streams(scene) if one.option == option and one.variant == variant)


def _month(scene: Scene, stream: Stream, real: Month) -> Compared:
    rate = currency(scene)
    calls = quantiles(scene.volume()[:, real.month] * scene.work.demand.requests)
    cost = quantiles(stream.monthly[:, real.month] / rate)
    paid = real.cost / float(np.median(rate))
    return Compared(
        workflow=real.workflow,
        month=real.month,
        calls_planned=calls,
        calls=real.calls,
        cost_planned=cost,
        cost=paid,
        calls_inside=calls.p10 <= real.calls <= calls.p90,
        cost_inside=cost.p10 <= paid <= cost.p90,
    )


def _learned(scene: Scene, real: Sequence[Month], rows: Sequence[Compared]) -> Learned:
    demand = scene.work.demand
    calls = sum(one.calls for one in real)
    per_call = sum(one.output for one in real) / max(calls, 1e-9)
    return Learned(
        workflow=real[0].workflow,
        months=len(real),
        level=calls / max(sum(one.calls_planned.p50 for one in rows), 1e-9),
        growth=_growth(real),
        output_ratio=per_call / max(demand.output / max(demand.requests, 1e-9), 1e-9),
        cost_ratio=sum(one.cost for one in rows) / max(sum(one.cost_planned.p50 for one in rows), 1e-9),
    )


def _growth(real: Sequence[Month]) -> Range | None:
    """Least squares of log calls over months; the interval by the slope's standard error."""
    used = [one for one in real if one.calls > 0]
    if len(used) < LEAST_FOR_GROWTH:
        return None
    x = np.array([one.month for one in used], dtype=np.float64)
    y = np.log([one.calls for one in used])
    centred = x - x.mean()
    slope = float(centred @ y / (centred @ centred))
    rest = y - y.mean() - slope * centred
    spare = max(len(used) - 2, 1)
    error = math.sqrt(float(rest @ rest) / spare / float(centred @ centred))
    low, middle, high = (math.expm1(12.0 * (slope + z * error)) for z in (-_Z90, 0.0, _Z90))
    return Range(low, middle, high, f"{counted(len(used), 'month')} of the ledger")


def refit(plan: Plan, actual: Actual, as_of: str) -> Inputs:
    """The plan's inputs with what was learned: level by workflow, growth and tokens where the months tell them."""
    known = {one.workflow: one for one in actual.learned}
    works = tuple(
        msgspec.structs.replace(one, level=one.level * known[one.name].level) if one.name in known else one
        for one in plan.inputs.works
    )
    fitted = {one.name: one for one in plan.inputs.assumptions}
    growths = [one.growth for one in actual.learned if one.growth is not None]
    if growths:
        fitted["traffic_growth"] = _fitted(fitted["traffic_growth"], growths, as_of)
    ratios = [one.output_ratio for one in actual.learned if actual.option[one.workflow] in (*_OWNED, "hosted_open")]
    if ratios:
        spread = Range(min(ratios) * 0.95, sum(ratios) / len(ratios), max(ratios) * 1.05, "the ledger")
        fitted["output_ratio_open"] = _fitted(fitted["output_ratio_open"], [spread], as_of)
    return msgspec.structs.replace(plan.inputs, works=works, assumptions=tuple(fitted.values()))


def _fitted(before: Assumption, found: Sequence[Range], as_of: str) -> Assumption:
    low, high = min(one.p10 for one in found), max(one.p90 for one in found)
    base = sum(one.p50 for one in found) / len(found)
    low = max(low, -0.99) if before.unit == "share a year" else max(low, 0.0)
    source = f"re-fitted to {found[0].source}"
    return msgspec.structs.replace(
        before, low=low, base=max(base, low), high=max(high, base, low), source=source, as_of=as_of
    )
