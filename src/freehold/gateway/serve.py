"""The gateway process: event loop, listener, ticker, and an orderly end."""

from __future__ import annotations

import asyncio
import gc
import os
import random
import signal
import ssl
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec

from freehold.core.crypto import Identity, Sealer, Verifier
from freehold.core.errors import BadConfig, FreeholdError, Unavailable
from freehold.core.ids import IdMaker
from freehold.core.log import Log
from freehold.gateway import pipeline
from freehold.gateway.clock_steps import Steps, move
from freehold.gateway.desk import Desk
from freehold.gateway.dialects.registry import DIALECTS
from freehold.gateway.leases import LeaseClient
from freehold.gateway.listener import Connection
from freehold.gateway.passing import Passing
from freehold.gateway.pipeline import Call
from freehold.gateway.plane import Plane, Sender
from freehold.gateway.providers.registry import DRIVERS
from freehold.gateway.routing.table import Stop
from freehold.gateway.shared.line import Shared
from freehold.gateway.shared.wiring import begin, end, join
from freehold.gateway.snapshots import Snapshots, warm
from freehold.gateway.upstream import Upstream
from freehold.guard.inspect import Seen
from freehold.ledger.journal import Journal

TICK_SECONDS = 0.1
DRAIN_SECONDS = 30.0


class GatewayConfig(msgspec.Struct, frozen=True, kw_only=True):
    """What one gateway process is started with; all else comes by snapshot."""

    home: Path
    host: str = "127.0.0.1"
    port: int = 8700
    hosts: tuple[str, ...] = ("127.0.0.1", "localhost", "[::1]")
    max_body_bytes: int = 32 << 20
    tls_certificate: str = ""
    tls_key: str = ""
    strict: bool = True
    """Write each call down before it leaves and before its end is told; else ten times a second."""
    receipts: bool = True
    """Digest bodies, so that receipts can vouch for them."""
    cache_bytes: int = 64 << 20
    """Memory for answers that are served again."""
    desk: Path | None = None
    """Socket of the process that keeps callers' files and batches; None where they are not served."""
    notice_seconds: float = 0.0
    """How long `/readyz` says that it drains, while all is served, before the listener closes."""
    share: int = 1
    """How many gateway processes share the port and the limits."""
    primary: Verifier | None = None
    """Signs a replica's snapshots; None where it is this instance itself."""
    shared: Shared | None = None
    """Where gateways share limits and answers; None where each has its own."""
    resolve: Callable[[str], str]
    """Turns a credential reference into its secret."""
    on_ready: Callable[[int], None] | None = None
    """Told the port once calls are served."""


def run(config: GatewayConfig) -> None:
    """Serve until SIGTERM or SIGINT, then finish what is under way. Raises FreeholdError at the start only."""
    try:
        import uvloop
    except ImportError:
        asyncio.run(_serve(config))
    else:
        uvloop.run(_serve(config))


def build(config: GatewayConfig, loop: asyncio.AbstractEventLoop, log: Log) -> tuple[Plane, Snapshots, LeaseClient]:
    """Wire one plane. Raises JournalUnavailable, BadConfig."""
    epoch = IdMaker()().hex()
    plane: Plane

    def defect(error: Exception) -> None:
        plane.log_defect(error, "")

    plane = Plane(
        journal=Journal(config.home / "journal", epoch, loop.call_soon, defect, strict=config.strict),
        dialects=DIALECTS,
        hosts=config.hosts,
        max_body_bytes=config.max_body_bytes,
        sealer=Sealer.load(config.home / "data.key"),
        clock=time.time,
        roll=random.random,
        log=log,
        receipts=config.receipts,
        cache_bytes=config.cache_bytes,
    )
    if config.shared is not None:
        join(plane, config.shared, epoch)
    leases = LeaseClient(plane.purse, epoch, plane.now)
    plane.leases = leases
    plane.begin = Call
    plane.desk = None if config.desk is None else Desk(config.desk)
    plane.passing = None if config.desk is None else Passing()
    plane.later = loop.call_later
    pool = ThreadPoolExecutor(1, "guard")

    def aside(look: Callable[[], Seen], then: Callable[[Seen | BaseException], None]) -> None:
        future = loop.run_in_executor(pool, look)
        future.add_done_callback(lambda done: then(done.exception() or done.result()))

    plane.aside = aside
    tasks: set[asyncio.Task[None]] = set()

    def connect(stop: Stop, call: Sender, attempt: int) -> None:
        task = loop.create_task(_connect(plane, stop, call, attempt))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    plane.connect = connect
    drivers = {driver.name: driver for driver in DRIVERS}
    verifier = config.primary or Identity.load(config.home / "identity.key")
    folder = config.home / "snapshots"
    snapshots = Snapshots(plane, leases, folder, verifier, drivers, config.resolve, config.share)
    if config.primary is not None:
        snapshots.vault_secret = _no_vault
    return plane, snapshots, leases


def _no_vault(tenant: str) -> bytes:
    """A replica has no keys of vaults: what it put in place of names could not be told from another's."""
    hint = "send calls whose guard pseudonymises to the primary"
    raise Unavailable(f"the pseudonyms of {tenant} are made at the primary alone", hint=hint)


async def _connect(plane: Plane, stop: Stop, call: Sender, attempt: int) -> None:
    target = stop.target
    try:
        upstream = await plane.egress.connect(
            target.origin, lambda: Upstream(target.origin), target.connect_seconds, target.tls_ca
        )
    except FreeholdError as error:
        call.unreachable(error, attempt)
        return
    try:
        call.connected(upstream, attempt)
    except Exception as error:  # noqa: BLE001 - the process edge: the call must still end
        call.crash(error)


def _report(plane: Plane, context: dict[str, Any]) -> None:
    """What reached the loop's edge, without its message: that may hold content of a call."""
    error = context.get("exception")
    if isinstance(error, Exception):
        plane.log_defect(error, "")
    else:
        plane.log.error("event loop", kind=str(context.get("message", ""))[:80])


def compiled() -> bool:
    """Is it the compiled copy of the call machine that runs here?"""
    return not str(pipeline.__file__).endswith(".py")


def sweep(plane: Plane, now: float) -> None:
    """End what takes too long; close what idles."""
    for call in [one for one in plane.calls if one.deadline < now]:
        try:
            call.expire(now)
        except Exception as error:  # noqa: BLE001 - the process edge: one call's defect is not the others'
            plane.log_defect(error, call.request_id)
    for connection in [one for one in plane.connections if one.overdue(now)]:
        if connection.closing:
            connection.transport.abort()
        else:
            connection.close()
    plane.pool.sweep(now)
    plane.answers.sweep(now)


async def _tick(plane: Plane, snapshots: Snapshots, leases: LeaseClient) -> None:
    count, steps = 0, Steps(plane.now, time.monotonic)
    while True:
        await asyncio.sleep(TICK_SECONDS)
        count += 1
        try:
            step = steps.taken()
            if step:
                move(plane, step)
                plane.log.warning("the clock was set", seconds=round(step, 1))
            plane.tick()
            plane.journal.flush()
            snapshots.check()
            if count % 5 == 0:
                sweep(plane, plane.coarse)
            if count % 10 == 0:
                leases.top_up()
        except Exception as error:  # noqa: BLE001 - the process edge: the ticker outlives any defect
            plane.log_defect(error, "")


async def _serve(config: GatewayConfig) -> None:
    loop = asyncio.get_running_loop()
    log = Log("gateway")
    plane, snapshots, leases = build(config, loop, log)
    loop.set_exception_handler(lambda _, context: _report(plane, context))
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    background = [
        loop.create_task(leases.keep_connected(config.home / "run" / "writer.sock")),
        loop.create_task(_tick(plane, snapshots, leases)),
        *await begin(plane),
    ]
    snapshots.check()
    if not plane.ready:
        raise BadConfig("the instance has no snapshots yet", hint="start it with: freehold up")
    warm(plane)
    server = await loop.create_server(
        lambda: Connection(plane), config.host, config.port, backlog=4096, ssl=_tls(config),
        reuse_port=config.share > 1 or None,
    )  # fmt: skip
    port = server.sockets[0].getsockname()[1]
    epoch = plane.journal.folder.name
    log.info("serving", host=config.host, port=port, pid=os.getpid(), epoch=epoch, compiled=compiled())
    # What lives now lives for good: keep it out of the collector's rounds.
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 50, 100)
    if config.on_ready is not None:
        config.on_ready(port)
    await stop.wait()
    await _drain(plane, server, config.notice_seconds)
    for task in background:
        task.cancel()
    await end(plane)
    plane.journal.close()
    log.info("stopped", port=port)


async def _drain(plane: Plane, server: asyncio.Server, notice_seconds: float) -> None:
    """Say so, and serve on until load balancers have seen it; then no new connections, let the calls under way finish,
    cut the rest half a minute after the signal.
    """
    loop = asyncio.get_running_loop()
    end = loop.time() + DRAIN_SECONDS
    plane.draining = True
    await asyncio.sleep(notice_seconds)
    server.close()
    desk = plane.desk
    while (plane.calls or (desk is not None and desk.busy)) and loop.time() < end:
        for connection in [one for one in plane.connections if not one.busy]:
            connection.close()
        await asyncio.sleep(0.02)
    for connection in list(plane.connections):
        connection.close()
    await asyncio.sleep(0)


def _tls(config: GatewayConfig) -> ssl.SSLContext | None:
    if not config.tls_certificate:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(config.tls_certificate, config.tls_key or None)
    except (OSError, ssl.SSLError) as error:
        message = f"the listener's certificate cannot be loaded: {error}"
        raise BadConfig(message, param="gateway.tls_certificate") from None
    return context
