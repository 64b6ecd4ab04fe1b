"""Live figures of a target: how soon its recent answers began, and what they cost. State of one target in one process.

Kept only where a route asks for them. What was not heard of for a while counts as unknown, and unknown as good: so a
target that was slow once is asked again, one call at a time.
"""

from __future__ import annotations

import math
from collections import deque

from freehold.ledger.meter import Rate, Usage

TAU_SECONDS = 10.0
"""How long a figure is remembered for the average: as in Finagle's Peak EWMA load metric, which this follows."""
UNKNOWN_SECONDS = 300.0
"""After so long without an answer nothing is known any more."""
SAMPLES = 100
LEAST_SAMPLES = 20
"""Fewer say nothing of the slowest 5 of 100."""
RECENT = 256
"""Answers that are told of, at most."""
OUTPUT_SHARE = 0.25
"""Tokens of output for one of input, where no call has told yet: a rule of thumb."""
NEWEST = 0.1
"""Weight of the newest answer in what calls cost."""


class Figures:
    """Seconds from sending to the answer's beginning, and dollars for a token of input with all that follows it."""

    __slots__ = ("_dollars", "_heard", "_late", "_samples", "_seconds")

    def __init__(self) -> None:
        self._seconds = 0.0
        self._heard = -math.inf
        self._dollars: float | None = None
        self._samples: tuple[deque[float], deque[float]] = (deque(maxlen=SAMPLES), deque(maxlen=SAMPLES))
        """Of whole answers, and of streams."""
        self._late: list[float | None] = [None, None]

    def began(self, seconds: float, now: float, *, streams: bool = True) -> None:
        """An answer began, or was given up, after so long. A peak counts at once, what is better little by little."""
        kept = math.exp(-max(now - self._heard, 0.0) / TAU_SECONDS)
        self._seconds = seconds if seconds > self._seconds else self._seconds * kept + seconds * (1.0 - kept)
        self._heard = now
        self._samples[streams].append(seconds)
        self._late[streams] = None

    def cost(self, dollars: float, usage: Usage) -> None:
        """An answer was paid for."""
        if not usage.input:
            return
        each = dollars / usage.input
        self._dollars = each if self._dollars is None else self._dollars * (1.0 - NEWEST) + each * NEWEST

    def seconds(self, now: float) -> float:
        """How soon an answer should begin; 0 where nothing is known."""
        return self._seconds if now - self._heard < UNKNOWN_SECONDS else 0.0

    def late(self, *, streams: bool = True) -> float | None:
        """By when 95 of 100 recent answers had begun; None where too few are known."""
        samples, known = self._samples[streams], self._late[streams]
        if len(samples) < LEAST_SAMPLES:
            return None
        if known is None:
            known = self._late[streams] = sorted(samples)[math.ceil(0.95 * len(samples)) - 1]
        return known

    def dollars(self, rate: Rate) -> float:
        """What a token of input costs with its output: as calls did cost, else by the price."""
        if self._dollars is not None:
            return self._dollars
        return float(rate.input) + OUTPUT_SHARE * float(rate.output)


class Recent:
    """When the last answers ended and how soon each had begun: what people are told, nothing is decided by it."""

    __slots__ = ("_kept", "add")

    def __init__(self) -> None:
        self._kept: deque[tuple[float, float]] = deque(maxlen=RECENT)
        self.add = self._kept.append
        """Takes the moment and the seconds."""

    def begins(self, now: float) -> tuple[float | None, float | None]:
        """Milliseconds within which half, and 95 of 100, of the answers of the last minutes began; None for none."""
        found = sorted(seconds for at, seconds in self._kept if abs(now - at) < UNKNOWN_SECONDS)
        if not found:
            return None, None
        ranks = (math.ceil(share * len(found)) - 1 for share in (0.5, 0.95))
        middle, late = (round(found[rank] * 1000, 1) for rank in ranks)
        return middle, late


def slowness(figures: Figures | None, in_flight: int, now: float) -> float:
    """What `fastest` goes by: seconds for each call that would be under way. Endless where nobody keeps figures."""
    return math.inf if figures is None else figures.seconds(now) * (in_flight + 1)


def dearness(figures: Figures | None, rate: Rate) -> float:
    """What `cheapest` goes by."""
    return math.inf if figures is None else figures.dollars(rate)
