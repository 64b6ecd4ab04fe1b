"""`freehold up`: makes an instance ready, runs its processes under one supervisor, and tells people where it is.

Engines begin to load first, since they take longest; the gateway begins when there are snapshots to serve by.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec
from sqlalchemy import URL

from freehold.core.crypto import Identity, Sealer, sha256
from freehold.core.db import connect, reading, upgrade, writing
from freehold.core.label import Label, Level
from freehold.core.log import Log
from freehold.core.postgres import Alone
from freehold.core.process import Command, Supervisor
from freehold.core.startup import started
from freehold.gateway.settings import GatewaySettings
from freehold.identity import lifecycle, service, store
from freehold.identity.console import sessions
from freehold.identity.console.types import Standing
from freehold.identity.keys import Key
from freehold.ledger.settings import DockSettings
from freehold.ledger.shipping.serve import status_file
from freehold.registry.admission import reads
from freehold.registry.artefacts import Store
from freehold.server.instance import Audit
from freehold.server.publish import Publisher
from freehold.server.token import admin_token
from freehold.serving.attached import Attached
from freehold.serving.attachments import forget
from freehold.serving.catalogue import admit
from freehold.serving.deployments import CHAT, command, deploy, deployed
from freehold.serving.fleet import Defaults, Fleet
from freehold.settings import last_good
from freehold.settings.admission import admission
from freehold.settings.banner import Started
from freehold.settings.cedar_file import at_start
from freehold.settings.data_plane import checkout, interpreter
from freehold.settings.data_plane import chosen as chosen_plane
from freehold.settings.database import database_of
from freehold.settings.engines import attachments
from freehold.settings.environment import resolve_secret
from freehold.settings.errors import MissingSecret
from freehold.settings.load import Loaded
from freehold.settings.location import Endpoints, write_endpoints
from freehold.settings.tree import AdminSettings, Settings
from freehold.settings.weights import chosen, folders
from freehold.up.listeners import (
    Listener,
    alone,
    answers,
    base_of,
    door_of,
    host_header,
    left,
    reachable,
    serves,
    usable_port,
)
from freehold.up.processes import Processes

FIRST_KEY = Key(id="", name="default", label=Label(Level.INTERNAL), created_by="up")
READY_SECONDS = 120.0


class Parts(msgspec.Struct, frozen=True):
    """What the composition root binds."""

    publisher: Callable[[URL, Path, Identity], Publisher]
    audit: Audit
    tell: Callable[[Started], str]


def run(config: str | None, home: Path, parts: Parts) -> None:
    """Serve until SIGTERM or SIGINT. Raises FreeholdError where the instance cannot be started."""
    began = time.monotonic()
    loaded, told = at_start(config, home)
    if told:
        sys.stderr.write(f"{told}\n")
    for name in ("run", "logs", "snapshots"):
        (home / name).mkdir(parents=True, exist_ok=True, mode=0o700)
    lock = alone(home)
    try:
        asyncio.run(_Up(_with_ports(loaded), parts, config, began).serve())
    finally:
        (home / "run" / "endpoints.json").unlink(missing_ok=True)
        os.close(lock)


class _Up:
    """One start of one instance."""

    def __init__(self, loaded: Loaded, parts: Parts, config: str | None, began: float) -> None:
        self.loaded = loaded
        self.home = loaded.home
        self.parts = parts
        self.began = began
        file = loaded.file or config
        self.options = ("--home", str(self.home), *(("--config", str(file)) if file else ()))
        self.identity = Identity.load(self.home / "identity.key")
        self.log = Log("up", (self.home / "logs" / "up.log").open("a"))
        self.plane = chosen_plane(checkout(), interpreter())
        self.supervisor = Supervisor(self.home / "run" / "processes.json", self._told)

    async def serve(self) -> None:
        """Start, tell, wait, end in order."""
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        try:
            self._warn()
            self.log.info("data plane", runs=self.plane.told)
            engines = self._start_engines()
            attached = self._attached()
            attached.write()  # before routes are published: they may lead to its targets
            secret = await asyncio.to_thread(self._prepare)
            for one in self._processes(self.loaded.settings):
                self.supervisor.start(one)
            needed = tuple(one.name for one in self.supervisor.statuses())
            looked_after = (self._fleet().run(), attached.run())
            fleet = asyncio.gather(*looked_after)  # these may fail: the instance is up without them
            try:
                if await started(self.supervisor, READY_SECONDS, stop, needed):
                    self._tell(secret, engines)
                    await stop.wait()
            finally:
                fleet.cancel()
                await asyncio.gather(fleet, return_exceptions=True)
            sys.stderr.write("stopping\n")
        finally:
            await self.supervisor.close()

    def _warn(self) -> None:
        """Say which providers lack their key: their targets fail until it is there, everything else is served."""
        gap = self.loaded.settings.policy.air_gapped
        if gap:
            sys.stderr.write("air-gapped: no rented target exists\n")
        for name, provider in self.loaded.settings.providers.items():
            if gap and not provider.owned:
                continue
            try:
                resolve_secret(provider.api_key)
            except MissingSecret as error:
                sys.stderr.write(f"warning[{error.code}] provider {name}: {error.message}\n  fix   {error.hint}\n")

    def _start_engines(self) -> int:
        """Begin to load the embedded models; how many."""
        settings = self.loaded.settings.serving
        run = self.home / "run"
        forget(run)
        if not settings.enabled:
            deploy(run, (), 0, 0, 1)
            return 0
        store = Store(self.home / "store", self.identity)
        store.settle()
        way = admission(self.loaded, store) if reads("gguf") else None
        models = admit(chosen(folders(settings.weights)), store, time.time, way)
        for one in deploy(run, models, settings.threads, settings.context_tokens, settings.slots):
            log = self.home / "logs" / f"engine-{one.name}.log"
            self.supervisor.start(command(one, self.home / "store", self.identity, log))
        return len(deployed(run))

    def _fleet(self) -> Fleet:
        """What looks after the engines that are wanted beside the embedded ones."""
        settings, run = self.loaded.settings.serving, self.home / "run"
        defaults = Defaults(settings.threads or os.cpu_count() or 1, settings.context_tokens, settings.slots)
        store = Store(self.home / "store", self.identity)
        return Fleet(self.home, self.supervisor, store, deployed(run), defaults, self._told)

    def _attached(self) -> Attached:
        """What looks after the engines of `[engines]`."""
        store = Store(self.home / "store", self.identity)
        found = attachments(self.loaded.settings, self.home / "run", resolve_secret)
        return Attached(self.home, self.supervisor, store, found, self._told)

    def _prepare(self) -> str:
        """Database, keys and snapshots; the first key's secret where it was made now."""
        Sealer.load(self.home / "data.key")
        admin_token(self.home)
        last_good.keep(self.loaded)
        endpoints = _endpoints(self.loaded.settings)
        write_endpoints(self.home, endpoints)
        url = database_of(self.loaded.settings, self.home)
        engine = connect(url)
        upgrade(engine)
        place = Alone(engine) if engine.dialect.name == "postgresql" else None  # before anything is written there
        secret = ""
        with reading(engine) as connection:
            first = not store.everything(connection)
        if first:
            with writing(engine) as connection:
                key, secret = lifecycle.create(connection, FIRST_KEY, time.time(), os.urandom)
                self.parts.audit(connection, time.time(), "key.create", "up", {"name": key.name})
        with writing(engine) as connection:
            if service.renew(connection, self.home, time.time(), os.urandom):
                self.parts.audit(connection, time.time(), "key.renew", "up", {"name": service.NAME})
        self.parts.publisher(url, self.home, self.identity).publish(self.loaded.settings)
        if place is not None:
            place.close()  # for the writer, which begins next
        engine.dispose()
        return secret

    def _processes(self, settings: Settings) -> list[Command]:
        """The processes beside the engines, in the order they are drained."""
        gateway, admin = settings.gateway, settings.admin
        ports = {"gateway": gateway.port, "admin": admin.port, "dock": settings.dock.port}
        make = Processes(home=self.home, options=self.options, ports=ports, plane=self.plane).command
        desk = Listener(reachable(admin.host), admin.port, host_header(admin.hosts), tls=False)
        path = self.home / "run" / "writer.sock"
        files = self.home / "run" / "batches.sock"
        batches = [make("batches", "batches", 10, serves(files))] if settings.batches.enabled else []
        names = ["gateway"] if gateway.processes == 1 else [f"gateway-{i}" for i in range(1, gateway.processes + 1)]
        return [
            *(make(name, "gateway", 0, answers(door_of(gateway), "/healthz")) for name in names),
            make("admin", "admin", 10, answers(desk, "/health")),
            make("worker", "worker", 10, None),
            make("trainer", "trainer", 10, None),
            *([make("dock", "dock", 40, left(status_file(self.home)))] if settings.dock.enabled else []),
            *batches,
            make("writer", "writer", 50, serves(path)),
        ]

    def _tell(self, secret: str, engines: int) -> None:
        settings = self.loaded.settings
        found = Started(
            endpoints=_endpoints(settings),
            secret=secret,
            label=str(FIRST_KEY.label),
            home=str(self.home),
            engines=engines,
            seconds=time.monotonic() - self.began,
            route=CHAT if settings.serving.enabled else next(iter(sorted(settings.routes)), ""),
            plane=self.plane.told,
            console=self._console(),
        )
        sys.stdout.write(self.parts.tell(found))
        sys.stdout.flush()

    def _console(self) -> str:
        """A link to the console that signs its opener in as the owner, once."""
        standing = Standing("owner", sha256(admin_token(self.home).encode()))
        engine = connect(database_of(self.loaded.settings, self.home))
        with writing(engine) as connection:
            word = sessions.link(connection, standing, time.time(), os.urandom)
        engine.dispose()
        return f"{_endpoints(self.loaded.settings).admin}/console/sign-in?link={word}"

    def _told(self, event: str, fields: Mapping[str, object]) -> None:
        self.log.info(event, **fields)


def _with_ports(loaded: Loaded) -> Loaded:
    """Ports 0 as free ports, and every port checked before anything is started."""
    settings = loaded.settings
    found: dict[str, GatewaySettings | AdminSettings | DockSettings] = {}
    for name, table in (("gateway", settings.gateway), ("admin", settings.admin), ("dock", settings.dock)):
        if name != "dock" or settings.dock.enabled:
            found[name] = table.model_copy(update={"port": usable_port(name, table.host, table.port)})
    return msgspec.structs.replace(loaded, settings=settings.model_copy(update=found))


def _endpoints(settings: Settings) -> Endpoints:
    gateway, admin, dock = settings.gateway, settings.admin, settings.dock
    reached = dock.address or f"{reachable(dock.host)}:{dock.port}"
    return Endpoints(
        gateway=base_of(gateway),
        admin=f"http://{admin.host}:{admin.port}",
        certificate=gateway.tls_certificate,
        dock=reached if dock.enabled else "",
    )
