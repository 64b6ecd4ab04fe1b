"""The worker: takes jobs one at a time, runs them outside any transaction, writes their end if it still holds them.

A worker that is killed leaves its job to the next one, once its lease has run out.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from queue import Empty, SimpleQueue

from sqlalchemy import Engine

from freehold.core.clock import Clock, iso
from freehold.core.db import writing
from freehold.core.errors import FreeholdError, LeaseLost
from freehold.core.ids import IdMaker
from freehold.jobs import store
from freehold.jobs.types import Job, Kind, Payload, Schedule

_IDLE_SECONDS = 0.5
_SCHEDULE_SECONDS = 1.0
_LONGEST_WAIT = 3600.0


class Worker:
    """One worker and the kinds of job it knows."""

    def __init__(
        self,
        engine: Engine,
        kinds: Sequence[Kind],
        schedules: Sequence[Schedule],
        clock: Clock,
        ending: Callable[[], bool] = lambda: False,
    ) -> None:
        self._engine = engine
        self._ending = ending
        self._kinds = {one.name: one for one in kinds}
        self._clock = clock
        self._ids = IdMaker(clock)
        self._scheduled_at = 0.0
        with writing(engine) as connection:
            for one in schedules:
                store.keep_schedule(connection, one, clock())

    def once(self) -> bool:
        """Run one job, where there is one; True where there was."""
        self._schedule()
        token = os.urandom(16)
        shortest = min((one.lease_seconds for one in self._kinds.values()), default=60.0)
        with writing(self._engine) as connection:
            job = store.claim(connection, list(self._kinds), token, self._clock(), shortest)
        if job is None:
            return False
        kind = self._kinds[job.kind]

        def beat(progress: Payload) -> None:
            ending = self._ending()
            with writing(self._engine) as connection:
                if ending and kind.kept:
                    store.put_back(connection, job, token, self._clock())
                elif not store.extend(connection, job.id, token, self._clock() + kind.lease_seconds, progress):
                    raise LeaseLost(f"{job.id} is not ours any more")
            if ending:
                raise LeaseLost(f"{job.id} waits for the next worker: this one ends")

        try:
            if job.tries > kind.tries:
                self._fail(job, kind, token, "its worker died each time it was tried")
                return True
            beat(job.result)  # the claim was made with the shortest lease of all kinds
            result = kind.run(job.payload, beat)
        except LeaseLost:
            return True
        except FreeholdError as error:
            self._fail(job, kind, token, f"{error.code} {error.message}")
        except Exception as error:  # noqa: BLE001  # the edge between worker and jobs: one bad job must not end the others
            self._fail(job, kind, token, _where(error))
        else:
            with writing(self._engine) as connection:
                if kind.kept:
                    store.finish(connection, job.id, token, self._clock(), result)
                else:
                    store.drop(connection, job.id, token)
        return True

    def _fail(self, job: Job, kind: Kind, token: bytes, error: str) -> None:
        now = self._clock()
        if job.tries >= kind.tries and kind.kept and kind.gave_up is not None:
            kind.gave_up(job.payload, error)  # first: who dies in between does it again
        with writing(self._engine) as connection:
            if not kind.kept:  # it is due again soon: its log tells, no row a second
                sys.stderr.write(f"{iso(now)} {kind.name}: {error}\n")
                sys.stderr.flush()
                store.drop(connection, job.id, token)
            elif job.tries >= kind.tries:
                store.fail(connection, job.id, token, now, error)
            else:
                store.retry(connection, job.id, token, now + min(2.0**job.tries, _LONGEST_WAIT), error)

    def _schedule(self) -> None:
        now = self._clock()
        if now - self._scheduled_at < _SCHEDULE_SECONDS:
            return
        self._scheduled_at = now
        with writing(self._engine) as connection:
            due = store.due_schedules(connection, list(self._kinds), now)
            for kind, payload in due:
                store.add(connection, self._ids(), kind, payload, now)
            if due:
                store.forget_done(connection, now)


def run(engine: Engine, kinds: Sequence[Kind], schedules: Sequence[Schedule], lock: Path) -> None:
    """The process: works until SIGTERM or SIGINT, and lets go of the job it is at where that beats next.

    Who holds the file `lock` is the only one with these kinds, so what is still leased was left by one who died: it is
    due at once. Who does not hold it waits for leases to run out.
    """
    told: SimpleQueue[int] = (
        SimpleQueue()
    )  # a signal may come while another's handler runs: an Event would wait for itself
    for one in (signal.SIGTERM, signal.SIGINT):
        signal.signal(one, lambda number, _frame: told.put(number))
    worker = Worker(engine, kinds, schedules, time.time, lambda: not told.empty())
    alone = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    with contextlib.suppress(BlockingIOError):
        fcntl.flock(alone, fcntl.LOCK_EX | fcntl.LOCK_NB)
        with writing(engine) as connection:
            store.take_back(connection, [one.name for one in kinds], time.time())
    while told.empty():
        if not worker.once():
            with contextlib.suppress(Empty):
                told.put(told.get(timeout=_IDLE_SECONDS))
    os.close(alone)


def _where(error: Exception) -> str:
    """A defect's kind and place. Not its text, which may quote content."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} in {last.name}, {Path(last.filename).name}:{last.lineno}"
