"""`freehold up` at a replica: gateways that serve by the primary's snapshots, and the courier between the two.

No database, no management API, no engines. Where the primary is away, calls go on by what was last known.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path

import msgspec

from freehold.core.errors import Unavailable
from freehold.core.log import Log
from freehold.core.process import Command, Probe, Supervisor
from freehold.core.startup import started
from freehold.gateway.settings import GatewaySettings
from freehold.gateway.snapshots import KINDS
from freehold.ledger.errors import Refused
from freehold.ledger.shipping.serve import refusal_file
from freehold.settings import last_good
from freehold.settings.banner import StartedReplica
from freehold.settings.cedar_file import at_start
from freehold.settings.data_plane import checkout, interpreter
from freehold.settings.data_plane import chosen as chosen_plane
from freehold.settings.joining import Joining
from freehold.settings.load import Loaded
from freehold.settings.location import Endpoints, write_endpoints
from freehold.up.listeners import alone, answers, base_of, door_of, serves, usable_port
from freehold.up.processes import Processes

LOOK_SECONDS = 0.2
READY_SECONDS = 120.0
"""How long the first snapshots, and then the gateways, may take."""


def run(config: str | None, home: Path, joining: Joining, tell: Callable[[StartedReplica], str]) -> None:
    """Serve until SIGTERM or SIGINT. Raises FreeholdError where it cannot be started."""
    began = time.monotonic()
    loaded, _ = at_start(config, home)
    for name in ("run", "logs", "snapshots"):
        (home / name).mkdir(parents=True, exist_ok=True, mode=0o700)
    lock = alone(home)
    try:
        asyncio.run(_Replica(_with_port(loaded), joining, config, tell).serve(began))
    finally:
        (home / "run" / "endpoints.json").unlink(missing_ok=True)
        os.close(lock)


class _Replica:
    """One start of one replica."""

    def __init__(
        self, loaded: Loaded, joining: Joining, config: str | None, tell: Callable[[StartedReplica], str]
    ) -> None:
        self.home = loaded.home
        self.loaded = loaded
        self.joining = joining
        self.tell = tell
        file = loaded.file or config
        self.options = ("--home", str(self.home), *(("--config", str(file)) if file else ()))
        self.log = Log("up", (self.home / "logs" / "up.log").open("a"))
        self.plane = chosen_plane(checkout(), interpreter())
        ports = {"gateway": loaded.settings.gateway.port}
        self.make = Processes(home=self.home, options=self.options, ports=ports, plane=self.plane).command
        self.supervisor = Supervisor(self.home / "run" / "processes.json", self._told)

    async def serve(self, began: float) -> None:
        """The courier first, which brings the snapshots; then gateways, until told to end. They end before it."""
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        gateway = self.loaded.settings.gateway
        last_good.keep(self.loaded)
        write_endpoints(self.home, Endpoints(base_of(gateway), "", gateway.tls_certificate))
        try:
            await self._unless_refused(self._serve(gateway, began, stop))
            sys.stderr.write("stopping: what is not shipped yet goes to the primary first\n")
        finally:
            await self.supervisor.close()

    async def _serve(self, gateway: GatewaySettings, began: float, stop: asyncio.Event) -> None:
        self.supervisor.start(self.make("courier", "courier", 50, self._informed()))
        if await self._ready(stop):
            for one in self._gateways(gateway):
                self.supervisor.start(one)
            if await started(self.supervisor, READY_SECONDS, stop):
                self._tell(base_of(gateway), time.monotonic() - began)
                await stop.wait()

    async def _unless_refused(self, work: Coroutine[None, None, None]) -> None:
        """Raises Refused where the primary has this replica no more: nothing is served then, as nobody would count it.

        And what the work raises.
        """
        refusal = refusal_file(self.home)
        refusal.unlink(missing_ok=True)
        serving = asyncio.ensure_future(work)
        try:
            while not serving.done() and not refusal.exists():
                await asyncio.wait([serving], timeout=LOOK_SECONDS)
            if refusal.exists():
                raise Refused(refusal.read_text())
            serving.result()
        finally:
            serving.cancel()
            await asyncio.gather(serving, return_exceptions=True)

    async def _ready(self, stop: asyncio.Event) -> bool:
        try:
            return await started(self.supervisor, READY_SECONDS, stop)
        except Unavailable as error:
            name, log = self.joining.dock, self.home / "logs" / "courier.log"
            hint = f"is the primary up, does {name} lead to it, is the token still good? See {log}"
            raise Unavailable(f"nothing came from the primary at {name}: {error.message}", hint=hint) from None

    def _gateways(self, gateway: GatewaySettings) -> list[Command]:
        names = ["gateway"] if gateway.processes == 1 else [f"gateway-{i}" for i in range(1, gateway.processes + 1)]
        return [self.make(name, "gateway", 0, answers(door_of(gateway), "/healthz")) for name in names]

    def _informed(self) -> Probe:
        """Gateways can begin: the courier answers them, and there are snapshots, be they of yesterday."""
        line = serves(self.home / "run" / "writer.sock")
        files = [self.home / "snapshots" / f"{kind}.snapshot" for kind in KINDS]

        async def probe() -> bool:
            return all(one.exists() for one in files) and await line()

        return probe

    def _tell(self, base: str, seconds: float) -> None:
        told = StartedReplica(base, self.joining.replica, self.joining.dock, str(self.home), seconds, self.plane.told)
        sys.stdout.write(self.tell(told))
        sys.stdout.flush()

    def _told(self, event: str, fields: Mapping[str, object]) -> None:
        self.log.info(event, **fields)


def _with_port(loaded: Loaded) -> Loaded:
    gateway = loaded.settings.gateway
    port = usable_port("gateway", gateway.host, gateway.port)
    settings = loaded.settings.model_copy(update={"gateway": gateway.model_copy(update={"port": port})})
    return msgspec.structs.replace(loaded, settings=settings)
