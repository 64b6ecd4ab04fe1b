"""Chunks on processes of this machine. A worker that is killed loses nothing: what it was at is done again, alone.

Each worker has a thread here and a line of its own. The executor of the standard library has one queue for all of its
workers, so that a death in the middle of a message leaves the others, and who waits for them, waiting for ever (CPython
94777, mended in 3.11.5). Workers hold no state and die with this process.
"""

from __future__ import annotations

import contextlib
import itertools
import multiprocessing
import os
import pickle
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from multiprocessing.connection import Connection
from typing import Any

from freehold.core.process import die_with_parent
from freehold.jobs.errors import ChunkBroke
from freehold.jobs.pool import TICK_SECONDS, TRIES, C, Ended, R, Tick, answered, quiet

PATIENCE = 1.0
"""Seconds of work done here before processes are started: what is over by then is not worth their start."""
_AHEAD = 2
"""Chunks under way for each worker, so that none waits for the next."""


class LocalPool:
    """Up to `processes` workers, started when they are worth it. For one thread at a time."""

    def __init__(
        self, processes: int, *, patience: float | None = PATIENCE, tries: int = TRIES, niceness: int = 0
    ) -> None:
        """`patience` in seconds; None where no chunk may be worked on here, not even with one process.

        `niceness` is added to the workers', for work behind everybody else's.
        """
        self._processes = max(processes, 1)
        self._patience, self._tries, self._niceness = patience or 0.0, tries, niceness
        self._never_here = patience is None
        self._crew: _Crew | None = None

    @property
    def workers(self) -> tuple[int, ...]:
        """Process ids of the workers that live."""
        return self._crew.living() if self._crew is not None else ()

    def map(self, function: Callable[[C], R], chunks: Iterable[C], tick: Tick = quiet) -> Iterator[R]:
        """See `Pool.map`."""
        rest, spent = iter(chunks), 0.0
        for place, chunk in enumerate(rest, 1):
            if spent >= self._patience and (self._processes > 1 or self._never_here):
                yield from self._apart(function, itertools.chain([chunk], rest), place, tick)
                return
            tick()
            began = time.monotonic()
            found = function(chunk)
            spent += time.monotonic() - began
            yield found

    def close(self) -> None:
        """End the workers at once: what they compute is nobody's any more."""
        crew, self._crew = self._crew, None
        if crew is not None:
            crew.end()

    def _apart(self, function: Callable[[Any], Any], chunks: Iterator[Any], place: int, tick: Tick) -> Iterator[Any]:
        crew = self._crew = self._crew or _Crew(self._processes, self._tries, self._niceness)
        asked: deque[Future[Ended]] = deque()
        places = itertools.count(place)
        try:
            while True:
                for chunk in itertools.islice(chunks, self._processes * _AHEAD - len(asked)):
                    asked.append(crew.ask(function, chunk, next(places)))
                if not asked:
                    return
                ended = _waited(asked[0], tick)
                asked.popleft()
                yield ended.result()
        finally:
            if asked:  # somebody has stopped listening, or it failed
                self.close()


def _waited(asked: Future[Ended], tick: Tick) -> Ended:
    while True:
        tick()
        with contextlib.suppress(TimeoutError):
            return asked.result(TICK_SECONDS)


class _Crew:
    """Threads, each of which asks a worker of its own and begins another when that one has ended."""

    def __init__(self, processes: int, tries: int, niceness: int) -> None:
        self._threads = ThreadPoolExecutor(processes, "freehold-worker")
        self._tries, self._niceness = tries, niceness
        self._turns = _Turns()
        self._mine = threading.local()
        self._changing = threading.Lock()
        self._workers: set[_Worker] = set()
        self._ended = False

    def ask(self, function: Callable[[Any], Any], chunk: Any, place: int) -> Future[Ended]:
        """How a chunk will have ended. It fails with ChunkBroke where the chunk ends its worker each time."""
        return self._threads.submit(self._asked, function, chunk, place)

    def living(self) -> tuple[int, ...]:
        """Process ids."""
        with self._changing:
            return tuple(one.pid for one in self._workers if one.lives())

    def end(self) -> None:
        """Kill all of them, and forget what was asked."""
        with self._changing:
            self._ended = True
            for one in self._workers:
                one.kill()
        self._threads.shutdown(cancel_futures=True)
        for one in self._workers:
            one.close()

    def _asked(self, function: Callable[[Any], Any], chunk: Any, place: int) -> Ended:
        asked = pickle.dumps((function, chunk))
        for attempt in range(self._tries):
            with self._turns.alone() if attempt else self._turns.together():
                told = self._worker().answer(asked)
            if told is not None:
                found: Ended = pickle.loads(told)  # noqa: S301  # made by our own code, in a worker of ours
                return found
            self._forget()
        raise ChunkBroke(f"chunk {place} ended its worker {self._tries} times")

    def _worker(self) -> _Worker:
        """This thread's."""
        found: _Worker | None = getattr(self._mine, "worker", None)
        if found is None:
            with self._changing:
                if self._ended:
                    raise ChunkBroke("the pool was closed")
                found = self._mine.worker = _Worker(self._niceness)
                self._workers.add(found)
        return found

    def _forget(self) -> None:
        gone, self._mine.worker = self._mine.worker, None
        with self._changing:
            if self._ended:
                return
            self._workers.discard(gone)
        gone.close()


class _Worker:
    """A fresh interpreter, and the line to it. It lives as long as the thread that began it, at the most."""

    def __init__(self, niceness: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._line, theirs = context.Pipe()
        self._process = context.Process(target=_work, args=(theirs, niceness, os.getpid()), daemon=True)
        self._process.start()
        theirs.close()  # so that the line ends when the worker does
        self.pid = self._process.pid or 0

    def answer(self, asked: bytes) -> bytes | None:
        """What it answers; None where it ended instead, perhaps in the middle of its answer."""
        try:
            self._line.send_bytes(asked)
            return self._line.recv_bytes()
        except (EOFError, OSError):
            return None

    def lives(self) -> bool:
        return self._process.is_alive()

    def kill(self) -> None:
        self._process.kill()

    def close(self) -> None:
        """Kill it and wait until it is gone."""
        self._process.kill()
        self._process.join()
        self._line.close()


class _Turns:
    """What is tried again is tried while nothing else runs, so that it is not blamed for what others take (memory)."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._running = self._alone = 0

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        """Beside others; after those that must be alone."""
        with self._counted(lambda: not self._alone):
            yield

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """While nothing else runs; others wait."""
        with self._changed:
            self._alone += 1
        try:
            with self._counted(lambda: not self._running):
                yield
        finally:
            with self._changed:
                self._alone -= 1
                self._changed.notify_all()

    @contextlib.contextmanager
    def _counted(self, may: Callable[[], bool]) -> Iterator[None]:
        with self._changed:
            self._changed.wait_for(may)
            self._running += 1
        try:
            yield
        finally:
            with self._changed:
                self._running -= 1
                self._changed.notify_all()


def _work(line: Connection, niceness: int, parent: int) -> None:
    """A worker: it dies with whoever asks, also if that was before, and leaves Ctrl-C to them."""
    die_with_parent(signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(niceness)
    with contextlib.suppress(EOFError):
        while True:
            line.send_bytes(answered(line.recv_bytes()))
