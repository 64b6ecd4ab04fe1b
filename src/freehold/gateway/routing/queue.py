"""Who waits for a target that takes so many calls at once: by class, then by arrival. State of one process.

Bounded; whoever leaves makes room at once. A class never goes before a higher one that waits, and `batch` leaves a
quarter of the target free for those that somebody waits for.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from freehold.gateway.routing.table import Health

CLASSES = ("interactive", "normal", "batch")
"""Highest first; the rank of a class is its place here."""
BATCH = 2
BATCH_SHARE = 0.75
"""Batch goes only where less than so much of a target is in use."""
UNBOUNDED = 1 << 30

Later = Callable[[float, Callable[[], None]], object]


class Waiter(Protocol):
    """A call that waits."""

    def admitted(self) -> None:
        """There is room: go on, or be gone. Raises nothing."""

    def displaced(self) -> None:
        """There is no room, not even for waiting. Raises nothing."""


class Queue:
    """Of one target."""

    __slots__ = ("_due", "_later", "_waiting", "limit", "most")

    def __init__(self, limit: int, most: int) -> None:
        self.limit = limit
        """Calls under way at once."""
        self.most = most
        """Calls that may wait."""
        self._waiting: tuple[deque[Waiter], ...] = tuple(deque() for _ in CLASSES)
        self._later: Later | None = None
        self._due = False

    def __len__(self) -> int:
        return sum(map(len, self._waiting))

    def room(self, in_flight: int, rank: int) -> bool:
        """May a call of this class go at once? Not before others of its class, or of a higher one."""
        return self._free(in_flight, rank) and not any(self._waiting[: rank + 1])

    def join(self, waiter: Waiter, rank: int, later: Later) -> bool:
        """Wait, where there is a place or a lower class gives up its last one. False where there is none."""
        self._later = later
        if len(self) >= self.most:
            lower = next((one for one in reversed(self._waiting[rank + 1 :]) if one), None)
            if lower is None:
                return False
            lower.pop().displaced()
        self._waiting[rank].append(waiter)
        return True

    def leave(self, waiter: Waiter) -> None:
        """Wait no more."""
        for one in self._waiting:
            if waiter in one:
                one.remove(waiter)

    def wake(self, health: Health) -> None:
        """A call is over: let the next ones go, in a turn of the loop of their own."""
        if not self._due and self._later is not None and any(self._waiting):
            self._due = True
            self._later(0.0, lambda: self.pump(health))

    def pump(self, health: Health) -> None:
        """Let go whoever may go now."""
        self._due = False
        for rank, waiting in enumerate(self._waiting):
            while waiting and self._free(health.in_flight, rank):
                waiting.popleft().admitted()
            if waiting:
                return

    def _free(self, in_flight: int, rank: int) -> bool:
        limit = self.limit
        return in_flight < (max(int(limit * BATCH_SHARE), 1) if rank == BATCH else limit)


def bounded(health: Health, limit: int, most: int) -> None:
    """Give a target's health the queue that its settings want. Who waits already stays, and goes once it may."""
    queue = health.queue
    if queue is None:
        health.queue = Queue(limit, most) if limit else None
        return
    queue.limit, queue.most = limit or UNBOUNDED, most
    queue.wake(health)
