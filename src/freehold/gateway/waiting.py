"""Priority classes in the call machine: where a target is full a call waits its turn, or goes where there is room.

Nothing is reserved, permitted or written down for a call that waits; it goes on as if it had just come.
"""

from __future__ import annotations

from collections.abc import Sequence

from freehold.core.errors import BadRequest, FreeholdError
from freehold.gateway.errors import TargetBusy
from freehold.gateway.replaying import Replaying
from freehold.gateway.routing.queue import BATCH, CLASSES, Queue
from freehold.gateway.routing.table import Path, Stop

BATCH_PATIENCE = 10.0
"""Batch waits so many times as long as others."""
BUSY_SECONDS = 5.0
"""When to come again."""


class Waiting(Replaying):
    """The call machine where a target has no room."""

    rank = 0
    """Place of its class in `CLASSES`."""
    queue: Queue | None = None
    """Where it waits."""
    _turn = ""
    """The target whose turn it is to be asked."""

    def rank_on(self, path: Path) -> int:
        """The class of this call: its route's and its team's, or a lower one that it names. Raises BadRequest."""
        caller = self.caller
        assert caller is not None
        rank = max(CLASSES.index(path.route.priority), CLASSES.index(caller.principal.priority))
        named = self.inbound.headers.get(b"x-freehold-priority")
        if named is None:
            return rank
        wish = named.decode("latin-1").strip().lower()
        if wish not in CLASSES:
            raise BadRequest(f"a priority is one of {', '.join(CLASSES)}", param="x-freehold-priority")
        return max(rank, CLASSES.index(wish))

    def with_room(self, plan: Sequence[Stop]) -> Sequence[Stop]:
        """The plan with full targets behind the others; batch waits rather than go where it would not have gone.

        Raises BadRequest.
        """
        lane = self.lane
        assert lane is not None
        self.rank = self.rank_on(lane.path)
        if self.rank == BATCH:
            return plan
        full = [not self.has_room(stop) for stop in plan]
        if not any(full) or all(full):
            return plan
        return sorted(plan, key=lambda stop: not self.has_room(stop))

    def enter(self, stop: Stop, now: float) -> bool:
        """True where the attempt may go on; else the call waits for the target, or went on elsewhere.

        Raises TargetBusy, BadRequest, and what `attempt` raises.
        """
        queue, turn, self._turn = stop.health.queue, self._turn, ""
        if queue is None or turn == stop.name:
            return True
        lane = self.lane
        assert lane is not None
        self.rank = self.rank_on(lane.path)
        if queue.room(stop.health.in_flight, self.rank):
            return True
        step = self._step()
        if step is not None and step.lenient and step.onward < len(self.plan):
            self.position = step.onward
            self.attempt()
            return False
        if not queue.join(self, self.rank, self.plane.later):
            raise TargetBusy(f"{stop.name} is busy, and so are those who wait for it", retry_after=BUSY_SECONDS)
        self.queue = queue
        patience = stop.target.first_token_seconds
        self.deadline = now + (patience * BATCH_PATIENCE if self.rank == BATCH else patience)
        return False

    def attempt(self) -> None:
        """The attempt at `position`."""
        raise NotImplementedError

    def admitted(self) -> None:
        """There is room now."""
        self.queue = None
        if self.over:
            return
        self._turn = self.plan[self.position].name
        try:
            self.attempt()
        except FreeholdError as error:
            self.refuse(self.last_error or error)
        except Exception as error:  # noqa: BLE001 - the process edge: the call must still end
            self.crash(error)

    def displaced(self) -> None:
        """Its place is taken by somebody who is waited for."""
        self.queue = None
        name = self.plan[self.position].name
        self.refuse(TargetBusy(f"{name} is busy, and others go first", retry_after=BUSY_SECONDS))

    def expire(self, now: float) -> None:
        """The deadline has passed."""
        queue = self.queue
        if queue is None:
            super().expire(now)
            return
        queue.leave(self)
        self.queue = None
        name = self.plan[self.position].name
        self.refuse(TargetBusy(f"{name} was busy for as long as a call waits", retry_after=BUSY_SECONDS))

    def hung_up(self) -> None:
        """The caller is gone."""
        if self.queue is not None:
            self.queue.leave(self)
            self.queue = None
        super().hung_up()

    def has_room(self, stop: Stop) -> bool:
        """May a call of this class go there at once?"""
        queue = stop.health.queue
        return queue is None or queue.room(stop.health.in_flight, self.rank)
