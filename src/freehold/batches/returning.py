"""A vendor's answers on their way back: each through the gateway, then into the journal, then to its batch.

Invariant: the end of a line's call is in the journal before the line is told of; what is told twice counts once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from threading import Event

import msgspec
from msgspec.structs import replace

from freehold.batches import store
from freehold.batches.asking import KeyEnded, Later
from freehold.batches.files import Cabinet
from freehold.batches.lines import Lines
from freehold.batches.passed import Passes, Refused, outcome
from freehold.batches.reading import read
from freehold.batches.types import Batch, Outcome, Passage, Problem, Said, Task, batch_text
from freehold.batches.vendors import Came, Why
from freehold.core.clock import Clock
from freehold.core.db import reading, writing
from freehold.core.errors import BadSignature, NotFound
from freehold.core.money import ZERO
from freehold.gateway.passed_lines import Deliver, Line, Ready
from freehold.ledger.frames import Close, Frame, Open, Tried
from freehold.ledger.journal import unpack
from freehold.ledger.meter import Usage
from freehold.ledger.standing import Standing

KEY_ENDED = Problem("key_ended", "the key that made the batch may not call any more")


class Left(msgspec.Struct, frozen=True):
    """What is not done. `waits` where some lines are to be delivered later."""

    waits: bool
    problem: Problem | None = None


class Home(msgspec.Struct, frozen=True):
    """Where answers go: their batch, and the journal of its calls."""

    batch: Batch
    said: Said
    standing: Standing


class Returning:
    """Brings answers back."""

    def __init__(self, cabinet: Cabinet, lines: Lines, door: Passes, clock: Clock) -> None:
        self._cabinet = cabinet
        self._engine = lines.engine
        self._lines = lines
        self.door = door
        self.clock = clock

    def ready(self, batch: Batch, found: Passage, *, all_of_them: bool = True) -> dict[int, Ready]:
        """Lines as they left, by number; else those whose calls have not ended."""
        with reading(self._engine) as connection:
            rows = store.passed_lines(connection, found.id)
        drawer = self._lines.drawer
        return {
            number: msgspec.msgpack.decode(drawer.line(batch.id, number, sealed), type=Ready)
            for number, sealed, settled in rows
            if all_of_them or not settled
        }

    def take(self, home: Home, found: Passage, answers: Sequence[Came], stopping: Event) -> Left:
        """Deliver what came, until `stopping` is set. Raises Unclear, JournalUnavailable."""
        batch = home.batch
        open_ = self.ready(batch, found, all_of_them=False)
        tasks = self.tasks(batch)
        waits, problem = False, None
        for came in answers:
            number = number_of(batch, came.mark)
            if number not in open_:
                continue
            if stopping.is_set():
                return Left(waits=True)
            ready = open_.pop(number)
            task = tasks.get(number)
            try:
                told = self._deliver(home, (ready, task), came)
            except KeyEnded:
                told, problem = None, KEY_ENDED
            except Later:
                waits = True
                continue
            if told is not None and task is not None:
                self._lines.write(batch, task, told)
            with writing(self._engine) as connection:
                store.settle_passed(connection, found.id, number)
        return Left(waits, problem)

    def not_run(self, batch: Batch, found: Passage, why: Why, *, tell: bool) -> list[Frame]:
        """How the calls end that the vendor did not run, at no cost; where `tell`, the lines say so."""
        tasks = self.tasks(batch) if tell else {}
        frames: list[Frame] = []
        for number, ready in self.ready(batch, found, all_of_them=False).items():
            if number in tasks:
                self._lines.write(batch, tasks[number], Outcome(error=why[0], message=why[1]))
            frames.append(self._nothing(ready, why[0]))
        return frames

    def tasks(self, batch: Batch) -> dict[int, Task]:
        """The input's lines; none where it is gone. Raises StoreAway."""
        try:
            with reading(self._engine) as connection:
                there = store.find_file(connection, batch.key_id, batch.input_file)
            if there is None:
                return {}
            content = self._cabinet.bodies.open(there[1])
        except (BadSignature, NotFound):
            return {}
        return {one.number: one for one in read(content, batch.endpoint, max(batch.total, 1)).tasks}

    def _deliver(self, home: Home, line: tuple[Ready, Task | None], came: Came) -> Outcome:
        """Raises Later, KeyEnded, Unclear."""
        ready, task = line
        batch, standing = home.batch, home.standing
        if not came.status:
            standing.add([self._nothing(ready, came.error)])
            return Outcome(error=came.error, message=came.message)
        asked = line_of(batch, home.said, task or Task(0, "", b"{}"))
        told = Deliver(line=asked, call=ready.call, target=ready.target, status=came.status, answer=came.body)
        try:
            found = self.door.deliver(told)
        except Refused as refused:  # its target is gone: the call ends at what it reserved
            return Outcome(error=refused.code, message=str(refused))
        over = self.clock() >= batch.expires_at
        try:
            became = outcome(found.answered)
        except Later as later:
            if came.status == 200 and not over:  # the answer is there, and cannot be looked at just now
                raise
            became = later.last
        except KeyEnded:
            standing.add(_late(found.closing, ready.opening))
            raise
        standing.add(_late(found.closing, ready.opening))
        return became

    def _nothing(self, ready: Ready, error: str) -> Close:
        now = self.clock()
        tried = Tried(1, ready.target, 0.0, None, now - _opened_at(ready.opening, now), "cancelled", 0, Usage(), ZERO)
        return Close(ready.call, now, "failed", 0, ZERO, (tried,), b"", 0, error=error)


def line_of(batch: Batch, said: Said, task: Task) -> Line:
    """One line for the gateway."""
    mark = f"{batch_text(batch.id)}-{task.number}"
    return Line(key_id=batch.key_id, path=batch.endpoint, headers=said.headers, body=task.body, mark=mark)


def number_of(batch: Batch, mark: str) -> int:
    """Which line a vendor's answer is to; 0 for none of ours."""
    whose, _, number = mark.rpartition("-")
    return int(number) if whose == batch_text(batch.id) and number.isdecimal() and len(number) < 10 else 0


def _opened_at(opening: bytes, otherwise: float) -> float:
    return next((one.at for one in unpack(opening)[0] if isinstance(one, Open)), otherwise)


def _late(closing: bytes, opening: bytes) -> Iterable[Frame]:
    """The frames of a delivery, with the time that the vendor took."""
    for one in unpack(closing)[0]:
        if isinstance(one, Close):
            took = max(one.at - _opened_at(opening, one.at), 0.0)
            tried = tuple(replace(each, started=0.0, first_token=None, ended=took) for each in one.tried)
            yield replace(one, tried=tried)
        else:
            yield one
