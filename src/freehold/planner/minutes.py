"""A trace minute by minute: how much work comes, how many replicas a rule has there, what they leave undone. Pure."""

from __future__ import annotations

import math

import numpy as np

from freehold.planner.scaling import Scaler, Work
from freehold.planner.simulate import Tuning
from freehold.planner.traffic import Arrivals, Floats, Rates
from freehold.planner.types import Replicas

STEP = 60.0
"""Seconds of one minute of a sampled trace."""


def drawn(trace: Rates, begins: float, size: tuple[float, float], random: np.random.Generator) -> Arrivals:
    """Independent arrivals with the lengths of a time. `size`: seconds, requests a second."""
    seconds, rate = size
    count = int(random.poisson(rate * seconds))
    row = int(trace.periods(np.array([max(begins, 0.0)]))[0])
    picked = random.integers(0, trace.lengths.input.shape[1], (2, count))
    zeros = np.zeros(count, dtype=np.int64)
    return Arrivals(
        t=np.sort(random.random(count) * seconds),
        input=trace.lengths.input[row][picked[0]].astype(np.int64),
        output=trace.lengths.output[row][picked[1]].astype(np.int64),
        cached=zeros,
        workflow=zeros,
        span_seconds=seconds,
        source=trace.source,
    )


def follow(load: Floats, rule: Replicas, tuning: Tuning) -> tuple[Floats, Floats]:
    """Replicas that are paid and that serve, minute by minute."""
    if rule.kind != "autoscaled":
        fixed = np.full(len(load), float(rule.least))
        return fixed, fixed
    scaler = Scaler(rule, tuning.per_replica)
    seen = np.concatenate([load[:1], load[:-1]])  # a look sees the minute before
    held = np.array([scaler.wish(index * STEP, float(one)) for index, one in enumerate(seen)], dtype=np.float64)
    lag = math.ceil(rule.lag_seconds / STEP)
    # In service is what was wished for the whole lag long.
    serving = held.copy()
    for back in range(1, lag + 1):
        serving = np.minimum(
            serving, np.concatenate([held[:1].repeat(min(back, len(held))), held[:-back]])[: len(held)]
        )
    return held, serving


def of_rates(trace: Rates, each: Work, minutes: int) -> tuple[Floats, Floats]:
    """Calls and load by minute; between the middles of bins the rate is a straight line."""
    at: Floats = (np.arange(minutes, dtype=np.float64) + 0.5) * STEP
    middles = (np.arange(len(trace.rate)) + 0.5) * trace.bin_seconds
    rate = np.interp(at, middles, trace.rate)
    per = trace.lengths.input.mean(axis=1) * each.per_input + trace.lengths.output.mean(axis=1) * each.per_output
    seconds = np.minimum(trace.span_seconds - (at - STEP / 2.0), STEP)
    return rate * seconds, rate * per[trace.periods(at)]


def backlog(load: Floats, present: Floats) -> Floats:
    """Replica-seconds of work that wait at the end of each minute (Lindley's recursion)."""
    found, waiting = np.zeros(len(load)), 0.0
    for index, more in enumerate(((load - present) * STEP).tolist()):
        waiting = max(waiting + more, 0.0)
        found[index] = waiting
    return found
