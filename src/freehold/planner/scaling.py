"""How many replicas there are: what an autoscaler wants from the load it saw, and when it gets it.

Pure. A replica is paid from the moment it is wished for; it serves once its lag is over.
"""

from __future__ import annotations

import math
from collections import deque

import msgspec

from freehold.planner.types import Replicas, Speed

TICK = 15.0
"""Seconds between two looks at the load: Kubernetes' default for its horizontal autoscaler."""
SEEN = 60.0
"""Seconds of arrivals that a look averages over."""
STABLE = 300.0
"""Seconds for which the highest wish holds before replicas go: Kubernetes' default stabilisation window."""
MAINTENANCE_SECONDS = 900.0
"""Of one absence for maintenance: a restart with new weights or a new driver."""


class Work(msgspec.Struct, frozen=True):
    """Seconds of one replica that a token takes, where the replica is as busy as it can be."""

    per_input: float
    per_output: float


def work(speed: Speed, mean_input: float, mean_output: float, chunk: int) -> Work:
    """From the two ends: full steps of prompts alone, and steps of as many answers as fit."""
    context = mean_input + mean_output / 2.0
    batch = max(min(speed.max_batch, int(speed.kv_tokens / max(context, 1.0))), 1)
    return Work(
        speed.step_seconds(chunk, 0, 0) / chunk,
        speed.step_seconds(0, batch, int(batch * context)) / batch,
    )


class Scaler:
    """Wishes from load, replica by replica. `per_replica` is the load that one is to have (1: all it can)."""

    __slots__ = ("_per_replica", "_rule", "_wishes")

    def __init__(self, rule: Replicas, per_replica: float) -> None:
        self._rule, self._per_replica = rule, per_replica
        self._wishes: deque[tuple[float, int]] = deque()

    def wish(self, now: float, load: float) -> int:
        """Replicas to have from now on, of which new ones serve after the lag. `load` is in replicas fully busy."""
        rule = self._rule
        wanted = math.ceil(load / self._per_replica - 1e-9) + rule.spare
        wanted = min(max(wanted, rule.least), rule.most)
        while self._wishes and self._wishes[-1][1] <= wanted:
            self._wishes.pop()
        self._wishes.append((now, wanted))
        while self._wishes[0][0] < now - STABLE:
            self._wishes.popleft()
        return self._wishes[0][1]


def away(index: int, replicas: int, share: float, span: float, now: float) -> bool:
    """Whether a replica is in maintenance. Each is away for exactly `share` of the time, one after another."""
    if share <= 0.0 or replicas < 1:
        return False
    period = span / max(round(span * share / MAINTENANCE_SECONDS), 1)
    phase = (now / period - (index + 0.5) / replicas) % 1.0
    return phase < share


def spare_for(needed: int, share: float, least: int, risk: float = 0.01) -> int:
    """Replicas beyond the needed ones, so that with maintenance `share` too few are there with probability <= `risk`.

    Never fewer than `least`. Absences are taken as independent, so their number is binomial.
    """
    spare = max(least, 0)
    while _more_than(spare, needed + spare, share) > risk and spare < needed + least + 64:
        spare += 1
    return spare


def _more_than(limit: int, count: int, share: float) -> float:
    """P(Binomial(count, share) > limit)."""
    term = (1.0 - share) ** count
    total = term
    for successes in range(1, limit + 1):
        term *= (count - successes + 1) / successes * share / (1.0 - share) if share < 1.0 else 0.0
        total += term
    return max(1.0 - total, 0.0)
