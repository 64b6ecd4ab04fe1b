"""Retries: a budget, so that they cannot multiply an outage, and a wait that grows with jitter."""

from __future__ import annotations

FLOOR_PER_MINUTE = 10.0
BASE_SECONDS = 0.25
MAX_SAVED = 1000.0
MAX_WAIT_SECONDS = 8.0
"""Longest a caller is kept waiting for a retry; a target that asks for more gets no retry."""


class RetryBudget:
    """Retries may be at most `ratio` of calls, plus ten a minute so that quiet routes may retry at all."""

    __slots__ = ("_at", "_tokens", "calls", "ratio")

    def __init__(self, ratio: float, now: float) -> None:
        self.ratio = ratio
        self._tokens = FLOOR_PER_MINUTE
        self._at = now
        self.calls = 0
        """First attempts since the last `take`; whoever makes one adds it."""

    def take(self, now: float) -> bool:
        """May one more retry be made now?"""
        refill = max(now - self._at, 0.0) * FLOOR_PER_MINUTE / 60.0
        self._at = now
        self._tokens = min(self._tokens + self.calls * self.ratio, MAX_SAVED)
        self.calls = 0
        if self._tokens < FLOOR_PER_MINUTE:
            self._tokens = min(self._tokens + refill, FLOOR_PER_MINUTE)
        if self._tokens < 1.0:
            return False
        self._tokens -= 1.0
        return True


def wait(number: int, asked: float | None, roll: float) -> float | None:
    """Seconds before attempt `number` (2 is the first retry) at the same target; None where it is not worth it.

    `asked` is the target's Retry-After, `roll` a random number in [0, 1): full jitter over a doubling interval.
    """
    if asked is not None:
        return asked + roll * BASE_SECONDS if asked <= MAX_WAIT_SECONDS else None
    return roll * min(BASE_SECONDS * 2.0 ** (number - 1), MAX_WAIT_SECONDS)
