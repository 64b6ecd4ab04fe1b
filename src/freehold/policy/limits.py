"""Request and token limits per minute: buckets that refill evenly (GCRA), pure but for their own level.

A bucket holds one minute's worth; a call takes one request and its expected tokens, and settles tokens afterwards.
"""

from __future__ import annotations


class Bucket:
    """`per_minute` units a minute. `level` may go below zero when a call used more than was expected."""

    __slots__ = ("at", "level", "limit", "per_minute", "rate")

    def __init__(self, per_minute: int, now: float) -> None:
        self.limit = per_minute
        """What its key was given, of which this may be a part."""
        self.per_minute = per_minute
        self.rate = per_minute / 60.0
        self.level = float(per_minute)
        self.at = now

    def take(self, amount: float, now: float) -> float:
        """Take `amount`: 0 when it was there, else the seconds until it will be (nothing is taken)."""
        level = self.level
        if now > self.at:  # a clock that was set back takes nothing away
            level += (now - self.at) * self.rate
            if level > self.per_minute:
                level = float(self.per_minute)
        self.at = now
        self.level = level
        # More than a whole minute's worth may pass when the bucket is full, or it never could.
        if level >= amount or level >= self.per_minute:
            self.level = level - amount
            return 0.0
        return max((min(amount, self.per_minute) - level) / self.rate, 0.001)

    def correct(self, amount: float) -> None:
        """Take more (or give back, where negative) once the true amount is known."""
        self.level = min(self.level - amount, float(self.per_minute))

    def state(self) -> tuple[int, int, float]:
        """The limit, whole units left as of the last `take`, and seconds until the bucket is full again."""
        level, limit = self.level, self.per_minute
        return limit, int(level) if level > 0.0 else 0, (limit - level) / self.rate
