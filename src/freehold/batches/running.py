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
from freehold.batches.reading import read
from freehold.batches.sealing import Drawer
from freehold.batches.settings import BatchSettings
from freehold.batches.shapes import line_of
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
from freehold.jobs.types import Beat, Kind, Payload, Schedule
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


Flight = tuple[Running, Task]


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
        flights: dict[Future[Outcome], Flight] = {}
        pool = ThreadPoolExecutor(self._settings.workers, thread_name_prefix="batch")
        self._running.clear()
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
            one = self._running.get(batch.id) or self._begin(batch, sealed)
            if one is None:
                ended += 1
                continue
            one.batch = batch
            if batch.status == CANCELLING or now >= batch.expires_at or self._lost(one, sealed):
                one.tasks.clear()
            if not one.tasks and not one.flying:
                self._ending.end(batch, one.said, one.problem)
                del self._running[batch.id]
                ended += 1
        return ended

    def _turn(self, connection: Connection, now: float) -> list[store.Mark]:
        """The oldest batch of each key, as far as there is room, and those that are to end."""
        chosen: list[store.Mark] = []
        keys: set[str] = set()
        for one in store.open_batches(connection):
            due = now >= one.expires_at or one.status == CANCELLING
            if due or (one.key_id not in keys and len(keys) < MOST_OPEN):
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
        if found is None:
            self._ending.end(batch, said, GONE)
            return None
        it = read(content, batch.endpoint, self._settings.max_lines)
        if batch.status == VALIDATING:
            self._validated(batch, it.problems, len(it.tasks), it.model)
            if it.problems:
                return None
        one = Running(batch, said, deque(task for task in it.tasks if task.number not in done))
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

    def _fill(self, pool: ThreadPoolExecutor, flights: dict[Future[Outcome], Flight]) -> None:
        """Send lines until all workers are busy, a line of each batch in turn."""
        now = self._clock()
        ready = deque(one for one in self._running.values() if one.tasks and one.not_before <= now)
        while ready and len(flights) < self._settings.workers:
            one = ready.popleft()
            task = one.tasks.popleft()
            one.flying += 1
            flights[pool.submit(self._door.ask, self._asked(one, task))] = (one, task)
            if one.tasks:
                ready.append(one)

    def _asked(self, one: Running, task: Task) -> Asked:
        mark = f"{batch_text(one.batch.id)}-{task.number}"
        batch = one.batch
        return Asked(key_id=batch.key_id, path=batch.endpoint, body=task.body, headers=one.said.headers, mark=mark)

    def _land(self, flights: dict[Future[Outcome], Flight]) -> None:
        """Write down what came back, within a second."""
        done, _ = wait(flights, timeout=1.0, return_when=FIRST_COMPLETED)
        for future in done:
            one, task = flights.pop(future)
            one.flying -= 1
            try:
                self._write(one, task, future.result())
            except Later as later:
                self._again(one, task, later)
            except KeyEnded:
                one.problem = KEY_ENDED

    def _again(self, one: Running, task: Task, later: Later) -> None:
        tried = one.tries[task.number] = one.tries.get(task.number, 0) + later.counts
        if tried >= TRIES:
            self._write(one, task, later.last)
            return
        one.tasks.appendleft(task)
        one.not_before = max(one.not_before, self._clock() + later.seconds * 2 ** max(tried - 1, 0))

    def _write(self, one: Running, task: Task, outcome: Outcome) -> None:
        line = line_of(one.batch.id, task, outcome)
        sealed = self._drawer.put_line(one.batch.id, task.number, line)
        with writing(self._engine) as connection:
            store.add_line(connection, one.batch, (task.number, outcome.good, sealed), outcome.usage)
