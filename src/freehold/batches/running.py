"""Open batches, taken on line by line: at most one of each key at a time, as many lines at once as the settings say.

Invariant: what became of a line is written down once, with its count, before the batch can end; whoever is killed
leaves lines under way to be asked again, and nothing else.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

import msgspec
from sqlalchemy import Connection

from freehold.batches import store
from freehold.batches.asking import Asked, Asks, KeyEnded, Later
from freehold.batches.ending import Ending
from freehold.batches.files import Cabinet
from freehold.batches.lines import Lines
from freehold.batches.passages import Passages, Step
from freehold.batches.reading import read
from freehold.batches.sealing import Drawer
from freehold.batches.settings import BatchSettings
from freehold.batches.types import (
    CANCELLING,
    FAILED,
    IN_PROGRESS,
    VALIDATING,
    Batch,
    Outcome,
    Problem,
    Said,
    Task,
    batch_text,
)
from freehold.core.clock import Clock
from freehold.core.db import reading, writing
from freehold.core.errors import BadSignature, NotFound
from freehold.gateway.passed_lines import NotPassed, Ready
from freehold.jobs.types import Beat, Kind, Payload, Schedule
from freehold.ledger.errors import SpoolFull, StoreAway
from freehold.ledger.retention import DAY

KIND = "batches.run"
SCHEDULE = Schedule("batches", KIND, every_seconds=1.0)
LEASE_SECONDS = 60.0
TRIES = 3
"""How often a line is asked whose answer fails in a way that may pass."""
GRACE_SECONDS = 15.0
"""For lines under way when the process is told to end."""
TIDY_SECONDS = 3600.0
MOST_OPEN = 8
"""Batches that are read into memory at a time."""
MOST_AWAY = 4
"""Steps of batches to and from vendors at a time, beside the lines."""
GONE = Problem("input_file_gone", "the input file was deleted or erased")
KEY_ENDED = Problem("key_ended", "the key that made the batch may not call any more")

Pause = Callable[[float], None]


class Running:
    """One open batch in memory."""

    def __init__(self, batch: Batch, said: Said, tasks: deque[Task]) -> None:
        self.batch = batch
        self.said = said
        self.tasks = tasks
        """Not asked yet, or to be asked again."""
        self.flying = 0
        self.not_before = 0.0
        self.tries: dict[int, int] = {}
        self.problem: Problem | None = None
        self.passing = False
        """Are its lines made ready for their vendor's batches?"""
        self.apart: set[int] = set()
        """Lines that are asked like any calls all the same."""
        self.stopped = False
        """Was its vendor's side told that no more is wanted?"""
        self.away = False
        """Is it in a vendor's hands, or on its way there?"""

    @property
    def resting(self) -> bool:
        """Is nothing of it asked just now?"""
        return not self.tasks and not self.flying


Flight = tuple[Running, Task | None]
"""A line, or None for a step of the batch on its way to its vendor and back."""
Became = Outcome | Ready | NotPassed | Step


class Runner:
    """Works on every open batch of an instance."""

    def __init__(
        self,
        cabinet: Cabinet,
        drawer: Drawer,
        door: Asks,
        settings: BatchSettings,
        clock: Clock,
        pause: Pause = time.sleep,
    ) -> None:
        self._cabinet = cabinet
        self._engine = cabinet.engine
        self._drawer = drawer
        self._door = door
        self._settings = settings
        self._clock = clock
        self._pause = pause
        self._ending = Ending(cabinet, drawer, clock)
        self._lines = Lines(cabinet.engine, drawer)
        self.passages: Passages | None = None
        """Where batches are passed to vendors; None where none are."""
        self._running: dict[bytes, Running] = {}
        self._tidied_at = 0.0

    def kind(self) -> Kind:
        """As background work."""

        def run(_payload: Payload, beat: Beat) -> Payload:
            return {"ended": self.run(lambda: beat({}))}

        return Kind(KIND, run, lease_seconds=LEASE_SECONDS, kept=False)

    def run(self, beat: Callable[[], None]) -> int:
        """Until no batch is open; how many ended. `beat` may raise: lines under way are then asked by the next one."""
        ended = 0
        flights: dict[Future[Became], Flight] = {}
        pool = ThreadPoolExecutor(self._settings.workers + MOST_AWAY, thread_name_prefix="batch")
        self._running.clear()
        if self.passages is not None:
            self.passages.stopping.clear()
        self._tidy()
        try:
            while True:
                ended += self._refresh()
                if not self._running and not flights:
                    return ended
                self._fill(pool, flights)
                if flights:
                    self._land(flights)
                else:
                    self._pause(0.2)
                beat()
        finally:
            if self.passages is not None:
                self.passages.stopping.set()
            wait(flights, timeout=GRACE_SECONDS)
            self._land({future: flight for future, flight in flights.items() if future.done()})
            pool.shutdown(wait=False, cancel_futures=True)

    def _tidy(self) -> None:
        """Once an hour, drop the rows of what ended long ago."""
        now = self._clock()
        if now - self._tidied_at >= TIDY_SECONDS:
            self._tidied_at = now
            with writing(self._engine) as connection:
                store.forget(connection, now, now - self._settings.file_days * DAY)

    def _refresh(self) -> int:
        """Read what changed: new batches, cancelled ones, ends. How many ended."""
        now, ended = self._clock(), 0
        with reading(self._engine) as connection:
            found = [store.find_batch(connection, one.key_id, one.id) for one in self._turn(connection, now)]
        for batch, sealed in filter(None, found):
            try:
                ended += self._moved(batch, sealed, now)
            except (StoreAway, SpoolFull):  # its file is to be had later: nothing of it is begun, or ended, before
                continue
        return ended

    def _moved(self, batch: Batch, sealed: bytes, now: float) -> bool:
        """Take it up, or see what changed of it; did it end? Raises StoreAway, SpoolFull."""
        one = self._running.get(batch.id) or self._begin(batch, sealed)
        if one is None:
            return True
        one.batch = batch
        if batch.status == CANCELLING or now >= batch.expires_at or self._lost(one, sealed):
            one.tasks.clear()
        if one.resting and not one.away:
            self._ending.end(batch, one.said, one.problem)
            del self._running[batch.id]
            return True
        return False

    def _turn(self, connection: Connection, now: float) -> list[store.Mark]:
        """The oldest batch of each key, as far as there is room, and those that are to end."""
        chosen: list[store.Mark] = []
        keys: set[str] = set()
        for one in store.open_batches(connection):
            running = self._running.get(one.id)
            due = now >= one.expires_at or one.status == CANCELLING
            if running is not None and running.away and running.resting:
                chosen.append(one)  # its key's next batch need not wait for the vendor
            elif due or (one.key_id not in keys and len(keys) < MOST_OPEN):
                keys.add(one.key_id)
                chosen.append(one)
        return chosen

    def _lost(self, one: Running, sealed: bytes) -> bool:
        """Is there a reason to ask no more, whatever is left?"""
        if one.problem is None:
            try:
                self._drawer.said(one.batch, sealed)
                with reading(self._engine) as connection:
                    there = store.find_file(connection, one.batch.key_id, one.batch.input_file)
            except (BadSignature, NotFound):
                there = None
            if there is None:
                one.problem = GONE
        return one.problem is not None

    def _begin(self, batch: Batch, sealed: bytes) -> Running | None:
        """Take a batch up, anew or where it was left; None where it ended at once."""
        try:
            said = self._drawer.said(batch, sealed)
            with reading(self._engine) as connection:
                found = store.find_file(connection, batch.key_id, batch.input_file)
                done = store.answered(connection, batch.id)
            content = b"" if found is None else self._cabinet.bodies.open(found[1])
        except (BadSignature, NotFound):
            said, found, content, done = Said(), None, b"", set()
        passages = self.passages
        if found is None:
            if passages is not None and passages.under_way(batch.id):
                one = self._running[batch.id] = Running(batch, said, deque())
                one.problem, one.away = GONE, True
                return one
            self._ending.end(batch, said, GONE)
            return None
        it = read(content, batch.endpoint, self._settings.max_lines)
        if batch.status == VALIDATING:
            self._validated(batch, it.problems, len(it.tasks), it.model)
            if it.problems:
                return None
        if passages is not None:
            done |= passages.ready(batch.id)
        one = Running(batch, said, deque(task for task in it.tasks if task.number not in done))
        if passages is not None:
            one.passing = bool(it.model) and passages.may_pass(batch, len(content))
            one.away = passages.known(batch.id)
        self._running[batch.id] = one
        return one

    def _validated(self, batch: Batch, problems: tuple[Problem, ...], total: int, model: str) -> None:
        now = self._clock()
        with writing(self._engine) as connection:
            found = store.find_batch(connection, batch.key_id, batch.id)
            if found is None or found[0].status != VALIDATING:
                return
            status = FAILED if problems else IN_PROGRESS
            values = {"status": status, "times": {**found[0].times, status: now}, "problems": problems}
            store.save(connection, msgspec.structs.replace(found[0], total=total, model=model, **values))

    def _fill(self, pool: ThreadPoolExecutor, flights: dict[Future[Became], Flight]) -> None:
        """Send lines until all workers are busy, a line of each batch in turn; first what is away, as it is due."""
        now = self._clock()
        passages = self.passages
        for one in self._running.values():
            stop = one.problem is not None or one.batch.status == CANCELLING or now >= one.batch.expires_at
            due = one.not_before <= now or (stop and not one.stopped)
            if passages is not None and one.away and one.resting and due:
                one.flying += 1
                one.stopped = stop
                flights[pool.submit(passages.advance, one.batch, one.said, stop=stop)] = (one, None)
        ready = deque(one for one in self._running.values() if one.tasks and one.not_before <= now)
        lines = sum(task is not None for _, task in flights.values())
        while ready and lines < self._settings.workers:
            lines += 1
            one = ready.popleft()
            task = one.tasks.popleft()
            one.flying += 1
            flights[self._sent(pool, one, task)] = (one, task)
            if one.tasks:
                ready.append(one)

    def _sent(self, pool: ThreadPoolExecutor, one: Running, task: Task) -> Future[Became]:
        if self.passages is not None and one.passing and task.number not in one.apart:
            return pool.submit(self.passages.prepare, one.batch, one.said, task)
        return pool.submit(self._door.ask, self._asked(one, task))

    def _asked(self, one: Running, task: Task) -> Asked:
        mark = f"{batch_text(one.batch.id)}-{task.number}"
        batch = one.batch
        return Asked(key_id=batch.key_id, path=batch.endpoint, body=task.body, headers=one.said.headers, mark=mark)

    def _land(self, flights: dict[Future[Became], Flight]) -> None:
        """Write down what came back, within a second."""
        done, _ = wait(flights, timeout=1.0, return_when=FIRST_COMPLETED)
        for future in done:
            one, task = flights.pop(future)
            one.flying -= 1
            try:
                self._landed(one, task, future.result())
            except Later as later:
                assert task is not None
                self._again(one, task, later)
            except KeyEnded:
                one.problem = KEY_ENDED

    def _landed(self, one: Running, task: Task | None, became: Became) -> None:
        if isinstance(became, Step):
            self._stepped(one, became)
            return
        assert task is not None
        if isinstance(became, Outcome):
            self._lines.write(one.batch, task, became)
        elif isinstance(became, Ready):
            assert self.passages is not None
            one.away = True
            self.passages.gathered(one.batch, task, became)
        else:
            one.passing = one.away  # the first says it for all of them
            one.apart.add(task.number)
            one.tasks.appendleft(task)

    def _stepped(self, one: Running, step: Step) -> None:
        one.not_before = self._clock() + step.seconds
        if step.over:
            one.away = False
            one.problem = one.problem or step.problem
        if step.again:
            self._running.pop(one.batch.id, None)

    def _again(self, one: Running, task: Task, later: Later) -> None:
        tried = one.tries[task.number] = one.tries.get(task.number, 0) + later.counts
        if tried >= TRIES:
            self._lines.write(one.batch, task, later.last)
            return
        one.tasks.appendleft(task)
        one.not_before = max(one.not_before, self._clock() + later.seconds * 2 ** max(tried - 1, 0))
