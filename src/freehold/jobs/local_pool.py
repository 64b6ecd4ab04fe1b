"""Chunks on processes of this machine. A worker that is killed loses nothing: what it was at is done again.

After a death nobody knows whose fault it was, so each chunk that was under way is tried alone, and only one that ends
its worker alone is blamed. Workers hold no state and die with this process.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.context import SpawnContext, SpawnProcess
from multiprocessing.queues import SimpleQueue
from typing import Any

from freehold.core.process import die_with_parent
from freehold.jobs.errors import ChunkBroke
from freehold.jobs.pool import TICK_SECONDS, TRIES, C, Ended, R, Tick, attempted, quiet

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
        self._context = _Children()
        self._executor: ProcessPoolExecutor | None = None

    @property
    def workers(self) -> tuple[int, ...]:
        """Process ids of the workers that live."""
        return tuple(one.pid for one in self._context.living() if one.pid is not None)

    def map(self, function: Callable[[C], R], chunks: Iterable[C], tick: Tick = quiet) -> Iterator[R]:
        """See `Pool.map`."""
        rest, spent = iter(chunks), 0.0
        for place, chunk in enumerate(rest):
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
        executor, self._executor = self._executor, None
        self._context.end()
        if executor is not None:
            executor.shutdown(wait=True, cancel_futures=True)

    def _apart(self, function: Callable[[Any], Any], chunks: Iterator[Any], place: int, tick: Tick) -> Iterator[Any]:
        asked: deque[_Asked] = deque()
        numbers = itertools.count(place)
        try:
            while True:
                for chunk in itertools.islice(chunks, self._processes * _AHEAD - len(asked)):
                    asked.append(_Asked(function, chunk, next(numbers)))
                    self._submit(asked[-1])
                if not asked:
                    return
                ended = self._waited(asked[0], tick)
                while ended is None:
                    self._alone([one for one in asked if not one.done()], tick)
                    ended = self._waited(asked[0], tick)
                asked.popleft()
                yield ended.result()
        finally:
            if asked:  # somebody has stopped listening, or it failed
                self.close()

    def _submit(self, one: _Asked) -> None:
        if self._executor is None:
            self._executor = ProcessPoolExecutor(
                self._processes, self._context, initializer=_begin, initargs=(self._niceness, os.getpid())
            )
        try:
            one.future = self._executor.submit(attempted, one.function, one.chunk)
        except BrokenProcessPool:
            one.future = None

    def _waited(self, one: _Asked, tick: Tick) -> Ended | None:
        """How a chunk ended; None where its worker did."""
        while one.future is not None:
            tick()
            with contextlib.suppress(TimeoutError):
                try:
                    return one.future.result(TICK_SECONDS)
                except BrokenProcessPool:
                    return None
            if self._context.lost():  # killed in the middle of an answer, whose rest the executor waits for
                self._context.end()
        return None

    def _alone(self, suspects: list[_Asked], tick: Tick) -> None:
        """Work on each by itself, in new workers, until it is done. Raises ChunkBroke for what ends them each time."""
        self.close()
        for one in suspects:
            for _ in range(self._tries):
                self._submit(one)
                if self._waited(one, tick) is not None:
                    break
                self.close()
            else:
                raise ChunkBroke(f"chunk {one.place + 1} ended its worker {self._tries} times")


class _Asked:
    """One chunk under way; without a future it is to be asked again."""

    def __init__(self, function: Callable[[Any], Any], chunk: Any, place: int) -> None:
        self.function, self.chunk, self.place = function, chunk, place
        self.future: Future[Ended] | None = None

    def done(self) -> bool:
        """True where a worker has told how it ended."""
        return self.future is not None and self.future.done() and self.future.exception() is None


class _Children(SpawnContext):
    """Begins workers as fresh interpreters, and knows them, so that they can be ended."""

    def __init__(self) -> None:
        self._begun: list[SpawnProcess] = []
        self._answers: list[SimpleQueue[Any]] = []

    def Process(self, *args: Any, **named: Any) -> SpawnProcess:  # type: ignore[override]  # noqa: N802  # their name
        made = SpawnProcess(*args, **named)
        self._begun.append(made)
        return made

    def SimpleQueue(self) -> SimpleQueue[Any]:  # noqa: N802  # their name
        made: SimpleQueue[Any] = super().SimpleQueue()
        self._answers.append(made)
        return made

    def living(self) -> list[SpawnProcess]:
        """Those that were begun and have not ended."""
        return [one for one in self._begun if one.is_alive()]

    def lost(self) -> bool:
        """True where one of them has ended without having been told to."""
        return len(self.living()) < len(self._begun)

    def end(self) -> None:
        """Kill all of them. Who was at half an answer is not waited for: nobody holds the other end any more."""
        for one in self.living():
            one.kill()
        for answers in self._answers:
            answers._writer.close()  # type: ignore[attr-defined]  # noqa: SLF001  # what `close` does, but for the reader
        self._begun, self._answers = [], []


def _begin(niceness: int, parent: int) -> None:
    """What a worker does first: it dies with whoever asks, also if that was before, and leaves Ctrl-C to them."""
    die_with_parent(signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(niceness)
