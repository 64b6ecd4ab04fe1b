"""Money out of streams: ranges, net present value, payback, the chance that it saves, what drives it. Pure.

Simulated amounts are floats in the plan's currency; exact money (the ledger's) is Decimal and never comes from here.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
import numpy as np

from freehold.planner.draws import Array, quantiles
from freehold.planner.streams import MILLION, Scene, Stream
from freehold.planner.types import OptionKind, Range


class Driver(msgspec.Struct, frozen=True):
    """How one factor moves the net present value."""

    factor: str
    correlation: float
    """Spearman's, with the net present value."""
    low: float
    """Median net present value where the factor is in its lowest tenth."""
    high: float
    """The same in its highest tenth."""


class Part(msgspec.Struct, frozen=True):
    """Median monthly cost of one part over the horizon."""

    what: str
    monthly: float


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """One option in money."""

    option: OptionKind
    variant: str
    monthly: Range
    """Mean over the horizon, running costs alone."""
    all_in: Range
    """A month of everything: beginning, running, end and what hardware is still worth, spread over the horizon."""
    first_month: Range
    upfront: Range
    per_million: Range
    """Everything paid over the horizon, for a million of the workflow's tokens (input and output, as now)."""
    per_passed: Range
    """The same, for each task that passes."""
    passed: Range
    total: Range
    """Over the horizon, undiscounted, with beginning and end."""
    npv: Range
    """Against doing nothing, discounted; positive saves."""
    saves: float
    """Share of draws in which the net present value is above zero."""
    payback_months: tuple[float | None, float | None, float | None]
    """P10, P50, P90; None for never within the horizon."""
    parts: tuple[Part, ...]
    once: tuple[Part, ...]
    cash: tuple[tuple[float, float, float], ...]
    """Cumulative discounted saving at each month's end: P10, P50, P90; first the beginning."""
    drivers: tuple[Driver, ...]
    meets: bool
    why: str
    stated: bool = True
    """False where the traffic is too little for a saving: value, chance, payback, cash and drivers are left out."""


def outcome(scene: Scene, stream: Stream, nothing: Stream) -> Outcome:
    """One stream against doing nothing, over the same draws."""
    rate = currency(scene)
    monthly, upfront = stream.monthly / rate[:, None], stream.upfront / rate
    end = stream.end / rate
    flows = _flows(scene, stream, nothing) / rate[:, None]
    npv = flows.sum(axis=1)
    total = monthly.sum(axis=1) + upfront + end
    volume = scene.volume().sum(axis=1)
    demand = scene.work.demand
    return Outcome(
        option=stream.option,
        variant=stream.variant,
        monthly=quantiles(monthly.mean(axis=1)),
        all_in=quantiles(total / scene.terms.months),
        first_month=quantiles(monthly[:, 0]),
        upfront=quantiles(upfront),
        per_million=quantiles(total / np.maximum((demand.input + demand.output) * volume / MILLION, 1e-9)),
        per_passed=quantiles(total / np.maximum(demand.requests * volume * stream.passed, 1e-9)),
        passed=quantiles(stream.passed),
        total=quantiles(total),
        npv=quantiles(npv),
        saves=float((npv > 0).mean()),
        payback_months=_payback(flows),
        parts=_parts({what: (cost / rate[:, None]).mean(axis=1) for what, cost in stream.parts.items()}),
        once=_parts({what: cost / rate for what, cost in stream.once.items()}),
        cash=_cash(flows),
        drivers=drivers(scene.factors, npv) if stream.option != "nothing" else (),
        meets=stream.meets,
        why=stream.why,
    )


def currency(scene: Scene) -> Array:
    """US dollars for one unit of the plan's currency, by draw."""
    return scene.factors.get("usd_per_unit", np.ones(scene.count))


def npv(scene: Scene, stream: Stream, nothing: Stream) -> Array:
    """Net present value against doing nothing, by draw."""
    found: Array = _flows(scene, stream, nothing).sum(axis=1) / currency(scene)
    return found


def _flows(scene: Scene, stream: Stream, nothing: Stream) -> Array:
    """Discounted saving, draws x (beginning, each month)."""
    rate = scene.factors["discount_rate"][:, None]
    saved = (nothing.monthly - stream.monthly) * np.power(1.0 + rate, -scene.years()[None, :])
    saved[:, -1] -= (stream.end - nothing.end) * np.power(1.0 + rate[:, 0], -scene.terms.months / 12.0)
    start = nothing.upfront - stream.upfront
    found: Array = np.concatenate([start[:, None], saved], axis=1)
    return found


def _payback(flows: Array) -> tuple[float | None, float | None, float | None]:
    """Months until the cumulative discounted saving stays at or above zero; leaving at the end included."""
    cumulative = np.cumsum(flows, axis=1)
    below = cumulative < 0
    last = flows.shape[1] - 1 - np.argmax(below[:, ::-1], axis=1)
    months = np.where(below.any(axis=1), last + 1.0, 0.0)
    months[cumulative[:, -1] < 0] = np.inf
    months[np.abs(flows).sum(axis=1) == 0] = 0.0
    found = np.quantile(months, (0.1, 0.5, 0.9), method="higher")
    low, mid, high = (None if np.isinf(one) else float(one) for one in found)
    return low, mid, high


def _cash(flows: Array) -> tuple[tuple[float, float, float], ...]:
    found = np.quantile(np.cumsum(flows, axis=1), (0.1, 0.5, 0.9), axis=0)
    return tuple((float(low), float(mid), float(high)) for low, mid, high in found.T)


def _parts(values: Mapping[str, Array]) -> tuple[Part, ...]:
    found = [Part(what, float(np.median(cost))) for what, cost in values.items()]
    return tuple(one for one in found if one.monthly != 0.0)


MOST_DRIVERS = 10


def drivers(factors: Mapping[str, Array], values: Array) -> tuple[Driver, ...]:
    """What the net present value hangs on, strongest first: Spearman's rank correlation (Spearman 1904)."""
    count = len(values)
    ranked = _ranks(values)
    found = []
    for name, drawn in sorted(factors.items()):
        if drawn[0] == drawn[-1] and np.ptp(drawn) == 0.0:
            continue
        ranks = _ranks(drawn)
        correlation = float(np.corrcoef(ranks, ranked)[0, 1])
        if abs(correlation) < 3.0 / np.sqrt(count):
            continue  # no more than chance
        tenth = max(count // 10, 1)
        low, high = values[ranks < tenth], values[ranks >= count - tenth]
        found.append(Driver(name, correlation, float(np.median(low)), float(np.median(high))))
    return tuple(sorted(found, key=lambda one: (-abs(one.correlation), one.factor))[:MOST_DRIVERS])


def _ranks(values: Array) -> Array:
    ranks = np.empty(len(values))
    ranks[np.argsort(values, kind="stable")] = np.arange(len(values))
    return ranks
