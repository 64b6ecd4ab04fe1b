"""From which volume on owning is the cheapest, on the simulated staircase: steps may cross more than once. Pure."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
import numpy as np

from freehold.planner.draws import Array
from freehold.planner.money import currency
from freehold.planner.streams import Scene, streams
from freehold.planner.types import OptionKind

VOLUMES = tuple(round(float(one), 6) for one in np.geomspace(0.05, 20.0, 33))
"""Multiples of the trace's volume that are looked at."""


class BreakEven(msgspec.Struct, frozen=True, kw_only=True):
    """Cost of a month at many volumes, all in, and where the cheapest option changes."""

    volumes: tuple[float, ...]
    monthly: dict[str, tuple[float, ...]]
    """By option, its cheapest variant at each volume: beginning, running and end spread over the horizon, at steady
    volume and prices.
    """
    crossings: tuple[tuple[float, OptionKind, OptionKind], ...]
    """(volume, cheapest below, cheapest above), rising."""
    owned_from: float | None
    """Least volume from which on self-hosting or hybrid stays the cheapest; None for never below 20 times."""


def break_even(scene: Scene) -> BreakEven:
    """At the medians of all factors."""
    middle = {name: np.array([float(np.median(drawn))]) for name, drawn in scene.factors.items()}
    still = middle | {name: np.zeros(1) for name in ("traffic_growth", "api_price_drift", "rent_drift")}
    cost: dict[OptionKind, list[float]] = {}
    for volume in VOLUMES:
        for option, least in _cheapest(scene, still, volume).items():
            cost.setdefault(option, []).append(least)
    best = [min(cost, key=lambda one: cost[one][at]) for at in range(len(VOLUMES))]
    crossings = tuple(
        (VOLUMES[at], best[at - 1], best[at]) for at in range(1, len(VOLUMES)) if best[at] != best[at - 1]
    )
    owned = [one in ("self_hosted", "hybrid") for one in best]
    since = len(owned) - next((at for at, mine in enumerate(reversed(owned)) if not mine), len(owned))
    return BreakEven(
        volumes=VOLUMES,
        monthly={option: tuple(values) for option, values in cost.items()},
        crossings=crossings,
        owned_from=VOLUMES[since] if since < len(owned) else None,
    )


def _cheapest(scene: Scene, factors: Mapping[str, Array], volume: float) -> dict[OptionKind, float]:
    """Of each option's variants that keep the SLO."""
    at = Scene(work=scene.work, factors=factors, terms=scene.terms, at=scene.at * volume)
    found: dict[OptionKind, float] = {}
    for one in streams(at):
        if not one.meets:
            continue
        total = one.monthly.sum(axis=1) + one.upfront + one.end
        cost = float((total / currency(at))[0]) / at.terms.months
        found[one.option] = min(found.get(one.option, cost), cost)
    return found
