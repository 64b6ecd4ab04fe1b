"""The processes of dock and courier, until SIGTERM or SIGINT."""

from __future__ import annotations

import asyncio
import signal
import ssl
import time
from pathlib import Path
from typing import Protocol

import msgspec

from freehold.core.clock import iso
from freehold.core.crypto import Verifier, write_private
from freehold.core.log import Log
from freehold.ledger.errors import Refused
from freehold.ledger.shipping.courier import Courier, Primary
from freehold.ledger.shipping.dock import Dock

TEND_SECONDS = 1.0
LEAST_SECONDS = 25.0
"""How long a courier that is told to end goes on shipping what its gateways left."""
LOOK_SECONDS = 0.05


class Roster(Protocol):
    """Which replicas there are, by id."""

    def admits(self, token: str) -> str | None:
        """The replica whose token that is."""

    def serving(self) -> frozenset[str]:
        """Those whose tokens count."""

    def lost(self) -> frozenset[str]:
        """Those that ended without having shipped all."""


class DockConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Where the dock listens."""

    home: Path
    host: str
    port: int
    tls: ssl.SSLContext


class Joined(msgspec.Struct, frozen=True):
    """A replica that is connected, and since when."""

    id: str
    since: str
    address: str


def joined(home: Path) -> tuple[Joined, ...] | None:
    """The replicas that are connected; None where no dock runs."""
    try:
        return msgspec.json.decode(status_file(home).read_bytes(), type=tuple[Joined, ...])
    except (OSError, msgspec.DecodeError):
        return None


def status_file(home: Path) -> Path:
    """Where the dock writes who is connected, for as long as it runs."""
    return home / "run" / "replicas.json"


def refusal_file(home: Path) -> Path:
    """Where a courier leaves word that the primary has no such replica; who starts couriers removes it."""
    return home / "run" / "refused"


def run_dock(config: DockConfig, roster: Roster) -> None:
    """Serve. Raises OSError where the address cannot be listened on."""
    try:
        asyncio.run(_dock(config, roster))
    finally:
        status_file(config.home).unlink(missing_ok=True)


def run_courier(home: Path, primary: Primary, verifier: Verifier) -> None:
    """Ship; when told to end, first what is left of gateways that have ended. Raises Refused."""
    asyncio.run(_courier(home, primary, verifier))


async def _dock(config: DockConfig, roster: Roster) -> None:
    log = Log("dock")
    stop = _told_to_end()
    since: dict[str, str] = {}

    def told() -> None:
        for one in dock.boats:
            since.setdefault(one, iso(time.time()))
        for one in set(since) - set(dock.boats):
            del since[one]
        found = tuple(Joined(one, since[one], dock.boats[one].address) for one in sorted(dock.boats))
        write_private(status_file(config.home), msgspec.json.encode(found))

    dock = Dock(config.home, roster.admits, log, told)
    server = await dock.listen(config.host, config.port, config.tls)
    told()
    log.info("serving", host=config.host, port=config.port)
    tending = asyncio.create_task(_tend(dock, roster, log))
    async with server:
        await _either(stop, tending)
        server.close()
        await dock.close()
    log.info("stopped")


async def _tend(dock: Dock, roster: Roster, log: Log) -> None:
    """Let go of replicas that were removed; end the journals of those that are lost."""
    while True:
        dock.keep(await asyncio.to_thread(roster.serving))
        for one in await asyncio.to_thread(roster.lost):
            ended = dock.shelf.lose(one)
            if ended:
                log.warning("replica given up: what it held of budgets counts as spent", replica=one, journals=ended)
        await asyncio.sleep(TEND_SECONDS)


async def _courier(home: Path, primary: Primary, verifier: Verifier) -> None:
    log = Log("courier")
    stop = _told_to_end()
    courier = Courier(home, primary, verifier, log)
    running = asyncio.create_task(courier.run())
    try:
        await _either(stop, running)
    except Refused as error:
        write_private(refusal_file(home), error.message.encode())
        raise
    loop = asyncio.get_running_loop()
    end = loop.time() + LEAST_SECONDS
    while courier.unshipped() and loop.time() < end:  # noqa: ASYNC110  folders tell of no event
        await asyncio.sleep(LOOK_SECONDS)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    if courier.unshipped():
        log.warning("not all is shipped: it waits in this home for the next start")
    log.info("stopped")


def _told_to_end() -> asyncio.Event:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop


async def _either(stop: asyncio.Event, work: asyncio.Task[None]) -> None:
    """Until told to end; raises what the work raised."""
    told = asyncio.create_task(stop.wait())
    await asyncio.wait([told, work], return_when=asyncio.FIRST_COMPLETED)
    if work.done():
        work.result()
    told.cancel()
