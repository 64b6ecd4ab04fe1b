"""What a clock that was set does to what is under way: nothing.

Deadlines and rests are moments of the wall clock. Where it is set, by hand or by NTP after a long sleep, they are moved
along with it: else every call under way would time out at once, or none for as long as the clock went back.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from freehold.gateway.plane import Plane

LEAST_SECONDS = 1.0
"""Less is how clocks are kept right, and how a busy process is late."""


class Steps:
    """Tells by how much the wall clock was set since it was last asked, by a clock that nobody sets."""

    def __init__(self, wall: Callable[[], float], steady: Callable[[], float]) -> None:
        self._wall = wall
        self._steady = steady
        self._apart = wall() - steady()

    def taken(self) -> float:
        """Seconds, negative where it went back; 0 where it was not set."""
        before, self._apart = self._apart, self._wall() - self._steady()
        step = self._apart - before
        return step if abs(step) >= LEAST_SECONDS else 0.0


def move(plane: Plane, seconds: float) -> None:
    """Move every moment this process waits for along with the clock."""
    for call in plane.calls:
        call.deadline += seconds
    for connection in plane.connections:
        connection.since += seconds
    for stop in plane.table.stops.values():
        stop.health.breaker.move(seconds)
    plane.pool.move(seconds)
