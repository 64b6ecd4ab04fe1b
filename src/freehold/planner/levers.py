"""What of a plan can be said otherwise without simulating anew: each lever with its bounds, and plans' inputs changed.

Invariant: traffic, fleets and measurements stay as they were frozen; a lever that is left alone changes no byte.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import partial

import msgspec

from freehold.planner.assumptions import Assumption, Three, assumptions
from freehold.planner.book import Tier
from freehold.planner.errors import BadAssumption
from freehold.planner.plan import Inputs
from freehold.planner.prices import Quote
from freehold.planner.types import Range
from freehold.planner.work import Work

HAND = "said by hand"
"""Source of what a lever set."""
_YEARLY = "share a year"


class Lever(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that may be said otherwise; `value` is what the plan has."""

    name: str
    words: str
    unit: str
    low: float
    high: float
    step: float
    value: float
    source: str = ""
    """Where `value` comes from."""


class _Kind(msgspec.Struct, frozen=True):
    words: str
    unit: str
    low: float
    high: float
    step: float
    read: Callable[[Inputs], tuple[float, str]]
    pull: Callable[[Inputs, float], Inputs]


def levers(inputs: Inputs) -> tuple[Lever, ...]:
    """Every lever of a plan; bounds are widened to what the plan has."""
    found = []
    for name, kind in LEVERS:
        value, source = kind.read(inputs)
        bounds = {"low": min(kind.low, value), "high": max(kind.high, value)}
        found.append(
            Lever(name=name, words=kind.words, unit=kind.unit, step=kind.step, value=value, source=source, **bounds)
        )
    return tuple(found)


def pulled(inputs: Inputs, values: Mapping[str, float], ranges: Mapping[str, Three] | None = None) -> Inputs:
    """A plan's inputs with levers at `values`, and assumptions in `ranges` (low, base, high) in place of theirs.

    Raises BadAssumption, naming the lever or the assumption at fault.
    """
    kinds = dict(LEVERS)
    for name in sorted(values):
        if name not in kinds:
            raise BadAssumption(f"there is no lever {name!r}", hint=f"there are {', '.join(kinds)}", param=name)
        kind, value = kinds[name], float(values[name])
        before, _ = kind.read(inputs)
        if value == before:
            continue
        low, high = min(kind.low, before), max(kind.high, before)
        if not low <= value <= high:
            raise BadAssumption(f"{name} is {value:g}: it goes from {low:g} to {high:g}", param=name)
        inputs = kind.pull(inputs, value)
    if not ranges:
        return inputs
    said = assumptions(ranges, inputs.made_on)
    own = {name: msgspec.structs.replace(said[name], source=HAND) for name in ranges}
    known = {one.name: one for one in inputs.assumptions} | own
    return msgspec.structs.replace(inputs, assumptions=tuple(known[name] for name in sorted(known)))


def _of(name: str, inputs: Inputs) -> tuple[float, str]:
    found = next(one for one in inputs.assumptions if one.name == name)
    return found.base, found.source


def _assume(name: str, inputs: Inputs, value: float) -> Inputs:
    changed = tuple(_moved(one, value, inputs.made_on) if one.name == name else one for one in inputs.assumptions)
    return msgspec.structs.replace(inputs, assumptions=changed)


def _moved(one: Assumption, base: float, day: str) -> Assumption:
    """The same uncertainty around another base: in proportion, of 1 + the rate where it is one."""
    add = 1.0 if one.unit == _YEARLY else 0.0
    ratio = (base + add) / (one.base + add) if one.base + add > 0 else 0.0
    low, high = ((value + add) * ratio - add if ratio else base for value in (one.low, one.high))
    return msgspec.structs.replace(one, low=min(low, base), base=base, high=max(high, base), source=HAND, as_of=day)


def _months(inputs: Inputs) -> tuple[float, str]:
    return float(inputs.months), "months of the plan"


def _look(inputs: Inputs, value: float) -> Inputs:
    return msgspec.structs.replace(inputs, months=round(value))


def _margin(inputs: Inputs) -> tuple[float, str]:
    return inputs.margin, "the rule of the advice"


def _demanding(inputs: Inputs, value: float) -> Inputs:
    return msgspec.structs.replace(inputs, margin=value)


def _volume(inputs: Inputs) -> tuple[float, str]:
    return (inputs.works[0].level if inputs.works else 1.0), "the traffic as it was seen"


def _grow(inputs: Inputs, value: float) -> Inputs:
    ratio = value / max(_volume(inputs)[0], 1e-9)
    return _each(inputs, lambda one: msgspec.structs.replace(one, level=one.level * ratio))


def _hour(inputs: Inputs) -> tuple[float, str]:
    usd = inputs.works[0].owned.hour.usd
    return usd.p50, usd.source


def _rent(inputs: Inputs, value: float) -> Inputs:
    day = inputs.made_on

    def changed(work: Work) -> Work:
        hour = work.owned.hour
        usd = _scaled(hour.usd, value / max(hour.usd.p50, 1e-9), day)
        hour = msgspec.structs.replace(hour, usd=usd, assumed=False)
        return msgspec.structs.replace(work, owned=msgspec.structs.replace(work.owned, hour=hour))

    return _each(inputs, changed)


def _list_price(_inputs: Inputs) -> tuple[float, str]:
    return 0.0, "prices as the plan has them"


def _discounted(inputs: Inputs, share: float) -> Inputs:
    """Off what the providers who serve the traffic now ask, for all their models."""
    providers = {one.now.model.partition("/")[0] for one in inputs.works}

    def cheaper(one: Quote) -> Quote:
        if one.model.partition("/")[0] not in providers:
            return one
        kept, day = 1.0 - share, inputs.made_on
        sides = {side: _scaled(getattr(one, side), kept, day) for side in ("input", "output", "cached")}
        tiers = {
            side: tuple(Tier(step.start, step.price * kept) for step in steps) for side, steps in one.tiers.items()
        }
        note = "; ".join(part for part in (one.note, f"{share:.0%} off, {HAND}") if part)
        return msgspec.structs.replace(one, tiers=tiers, discount=1.0 - (1.0 - one.discount) * kept, note=note, **sides)

    def changed(work: Work) -> Work:
        closed, hosted = (tuple(cheaper(one) for one in those) for those in (work.closed, work.hosted))
        return msgspec.structs.replace(work, now=cheaper(work.now), closed=closed, hosted=hosted)

    return _each(inputs, changed)


def _each(inputs: Inputs, change: Callable[[Work], Work]) -> Inputs:
    return msgspec.structs.replace(inputs, works=tuple(change(one) for one in inputs.works))


def _scaled(one: Range, ratio: float, day: str) -> Range:
    if not math.isfinite(ratio):
        raise BadAssumption(f"{ratio} is no ratio of prices")
    return Range(one.p10 * ratio, one.p50 * ratio, one.p90 * ratio, f"{HAND}; before: {one.source}", day)


def _assumed(name: str, words: str, unit: str, bounds: Three) -> tuple[str, _Kind]:
    low, high, step = bounds
    return name, _Kind(words, unit, low, high, step, partial(_of, name), partial(_assume, name))


LEVERS: tuple[tuple[str, _Kind], ...] = (
    _assumed("api_price_drift", "Change of rented models' prices", _YEARLY, (-0.8, 0.5, 0.01)),
    ("discount", _Kind("Discount from who serves it now", "share", 0.0, 0.9, 0.01, _list_price, _discounted)),
    _assumed("discount_rate", "Cost of capital", _YEARLY, (0.0, 0.4, 0.005)),
    _assumed("failed_task_cost", "What a failed task costs", "USD", (0.0, 20.0, 0.01)),
    _assumed("fte_cost", "What a person costs", "USD a year", (20_000.0, 500_000.0, 1000.0)),
    ("gpu_hour", _Kind("Rent of one accelerator", "USD an hour", 0.05, 20.0, 0.01, _hour, _rent)),
    ("margin", _Kind("Quality that may be lost", "share of tasks", 0.0, 0.3, 0.005, _margin, _demanding)),
    ("months", _Kind("Months to look ahead", "months", 1.0, 120.0, 1.0, _months, _look)),
    _assumed("platform_fte", "People who run what is owned", "people", (0.0, 20.0, 0.1)),
    _assumed("relative_pass_rate_open", "Tasks that an open model passes", "share of now's", (0.5, 1.2, 0.01)),
    _assumed("traffic_growth", "Growth of the traffic", _YEARLY, (-0.9, 5.0, 0.01)),
    ("volume", _Kind("Traffic at the beginning", "times the traffic seen", 0.05, 20.0, 0.05, _volume, _grow)),
)
"""By name; each moves a figure with the uncertainty that it had."""
