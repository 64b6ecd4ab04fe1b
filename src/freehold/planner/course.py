"""A trace that fleets are tried on: all of it where it is short, else minutes of it drawn by how heavy they are.

A sampled minute stands for the minutes of like load: its replicas are up to `SOME` of the fleet's, with their share
of the arrivals. What an overloaded fleet leaves undone is carried from minute to minute as a fluid.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Protocol

import msgspec
import numpy as np

from freehold.planner.minutes import STEP, backlog, drawn, follow, of_rates
from freehold.planner.outcome import Outcome, percentiles, seen_before, told
from freehold.planner.scaling import Work, work
from freehold.planner.simulate import Tuning, run
from freehold.planner.traffic import Arrivals, Floats, Ints, Rates, Trace
from freehold.planner.types import Replicas, Served, Slo, Speed

WHOLE = 150_000
"""Requests up to which a trace is simulated from its first to its last."""
SOME = 4
"""Replicas of a sampled minute at most: few, since fewer share their load worse."""
CALLS = 2500
"""Requests of a sampled minute at most."""
FAR = 4.0
"""Times the calls that may miss the SLO: where that many did, a simulation stops."""
SETTLING = (2.0, 20.0)
"""Seconds in which a replica's batch fills, at least and at most: those come before what is sampled."""
HEAVY = 0.7
"""Load from which on four times as long is looked at: queues take longer to show."""
ALL = 0.9995
"""Share kept from which on lighter minutes are taken to be kept as well."""
EDGES = (0.0, 0.25, 0.5, 0.7, 0.82, 0.9, 0.95, 0.98, 0.993, 1.0)
"""Strata of load, as shares of the requests: finer where it is heavy."""
Progress = Callable[[float], None]


class Course(Protocol):
    """What fleets are tried on."""

    load: Floats
    """In replicas that are as busy as they can be, minute by minute."""

    def kept(self, rule: Replicas, tuning: Tuning, enough: float) -> float:
        """Share of the calls that did not overflow answered within the SLO; 0 where it is far below `enough`."""

    def served(self, rule: Replicas, tuning: Tuning) -> Served:
        """All that the fleet did."""


def course(trace: Trace, speed: Speed, slo: Slo, tuning: Tuning | None = None, seed: int = 0) -> Course:
    """The course for a trace."""
    tuning = tuning or Tuning()
    # A sampled minute finds its prefix caches cold, so traces with hashes are sampled only where there is no other way.
    if isinstance(trace, Arrivals) and trace.requests <= WHOLE * (1 if trace.blocks is None else 4):
        return Whole(trace, speed, slo, tuning)
    return Sampled(trace, speed, slo, tuning, seed)


class Whole:
    """Every arrival is simulated."""

    def __init__(self, trace: Arrivals, speed: Speed, slo: Slo, tuning: Tuning) -> None:
        self._trace, self._speed, self._slo = trace, speed, slo
        count = max(trace.requests, 1)
        self.work = work(speed, trace.input_tokens / count, trace.output_tokens / count, tuning.chunk)
        seconds = _seconds(trace, self.work)
        minutes = max(math.ceil(trace.span_seconds / STEP), 1)
        place = np.minimum((trace.t / STEP).astype(np.int64), minutes - 1)
        self.load: Floats = np.bincount(place, weights=seconds, minlength=minutes) / min(STEP, trace.span_seconds)

    def kept(self, rule: Replicas, tuning: Tuning, enough: float) -> float:
        """As `Course` has it."""
        tuning = msgspec.structs.replace(tuning, work=self.work, give_up=min(FAR * (1.0 - enough) + 0.01, 1.0))
        found = run(self._trace, self._speed, self._slo, rule, tuning)
        return 0.0 if found.gave_up else found.share_kept(self._slo)

    def served(self, rule: Replicas, tuning: Tuning) -> Served:
        """As `Course` has it."""
        tuning = msgspec.structs.replace(tuning, work=self.work, give_up=1.0)
        found = run(self._trace, self._speed, self._slo, rule, tuning)
        return told(self._trace, found, self._slo, self.work)


class Group(msgspec.Struct, frozen=True):
    """Minutes of like load, and the one that stands for them (-1: overloaded, nobody is answered in time)."""

    minutes: Ints
    stands: int
    replicas: int
    """In service, in the whole fleet."""
    use: float
    """Load of each replica in the minute that stands for the others."""
    waits: Floats
    """Where they are overloaded: seconds that each minute's calls wait for those before them."""


class Stratum(msgspec.Struct, frozen=True):
    """Minutes of like load, and what a fleet did in the one that stands for them."""

    minutes: Ints
    calls: float
    window: Arrivals | None
    """None: overloaded for so long that nobody was answered in time."""
    outcome: Outcome | None
    waits: Floats
    """Where there is no window: seconds that each minute's calls wait for those before them."""


class Sampled:
    """Minutes stand for others. The same seed draws the same minutes."""

    def __init__(self, trace: Trace, speed: Speed, slo: Slo, tuning: Tuning, seed: int) -> None:
        self._trace, self._speed, self._slo, self._seed = trace, speed, slo, seed
        self._minutes = max(math.ceil(trace.span_seconds / STEP), 1)
        count = max(trace.requests, 1)
        self.work = work(speed, trace.input_tokens / count, trace.output_tokens / count, tuning.chunk)
        stay = slo.ttft_seconds + slo.tpot_seconds * trace.output_tokens / count
        self._settling = min(max(stay, SETTLING[0]), SETTLING[1])
        if isinstance(trace, Rates):
            self._calls, self.load = of_rates(trace, self.work, self._minutes)
        else:
            place = np.minimum((trace.t / STEP).astype(np.int64), self._minutes - 1)
            self._calls = np.bincount(place, minlength=self._minutes).astype(np.float64)
            self.load = np.bincount(place, weights=_seconds(trace, self.work), minlength=self._minutes) / STEP

    def kept(self, rule: Replicas, tuning: Tuning, enough: float) -> float:
        """As `Course` has it."""
        total, missed, stayed = max(float(self._calls.sum()), 1e-9), 0.0, 0.0
        groups = self._groups(rule, tuning)
        left = sum(float(self._calls[one.minutes].sum()) for one in groups)
        for group in groups:
            found = self._stratum(group, (rule, tuning))
            share = 0.0 if found.outcome is None else found.outcome.share_kept(self._slo)
            staying = found.calls * (1.0 if found.outcome is None else 1.0 - float(found.outcome.overflowed.mean()))
            missed, stayed, left = missed + staying * (1.0 - share), stayed + staying, left - found.calls
            if missed > (FAR * (1.0 - enough) + 0.01) * total:
                return 0.0
            if share >= ALL and rule.kind != "hybrid":
                break
        return 1.0 - missed / max(stayed + left, 1e-9)

    def served(self, rule: Replicas, tuning: Tuning) -> Served:
        """As `Course` has it: shares of the strata, by their calls."""
        strata = [self._stratum(one, (rule, tuning)) for one in self._groups(rule, tuning)]
        return _sum(self._trace, strata, (*follow(self.load, rule, tuning), self.load), self._slo)

    def _groups(self, rule: Replicas, tuning: Tuning) -> list[Group]:
        """Minutes of like load, heaviest first."""
        _, serving = follow(self.load, rule, tuning)
        away = rule.maintenance if rule.kind != "autoscaled" or rule.least > 1 else 0.0
        present = np.maximum(np.round(serving * (1.0 - away)), np.minimum(serving, 1.0))
        use = self.load / np.maximum(present, 0.5)
        waits = backlog(self.load, present) / np.maximum(present, 0.5)
        late = (waits > self._slo.ttft_seconds) & (self._calls > 0.0)
        if rule.kind == "hybrid":
            late = np.zeros(self._minutes, dtype=bool)
        order = np.flatnonzero(~late & (self._calls > 0.0))
        order = order[np.argsort(use[order], kind="stable")]
        sums = np.cumsum(self._calls[order])
        edges = [*np.searchsorted(sums, np.array(EDGES[:-1]) * (sums[-1] if len(sums) else 0.0)), len(order)]
        found = []
        for low, high in pairwise(edges):
            minutes = order[low:high]
            if len(minutes):
                stands = int(minutes[-1] if high == len(order) else minutes[len(minutes) // 2])
                found.append(Group(minutes, stands, int(present[stands]), float(use[stands]), np.zeros(0)))
        if late.any():
            found.append(Group(np.flatnonzero(late), -1, 0, math.inf, waits[late]))
        return found[::-1]

    def _stratum(self, group: Group, how: tuple[Replicas, Tuning]) -> Stratum:
        rule, tuning = how
        minutes = group.minutes
        calls = float(self._calls[minutes].sum())
        if group.stands < 0:
            return Stratum(minutes, calls, None, None, group.waits)
        some = min(max(group.replicas, 1), SOME)
        window, warm = self._window(group, some / max(group.replicas, 1))
        if not window.requests:
            return Stratum(minutes, calls, None, None, np.zeros(len(minutes)))
        here = Replicas(kind="hybrid" if rule.kind == "hybrid" else "static", least=some, most=some, maintenance=0.0)
        found = run(window, self._speed, self._slo, here, msgspec.structs.replace(tuning, work=self.work, give_up=1.0))
        counted = np.flatnonzero(window.t >= warm)
        if not len(counted):
            counted = np.arange(window.requests)
        columns = {name: getattr(found, name)[counted] for name in ("ttft", "tpot", "overflowed")}
        return Stratum(minutes, calls, window.take(counted), msgspec.structs.replace(found, **columns), np.zeros(0))

    def _window(self, group: Group, share: float) -> tuple[Arrivals, float]:
        """Arrivals of a minute and of what was before it, thinned to a share, and where what counts begins."""
        random = np.random.default_rng((self._seed, group.stands))
        rate = self._calls[group.stands] / STEP * share
        calls = CALLS * (4 if group.use > HEAVY else 1)
        seconds = min(max(calls / max(rate, 1e-9), self._settling), STEP)
        warm, begins = self._settling, group.stands * STEP - self._settling
        if isinstance(self._trace, Rates):
            return drawn(self._trace, begins, (warm + seconds, rate), random), warm
        trace = self._trace
        low, high = np.searchsorted(trace.t, (begins, begins + warm + seconds))
        which = np.arange(low, high)[random.random(high - low) < share]
        cut = trace.take(which)
        return msgspec.structs.replace(cut, t=cut.t - begins, span_seconds=warm + seconds), warm


def _seconds(trace: Arrivals, each: Work) -> Floats:
    known = np.minimum(seen_before(trace), trace.input)
    found: Floats = (trace.input - known) * each.per_input + trace.output * each.per_output
    return found


def _sum(trace: Trace, strata: list[Stratum], course_: tuple[Floats, Floats, Floats], slo: Slo) -> Served:
    held, serving, load = course_
    total = sum(one.calls for one in strata)
    requests = trace.requests
    over = served = within = 0.0
    tokens = np.zeros(4)
    shares = np.zeros(len(load))
    busy = 0.0
    ttft, tpot, weights, paces = [], [], [], []
    for one in strata:
        if one.outcome is None or one.window is None:
            served += one.calls
            ttft.append(one.waits)
            weights.append(np.full(len(one.waits), one.calls / max(len(one.waits), 1)))
            busy += float(serving[one.minutes].sum()) * STEP
            continue
        gone = one.outcome.overflowed
        here = ~np.isnan(one.outcome.ttft)
        scale = one.calls / max(len(gone), 1)
        over, served = over + scale * gone.sum(), served + scale * here.sum()
        within += scale * one.outcome.kept(slo).sum()
        tokens += scale * np.array(
            [(column * which).sum() for column in (one.window.input, one.window.output) for which in (1, gone)]
        )
        shares[one.minutes] = gone.mean()
        used = one.outcome.busy / max(one.outcome.held, 1e-9)
        busy += min(used, 1.0) * float(serving[one.minutes].sum()) * STEP
        ttft.append(one.outcome.ttft[here])
        tpot.append(one.outcome.tpot[here])
        paces.append(np.full(int(here.sum()), scale))
        weights.append(np.full(int(here.sum()), scale))
    ratio = requests / max(total, 1e-9)
    overflowed = min(round(over * ratio), requests)
    answered = min(round(served * ratio), requests - overflowed)
    paid = float(held.sum()) * STEP
    inputs, outputs = trace.input_tokens, trace.output_tokens
    return Served(
        requests=requests,
        served=answered,
        overflowed=overflowed,
        unserved=requests - overflowed - answered,
        ttft=_weighted(ttft, weights),
        tpot=_weighted(tpot, paces),
        attained=float(within / served) if served else 0.0,
        replica_hours=paid / 3600.0 * min(trace.span_seconds / (len(load) * STEP), 1.0),
        peak_replicas=int(held.max()),
        utilisation=min(busy / paid, 1.0) if paid else 0.0,
        input_tokens=inputs,
        output_tokens=outputs,
        overflow_input_tokens=round(inputs * tokens[1] / max(tokens[0], 1e-9)),
        overflow_output_tokens=round(outputs * tokens[3] / max(tokens[2], 1e-9)),
        span_seconds=trace.span_seconds,
        timeline=_points(held, load, shares),
    )


def _weighted(values: list[Floats], weights: list[Floats]) -> tuple[float, float, float]:
    if not values:
        return percentiles(np.zeros(0))
    value, weight = np.concatenate(values), np.concatenate(weights)
    if not len(value):
        return percentiles(value)
    order = np.argsort(value, kind="stable")
    sums = np.cumsum(weight[order])
    p50, p95, p99 = (float(value[order][np.searchsorted(sums, q * sums[-1])]) for q in (0.5, 0.95, 0.99))
    return p50, p95, p99


def _points(held: Floats, load: Floats, over: Floats) -> tuple[tuple[float, int, float, float], ...]:
    each = max(math.ceil(len(held) / 500), 1)
    return tuple(
        (
            low * STEP,
            int(held[low : low + each].max()),
            float(load[low : low + each].sum() / max(held[low : low + each].sum(), 1.0)),
            float(over[low : low + each].mean()),
        )
        for low in range(0, len(held), each)
    )
