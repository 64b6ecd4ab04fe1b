"""The smallest fleet over volumes, simulated: what owning costs at half, once, twice the traffic. Pure.

Between simulated volumes a static fleet is rounded up to whole replicas; beyond them it grows in proportion.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
import numpy as np

from freehold.planner.draws import Array
from freehold.planner.traffic import Arrivals, Rates, Trace
from freehold.planner.types import Fleet
from freehold.planner.work import MONTH_HOURS, MONTH_SECONDS, FleetKind, Stair, Staircase

VOLUMES: dict[FleetKind, tuple[float, ...]] = {
    "static": (0.1, 0.5, 1.0, 2.0, 4.0),
    "autoscaled": (0.25, 1.0, 2.5),
    "hybrid": (0.1, 0.5, 1.0, 2.5),
}
"""Multiples of the trace's volume that are simulated; the search for an autoscaler's best aim takes longest."""


def scaled(trace: Trace, volume: float) -> Trace:
    """The same hours with `volume` times the requests: thinned evenly, or laid over itself a few seconds apart."""
    if volume == 1.0:
        return trace
    if isinstance(trace, Rates):
        return msgspec.structs.replace(trace, rate=trace.rate * volume)
    return _scaled(trace, volume)


def _scaled(trace: Arrivals, volume: float) -> Arrivals:
    whole, part = int(volume), volume - int(volume)
    count = trace.requests
    copies = [np.arange(count)] * whole
    if part:
        # every k-th request by a sequence that fills the unit interval evenly (multiples of the golden ratio)
        copies.append(np.flatnonzero((np.arange(count) * 0.6180339887498949) % 1.0 < part))
    which = np.concatenate(copies) if copies else np.arange(0)
    if not len(which):
        which = np.array([0])
    gap = trace.span_seconds / max(count, 1)
    shift = np.concatenate([np.full(len(one), gap * index / max(len(copies), 1)) for index, one in enumerate(copies)])
    at = trace.t[which] + (shift if len(shift) == len(which) else 0.0)
    at = np.where(at < trace.span_seconds, at, np.maximum(at - trace.span_seconds, 0.0))  # no call comes after the end
    order = np.argsort(at, kind="stable")
    return msgspec.structs.replace(trace.take(which[order]), t=at[order])


def staircase(kind: FleetKind, found: Mapping[float, Fleet]) -> Staircase:
    """The fleets that were simulated, by volume; that of the trace's own is among them."""
    now = found[1.0]
    return Staircase(
        kind=kind,
        gpus_per_replica=now.gpus_per_replica,
        stairs=tuple(_stair(volume, found[volume]) for volume in sorted(found)),
        timeline=now.served.timeline,
    )


def _stair(volume: float, fleet: Fleet) -> Stair:
    served = fleet.served
    return Stair(
        volume=volume,
        replicas=int(served.peak_replicas),
        hours=served.replica_hours * MONTH_SECONDS / served.span_seconds,
        overflow_input=served.overflow_input_tokens / max(served.input_tokens, 1),
        overflow_output=served.overflow_output_tokens / max(served.output_tokens, 1),
        meets=bool(fleet.meets),
        attained=float(served.attained),
        utilisation=float(served.utilisation),
        ttft=served.ttft,
        tpot=served.tpot,
        why=fleet.why,
    )


def replicas(stairs: Staircase, volume: Array) -> Array:
    """Whole replicas that each volume needs."""
    found = np.ceil(_over(stairs, volume, [float(one.replicas) for one in stairs.stairs]) - 1e-9)
    return np.maximum(np.asarray(found, dtype=np.float64), 1.0)


def hours(stairs: Staircase, volume: Array) -> Array:
    """Replica-hours a month that each volume needs; one replica is always there, so also where none would do."""
    if stairs.kind == "static":
        per = stairs.stairs[-1].hours / max(stairs.stairs[-1].replicas, 1)
        found = replicas(stairs, volume) * per
    else:
        found = _over(stairs, volume, [one.hours for one in stairs.stairs])
    return np.maximum(found, MONTH_HOURS)


def overflow(stairs: Staircase, volume: Array) -> tuple[Array, Array]:
    """Shares of input and output tokens that go to an API."""
    x = [one.volume for one in stairs.stairs]
    found = (
        np.interp(volume, x, [getattr(one, name) for one in stairs.stairs])
        for name in ("overflow_input", "overflow_output")
    )
    first, second = (np.asarray(one, dtype=np.float64) for one in found)
    return first, second


def _over(stairs: Staircase, volume: Array, values: list[float]) -> Array:
    x = [one.volume for one in stairs.stairs]
    inside = np.interp(volume, x, values)
    return np.asarray(np.where(volume > x[-1], values[-1] * volume / x[-1], inside), dtype=np.float64)
