"""What the figures of a plan rest on: how many calls in how long, and whether that makes a month. Pure.

Invariant: what rests on too little states no saving, whatever the draws say; its costs are marked as stretched.
"""

from __future__ import annotations

import msgspec

from freehold.planner.money import Outcome
from freehold.planner.options import Choice
from freehold.planner.types import Range
from freehold.planner.work import MONTH_SECONDS, Demand

LEAST_CALLS = 100
"""Below it one long prompt more or less is another price."""
LEAST_SECONDS = 1800.0
"""Below it a month is the span times 1,461 and more: a burst or a pause decides everything."""
DAY_SECONDS = 86400.0
"""Of traffic, before any move is advised: so that a night is in it."""


class Rests(msgspec.Struct, frozen=True, kw_only=True):
    """Of one workflow, or of all together."""

    calls: int
    """Of the trace itself."""
    span_seconds: float
    """Of the trace itself."""
    enough: bool
    """False where no saving is stated."""
    words: str
    """In one sentence."""
    measure: str = ""
    """What would decide, where it is not enough."""


def rests(demand: Demand) -> Rests:
    """Of a month that was made of a trace."""
    calls, span = round(demand.requests * demand.span_seconds / MONTH_SECONDS), demand.span_seconds
    times = MONTH_SECONDS / span
    words = f"the figures rest on {_calls(calls)} in {lasting(span)}"
    if times > 1.5:
        words += f", stretched {times:,.0f} times to a month"
    enough = calls >= LEAST_CALLS and span >= LEAST_SECONDS
    if enough:
        return Rests(calls=calls, span_seconds=span, enough=True, words=words)
    measure = f"the traffic itself: let calls be recorded for seven days, {LEAST_CALLS} calls at the least"
    return Rests(calls=calls, span_seconds=span, enough=False, words=words, measure=measure)


REPEATED = 0.1
"""Share of rows that are the same as another from which a log may have been written twice."""
SILENT = 0.2
"""Of the span without a call, and two days, from which a part of the log may be missing."""


def doubts(demand: Demand) -> list[str]:
    """What in a trace may be the log's fault and not the traffic's, in words."""
    found = []
    if demand.repeated >= REPEATED:
        found.append(
            f"{demand.repeated:.0%} of the calls are the same as another in time and tokens: was a log read twice?"
        )
    if demand.silent_seconds >= max(SILENT * demand.span_seconds, 2 * DAY_SECONDS):
        found.append(
            f"no call in {lasting(demand.silent_seconds)} of {lasting(demand.span_seconds)}: the month is thinned by "
            "that; is a part of the log missing?"
        )
    return found


def lasting(seconds: float) -> str:
    """How long, in the unit that suits it."""
    if seconds <= 1.0:
        return "a second or less"
    units = (("day", DAY_SECONDS, 2.0), ("hour", 3600.0, 2.0), ("minute", 60.0, 1.0))
    unit, size = next(((name, one) for name, one, least in units if seconds >= least * one), ("second", 1.0))
    number = seconds / size
    said = f"{number:.1f}".removesuffix(".0") if number < 10 else f"{number:,.0f}"
    return f"{said} {unit}" if said == "1" else f"{said} {unit}s"


def unstated(choices: tuple[Choice, ...], found: Rests) -> tuple[Choice, ...]:
    """The same options without what is said against doing nothing."""
    return tuple(
        Choice(
            best=without_saving(one.best, found),
            variants=tuple(msgspec.structs.replace(each, npv=None) for each in one.variants),
        )
        for one in choices
    )


def without_saving(one: Outcome, found: Rests) -> Outcome:
    """An outcome whose costs stand, and nothing else."""
    return msgspec.structs.replace(
        one,
        npv=Range(0.0, 0.0, 0.0, f"not stated: {found.words}"),
        saves=0.0,
        payback_months=(None, None, None),
        cash=(),
        drivers=(),
        stated=False,
    )


def _calls(count: int) -> str:
    return "1 call" if count == 1 else f"{count:,} calls"
