"""What a workflow costs and how much of it is owned: sums of tokens at list prices, and what live calls did cost. Pure.

A model without a known price is told as such: its calls are in `unpriced`, never taken as free.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from datetime import date
from decimal import Decimal

import msgspec

from freehold.core.clock import at
from freehold.core.money import ZERO
from freehold.ledger.meter import Price, Usage, cost
from freehold.workflows.records import UNTIMED
from freehold.workflows.sums.store import Sum

ListPrice = Callable[[str, str, date], Price | None]
"""List price of (provider, model) on a date; None where it is unknown."""

_OFFERING = "-api"
_MAKERS = ("openai", "anthropic", "google", "mistral")
"""Asked in this order where a record does not say who served it."""


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """Sums over the calls of one workflow. Money in US dollars, times in Unix seconds."""

    calls: int = 0
    errors: int = 0
    first: float = 0.0
    last: float = 0.0
    input: int = 0
    output: int = 0
    cost: Decimal = ZERO
    """Of live calls what they did cost, of imported ones their tokens at the list price of the day."""
    unpriced: int = 0
    """Calls on models whose price nobody knows: not in `cost`."""
    owned: float = 0.0
    """Share of calls that owned models answered."""
    latency: float | None = None
    """Mean seconds, where recorded."""
    models: dict[str, int] = {}
    apps: dict[str, int] = {}


def figures(sums: Iterable[Sum], price: ListPrice) -> dict[str, Figures]:
    """Figures by workflow."""
    grouped: dict[str, list[Sum]] = defaultdict(list)
    for one in sums:
        grouped[one.workflow].append(one)
    return {name: _of(mine, price) for name, mine in grouped.items()}


def _of(sums: list[Sum], price: ListPrice) -> Figures:
    calls = sum(one.calls for one in sums)
    models: dict[str, int] = defaultdict(int)
    apps: dict[str, int] = defaultdict(int)
    total, unpriced = sum((one.cost for one in sums), ZERO), 0
    for one in sums:
        models[one.model] += one.calls
        apps[one.app] += one.calls
        if one.live or one.owned:
            continue
        found = _price(one, price)
        if found is None:
            unpriced += one.calls
        else:
            usage = Usage(input=one.input, output=one.output, cached=one.cached, cache_write=one.cache_write)
            total += cost(usage, found)
    timed = [(one.latency, one.timed) for one in sums if one.latency is not None]
    return Figures(
        calls=calls,
        errors=sum(one.errors for one in sums),
        first=min((one.first for one in sums if one.first >= UNTIMED), default=0.0),
        last=max(one.last for one in sums),
        input=sum(one.input for one in sums),
        output=sum(one.output for one in sums),
        cost=total,
        unpriced=unpriced,
        owned=sum(one.calls for one in sums if one.owned) / calls,
        latency=sum(each * count for each, count in timed) / sum(count for _, count in timed) if timed else None,
        models=_ranked(models),
        apps=_ranked(apps),
    )


def _price(one: Sum, price: ListPrice) -> Price | None:
    when = at(one.last).date()
    makers = (one.vendor.removesuffix(_OFFERING),) if one.vendor else _MAKERS
    return next((found for maker in makers if (found := price(maker, one.model, when)) is not None), None)


def _ranked(counts: Mapping[str, int]) -> dict[str, int]:
    return {name: counts[name] for name in sorted(counts, key=lambda one: (-counts[one], one)) if name}
