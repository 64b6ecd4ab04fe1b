"""Waits for the children of a supervisor at the start: until all are ready, one is hopeless, or somebody has enough."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import Any

from freehold.core.errors import Unavailable
from freehold.core.process import Status, Supervisor

TRIES = 3
"""Restarts of a child that was never ready after which waiting on is of no use."""
POLL_SECONDS = 0.1
_TAIL_BYTES = 4096


async def started(
    supervisor: Supervisor, within: float, stop: asyncio.Event, names: tuple[str, ...] = (), tries: int = TRIES
) -> bool:
    """True when the named children (all, where none is named) are ready; False where `stop` was set before.

    Raises Unavailable where one ends again and again, or is not ready after `within` seconds.
    """
    ready = asyncio.ensure_future(supervisor.ready(within, names))
    stopped = asyncio.ensure_future(stop.wait())
    hopeless = asyncio.ensure_future(_hopeless(supervisor, names, tries))
    waits: tuple[asyncio.Future[Any], ...] = (ready, stopped, hopeless)
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        if stopped.done():
            return False
        await (ready if ready.done() else hopeless)
        return True
    finally:
        for one in waits:
            one.cancel()
        await asyncio.gather(*waits, return_exceptions=True)


async def _hopeless(supervisor: Supervisor, names: tuple[str, ...], tries: int) -> None:
    while True:
        for one in supervisor.statuses():
            if (not names or one.name in names) and one.phase != "ready" and one.restarts >= tries:
                raise Unavailable(f"{one.name} does not start: {_last_words(one)}", hint=f"read {one.log}")
        await asyncio.sleep(POLL_SECONDS)


def _last_words(status: Status) -> str:
    """The last line of the child's log that is meant for people; else how it ended."""
    lines: list[str] = []
    with contextlib.suppress(OSError):
        lines = Path(status.log).read_bytes()[-_TAIL_BYTES:].decode(errors="replace").splitlines()
    return next((one for one in reversed(lines) if one.strip() and one[0] not in " {"), status.reason)
