"""One move on its way, a round at a time: compare what callers were told, weigh it, take the step that is due.

Everything is written before it is acted on, so a worker that is killed leaves a move that the next one takes up.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec
from sqlalchemy import Engine

from freehold.core.clock import Clock
from freehold.core.db import reading, writing
from freehold.core.errors import Conflict, FreeholdError
from freehold.evals.door import Door
from freehold.evals.errors import DoorClosed, DoorRefused
from freehold.evals.proof.validity import Fault
from freehold.ledger import store as ledger
from freehold.moves import store
from freehold.moves.machine import Measured, due
from freehold.moves.measure import Fold, Pulse, fold, weigh
from freehold.moves.pairing import Gold, compare, fault_of
from freehold.moves.types import PAIRING, SERVING, Event, Move, Pair
from freehold.workflows.exchange import exchange
from freehold.workflows.records import LIVE, Record
from freehold.workflows.shelf import Shelf
from freehold.workflows.store import Which

ROUND = 64
"""Calls looked at in one round."""
LAG_SECONDS = 1.0
"""Calls begun less than this ago may not be on the shelf yet; they wait for the next round, so that none is missed."""
ACTOR = "rollout"
ROUND_SECONDS = 20.0
"""After which a round takes what it has, so that every move has its turn."""
_FAILED = frozenset({"failed", "lied", "overloaded", "refused", "timeout", "unreachable"})
"""Outcomes that tell against the one that was asked. `lost` tells that a gateway died."""


class Parts(msgspec.Struct, frozen=True):
    """What a rollout works with."""

    engine: Engine
    shelf: Shelf
    door: Door
    publish: Callable[[], None]
    """Makes the data plane go by what is written down."""
    members: Callable[[Move], tuple[str, ...]]
    """Targets that speak for the candidate alone: itself, or the members of a composite."""
    gold: Callable[[str], Gold]
    """What people said is right, of a workflow."""
    coming: Callable[[Move], bool]
    """Is the candidate's engine on its way? Then comparing waits for it."""
    release: Callable[[], object]
    """Lets go of engines that no move needs any more; what was made stays in the store."""
    clock: Clock


class Rollout:
    """Takes moves onward. Remembers what the pairs in the database come to, and the pulse of each candidate."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._pulses: dict[str, tuple[int, bytes, Pulse]] = {}
        self._folds: dict[str, Fold] = {}
        self._told: dict[str, int] = {}

    def round(self, move_id: str) -> bool:
        """One round; True where there may be more to look at right away.

        Raises what stood in the way of comparing (DoorClosed, DoorRefused), once harm has been looked at all the same.
        """
        parts = self._parts
        with reading(parts.engine) as connection:
            move = store.load(connection, move_id)
            after = store.cursor(connection, move_id)
            wanted = store.wanted(connection, move_id)
        if move.stage not in PAIRING or (move.stage not in SERVING and parts.coming(move)):
            return False
        # Reading what people said costs a file for each word of theirs: only where it decides.
        judged = move.rule.reference == "annotations"
        gold = parts.gold(move.plan.workflow) if judged else _nobody
        found = [] if any(gold(one) is None for one in wanted[:1]) else self._found(move, after)
        made: Sequence[Pair] = ()
        trouble: FreeholdError | None = None
        # What serves is watched, also while it is held; but not at a cost that nobody granted.
        if found and not move.unpaid and (not move.held or move.stage in SERVING):
            try:
                end = parts.clock() + ROUND_SECONDS
                compared = compare(move, found, parts.members(move), parts.door, gold, lambda: parts.clock() > end)
            except (DoorClosed, DoorRefused) as error:
                trouble = error
            else:
                made = compared.pairs
                with writing(parts.engine) as connection:
                    store.add_pairs(connection, move.id, made, compared.looked_at)
                    store.keep_wanted(connection, move.id, compared.wanted)
        pulse = self._pulse(move, after, found)
        self._tell(move, pulse)
        self._step(move, weigh(move.rule, self._fold(move), pulse))
        if trouble is not None:
            raise trouble
        return len(found) == ROUND and bool(made)

    def _fold(self, move: Move) -> Fold:
        before = self._folds.get(move.id, Fold())
        with reading(self._parts.engine) as connection:
            new = store.pairs_of(connection, move.id, before.proof.pairs)
        found = self._folds[move.id] = fold(move.rule, before, new)
        return found

    def _found(self, move: Move, after: bytes) -> list[Record]:
        which = Which(
            workflow=move.plan.workflow,
            source=LIVE,
            since=move.rule.window_until,
            until=self._parts.clock() - LAG_SECONDS,
            answered=True,
        )
        found = []
        for record in self._parts.shelf.records(which, after):
            found.append(record)
            if len(found) == ROUND:
                break
        return found

    def _pulse(self, move: Move, after: bytes, found: Sequence[Record]) -> Pulse:
        """What needs no comparison: did the candidate answer, and in the form that was asked for?

        Each call is looked at once, also where comparing waits for a person or for the incumbent. `found` are the calls
        after `after`, as far as they were read.
        """
        parts = self._parts
        if move.stage not in SERVING:
            return Pulse()
        members = parts.members(move)
        leaf, seen, pulse = self._pulses.get(move.id, (-1, after, Pulse()))
        with reading(parts.engine) as connection:
            tried = ledger.tried(connection, members, leaf, move.stage_at)
        faults: list[Fault | None] = ["timeout"] * sum(outcome in _FAILED for _, outcome in tried)
        for one in found if found and seen == after else self._found(move, seen):
            seen = one.id
            if one.target in members:
                said = exchange(one)
                faults.append(fault_of(said.answer, said))
        pulse = pulse.after(move.rule, faults)
        self._pulses[move.id] = (tried[-1][0] if tried else leaf, seen, pulse)
        return pulse

    def _tell(self, move: Move, pulse: Pulse) -> None:
        """Write the pulse down for whoever looks, where there is something new in it."""
        if self._told.get(move.id, 0) == pulse.health.calls:
            return
        with writing(self._parts.engine) as connection:
            store.keep_health(connection, move.id, pulse.health)
        self._told[move.id] = pulse.health.calls

    def _step(self, move: Move, measured: Measured) -> None:
        wanted = due(move, measured)
        if wanted is None:
            return
        kind, content = wanted
        event = Event(move.events, self._parts.clock(), kind, ACTOR, content)
        try:
            with writing(self._parts.engine) as connection:
                after = store.append(connection, move, event)
        except Conflict:
            return  # somebody else took it onward: the next round sees where it is
        if kind == "stage":
            self._parts.publish()
        if after.ended:
            self._parts.release()


def _nobody(_record: bytes) -> None:
    """No person's word counts by a rule that grades against the incumbent."""


def run(rollout: Rollout, engine: Engine, beat: Callable[[], None], rounds: int = 20) -> int:
    """Rounds for every move under way, fairly; how many there were.

    A move that cannot be compared now keeps no other from its turn; what stood in its way is raised at the end.
    """
    count = 0
    trouble: FreeholdError | None = None
    with reading(engine) as connection:
        waiting = [one.id for one in store.active(connection)]
    for _ in range(rounds):
        if not waiting:
            break
        again = []
        for one in waiting:
            beat()
            count += 1
            try:
                if rollout.round(one):
                    again.append(one)
            except FreeholdError as error:
                trouble = error
        waiting = again
    if trouble is not None:
        raise trouble
    return count
