"""A circuit breaker for each target: stop asking what does not answer, try again a little later.

closed -> (5 failures in a row, or half of the last 20) -> open for 5 s, doubling to 60 s -> one probe -> closed.
An overloaded target rests for as long as it asked, without counting as broken.
"""

from __future__ import annotations

IN_A_ROW = 5
WINDOW = 20
REST_SECONDS = 5.0
MAX_REST_SECONDS = 60.0


class Breaker:
    """State of one target in one process. Times are Unix seconds."""

    __slots__ = ("_outcomes", "_probing", "_rest", "_row", "reason", "troubled", "until")

    def __init__(self) -> None:
        self.until = 0.0
        """Not to be asked before this time."""
        self.reason = ""
        self._row = 0
        self._rest = REST_SECONDS
        self._outcomes = 0
        self._probing = False
        self.troubled = False
        """False while nothing bad is remembered, so that success need not be told."""

    def allows(self, now: float) -> bool:
        """May the target be asked? Side-effect free; `begin` claims the probe."""
        return now >= self.until and not self._probing

    def begin(self, now: float) -> None:
        """A call is about to go there: while open, it is the one probe."""
        if self.until and now >= self.until and self.reason == "failing":
            self._probing = True

    def succeeded(self) -> None:
        """It answered."""
        self._outcomes = (self._outcomes << 1) & ((1 << WINDOW) - 1)
        self._row = 0
        self.until = 0.0
        self.reason = ""
        self._rest = REST_SECONDS
        self._probing = False
        self.troubled = self._outcomes != 0

    def failed(self, now: float) -> None:
        """It did not."""
        self.troubled = True
        self._outcomes = ((self._outcomes << 1) | 1) & ((1 << WINDOW) - 1)
        self._row += 1
        if now < self.until and not self._probing:
            return  # open already: what was under way says nothing new
        if self._probing or self._row >= IN_A_ROW or self._outcomes.bit_count() >= WINDOW // 2:
            self.until = now + self._rest
            self.reason = "failing"
            self._rest = min(self._rest * 2, MAX_REST_SECONDS)
            self._probing = False
            self._outcomes = 0

    def rest(self, now: float, seconds: float) -> None:
        """It asked for a pause."""
        self.troubled = True
        self.until = max(self.until, now + min(seconds, MAX_REST_SECONDS))
        self.reason = self.reason or "asked to wait"
        self._probing = False

    def move(self, seconds: float) -> None:
        """The clock was set by so much."""
        if self.until:
            self.until += seconds

    def released(self) -> None:
        """The call ended without saying anything about the target (the caller hung up)."""
        self._probing = False
