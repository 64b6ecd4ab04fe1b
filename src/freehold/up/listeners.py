"""Where the processes of an instance listen: ports that are free, the lock of a home, and probes of what answers."""

from __future__ import annotations

import asyncio
import fcntl
import os
import ssl
from pathlib import Path

import msgspec

from freehold.core.errors import Conflict, Unavailable
from freehold.core.ports import check_port, free_port
from freehold.core.process import Probe
from freehold.gateway.settings import GatewaySettings
from freehold.settings.environment import override_name

PROBE_SECONDS = 2.0


class Listener(msgspec.Struct, frozen=True):
    """Where a process of ours answers, under which Host header."""

    host: str
    port: int
    name: str
    tls: bool


def alone(home: Path) -> int:
    """The instance's lock. Raises Conflict where another `up` holds it."""
    handle = os.open(home / "run" / "up.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        hint = "use it, stop it, or start another with: freehold up --home FOLDER"
        raise Conflict(f"an instance runs in {home} already", hint=hint) from None
    return handle


def usable_port(table: str, host: str, port: int) -> int:
    """The port that a table of the settings asks for, a free one for 0. Raises Unavailable where it is taken."""
    try:
        if not port:
            return free_port(host)
        check_port(host, port)
    except OSError as error:
        hint = f"stop what listens there, or choose another: [{table}] port, or {override_name(table, 'port')}=0"
        raise Unavailable(f"cannot listen on {host}:{port}: {error.strerror}", hint=hint) from None
    return port


def reachable(host: str) -> str:
    """An address by which this machine reaches a listener."""
    return "127.0.0.1" if host in ("0.0.0.0", "::") else host  # noqa: S104  it is compared, not bound


def host_header(hosts: tuple[str, ...]) -> str:
    """A Host header the listener serves."""
    return next((one for one in hosts if one != "*"), "localhost")


def answers(listener: Listener, path: str) -> Probe:
    """A probe that asks for a page: it finds a process that hangs, which a mere connection would not."""
    context = None
    if listener.tls:
        # Our own process on our own machine: the question is whether it answers, not who it is.
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    request = f"GET {path} HTTP/1.1\r\nHost: {listener.name}\r\nConnection: close\r\n\r\n".encode()

    async def probe() -> bool:
        try:
            async with asyncio.timeout(PROBE_SECONDS):
                reader, writer = await asyncio.open_connection(listener.host, listener.port, ssl=context)
                try:
                    writer.write(request)
                    return (await reader.readline()).startswith(b"HTTP/1.1 200 ")
                finally:
                    writer.close()
        except (OSError, TimeoutError):
            return False

    return probe


def serves(path: Path) -> Probe:
    """A probe that connects to a local socket."""

    async def probe() -> bool:
        _, writer = await asyncio.open_unix_connection(path)
        writer.close()
        return True

    return probe


def left(path: Path) -> Probe:
    """A probe that looks for a file which the process leaves once it serves."""

    async def probe() -> bool:
        return path.exists()  # noqa: ASYNC240  one look at a local file

    return probe


def door_of(gateway: GatewaySettings) -> Listener:
    """The gateway's listener."""
    return Listener(reachable(gateway.host), gateway.port, host_header(gateway.hosts), bool(gateway.tls_certificate))


def base_of(gateway: GatewaySettings) -> str:
    """The gateway's base address for whoever is on this machine."""
    scheme = "https" if gateway.tls_certificate else "http"
    return f"{scheme}://{reachable(gateway.host)}:{gateway.port}"
