"""The writer process: follows the journals, loads SQL, signs checkpoints, and hosts services such as the budgets.

One thread: services are answered between batches, so nothing waits longer than one batch (some 50 ms under load).
"""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Protocol

import msgspec
from sqlalchemy import URL, Engine
from sqlalchemy.exc import IntegrityError

from freehold.core.clock import Clock
from freehold.core.crypto import Identity, Sealer
from freehold.core.db import check, connect
from freehold.core.errors import Conflict
from freehold.core.postgres import Alone
from freehold.ledger.intake.loader import Keys, Loader, Pace, alone

_FLUSH_SECONDS = 0.1
_TEND_SECONDS = 0.1
_DRAIN_SECONDS = 10.0
"""Longest a stopping writer goes on loading while gateways still write."""


class WriterConfig(msgspec.Struct, frozen=True, kw_only=True):
    """What the process needs to know."""

    home: Path
    database: URL
    """URL, see `core.db`."""
    pace: Pace = Pace()
    idle_seconds: float = 0.02


class Service(Protocol):
    """Something that lives in the writer's process and event loop."""

    async def serve(self) -> None:
        """Run until cancelled."""


Services = Callable[[Engine], Iterable[Service]]


def keys_of(home: Path) -> Keys:
    """The installation's keys."""
    return Keys(Identity.load(home / "identity.key"), Sealer.load(home / "data.key"))


def load_once(home: Path, engine: Engine, keys: Keys, clock: Clock = time.time, pace: Pace = Pace()) -> int:  # noqa: B008  # frozen
    """Load all that the journals hold now and sign it; how many frames."""
    loader = Loader(home, engine, keys, clock, pace)
    done = 0
    while True:
        loader, count = step(lambda: Loader(home, engine, keys, clock, pace), loader)
        if not count:
            break
        done += count
    loader.tend(final=True)
    return done


def step(make: Callable[[], Loader], loader: Loader) -> tuple[Loader, int]:
    """Load one batch. Where calls in it are stored already, a fresh loader goes through it call by call."""
    try:
        return loader, loader.load()
    except IntegrityError:
        loader = make()
        return loader, loader.load(careful=True)


def run(
    config: WriterConfig, services: Services = lambda _: (), finish: Callable[[Engine], None] = lambda _: None
) -> None:
    """The process. Returns after SIGTERM or SIGINT, with all loaded that was written by then; then `finish` is done.

    Raises Conflict where another writer runs, Unavailable where the schema is not this version's.
    """
    try:
        lock = alone(config.home)
    except BlockingIOError:
        raise Conflict("another writer serves this home", hint="stop it first: freehold doctor shows it") from None
    engine = connect(config.database)
    gc.set_threshold(50_000, 50, 50)  # a batch makes many small dicts and no cycles
    held = None
    try:
        check(engine)
        if engine.dialect.name == "postgresql":
            held = Alone(engine)
        asyncio.run(_main(config, engine, services))
        finish(engine)
    finally:
        if held is not None:
            held.close()
        engine.dispose()
        os.close(lock)


async def _main(config: WriterConfig, engine: Engine, services: Services) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for one in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(one, stop.set)
    keys = keys_of(config.home)

    def make() -> Loader:
        return Loader(config.home, engine, keys, time.time, config.pace)

    state = _State(make())
    hosted = [asyncio.create_task(one.serve()) for one in services(engine)]
    flusher = asyncio.create_task(_flush(state))
    loading = asyncio.create_task(_load(config, make, state, stop))
    try:
        # A service that ends has failed: the process goes down with it and is started again.
        await asyncio.wait([loading, flusher, *hosted], return_when=asyncio.FIRST_COMPLETED)
    finally:
        stop.set()
        for task in (*hosted, flusher):
            task.cancel()
        results = await asyncio.gather(loading, flusher, *hosted, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException) and not isinstance(result, asyncio.CancelledError):
            raise result


class _State:
    """The loader in use, which is replaced after a failed batch."""

    def __init__(self, loader: Loader) -> None:
        self.loader = loader


async def _load(config: WriterConfig, make: Callable[[], Loader], state: _State, stop: asyncio.Event) -> None:
    tended = 0.0
    deadline = float("inf")
    while True:
        now = time.monotonic()
        stopping = stop.is_set()
        if stopping:
            deadline = min(deadline, now + _DRAIN_SECONDS)
        state.loader, done = step(make, state.loader)
        if now - tended >= _TEND_SECONDS:
            state.loader.tend()
            tended = now
        if stopping and (not done or now > deadline):
            state.loader.tend(final=True)
            return
        if done:
            await asyncio.sleep(0)
        else:
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), config.idle_seconds)


async def _flush(state: _State) -> None:
    """Journals to disk each 100 ms, as far as they grew: all that a power cut can take."""
    sizes: dict[Path, int] = {}
    while True:
        await asyncio.sleep(_FLUSH_SECONDS)
        grown = {path: size for path in state.loader.live_segments() if (size := _size(path)) != sizes.get(path)}
        if grown:
            await asyncio.to_thread(_sync, list(grown))
        sizes = {path: size for path, size in {**sizes, **grown}.items() if path.exists()}


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _sync(paths: list[Path]) -> None:
    for path in paths:
        with suppress(FileNotFoundError):
            handle = os.open(path, os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)
