"""The steps between an engine and its calls: warmed up, led to by the published routes, led away from, idle."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec

from freehold.core.crypto import Verifier
from freehold.core.errors import BadArtefact, Unavailable
from freehold.core.snapshot import read_snapshot
from freehold.gateway.routing.types import Routes
from freehold.serving.deployments import Deployment, secret_of
from freehold.serving.loopback import ask

POLL_SECONDS = 0.1
SWAP_SECONDS = 0.3
"""After a snapshot is on disk, gateways go by it: they look every tenth of a second."""
UNROUTED_SECONDS = 20.0
"""Longest wait for routes that name an engine no more."""
DRAIN_SECONDS = 60.0
WARM_SECONDS = 60.0
_WARM = b'{"model":"warm","messages":[{"role":"user","content":"ready?"}],"max_tokens":1}'


class _Slot(msgspec.Struct):
    is_processing: bool = False


async def warm(deployment: Deployment) -> None:
    """One small call, so that no caller pays for first uses. Raises Unavailable where it is not answered."""
    secret = secret_of(deployment)
    try:
        status, body = await ask(
            deployment.port, "/v1/chat/completions", secret=secret, body=_WARM, within=WARM_SECONDS
        )
    except OSError as error:
        raise Unavailable(f"{deployment.model} does not answer: {error}") from None
    if status != 200:
        said = body[:200].decode(errors="replace")
        raise Unavailable(f"{deployment.model} answers its first call with {status}: {said}")


async def routed(snapshots: Path, public: Verifier, port: int, end: asyncio.Event) -> bool:
    """Wait until the gateways go by routes with a target at that port; False where `end` was set before."""
    while not end.is_set():
        if _named(snapshots, public, port):
            await asyncio.sleep(SWAP_SECONDS)
            return True
        await asyncio.sleep(POLL_SECONDS)
    return False


async def unrouted(snapshots: Path, public: Verifier, port: int, within: float = UNROUTED_SECONDS) -> bool:
    """Wait until the gateways go by routes without a target at that port; False where that is not in time."""
    end = asyncio.get_running_loop().time() + within
    while _named(snapshots, public, port):
        if asyncio.get_running_loop().time() > end:
            return False
        await asyncio.sleep(POLL_SECONDS)
    await asyncio.sleep(SWAP_SECONDS)
    return True


async def idle(deployment: Deployment, within: float = DRAIN_SECONDS) -> bool:
    """Wait until the engine answers no call; False where it still does after `within` seconds.

    A classifier ends what it has taken in before it ends itself.
    """
    if deployment.kind == "classifier":
        return True
    secret = secret_of(deployment)
    end = asyncio.get_running_loop().time() + within
    while await _busy(deployment.port, secret):
        if asyncio.get_running_loop().time() > end:
            return False
        await asyncio.sleep(POLL_SECONDS)
    return True


async def _busy(port: int, secret: str) -> bool:
    try:
        status, body = await ask(port, "/slots", secret=secret, within=5.0)
        slots = msgspec.json.decode(body, type=list[_Slot]) if status == 200 else []
    except OSError:
        return False  # gone already
    except msgspec.DecodeError:
        return True
    return any(one.is_processing for one in slots)


def leads(snapshots: Path, public: Verifier, host: str, port: int, model: str) -> bool:
    """Whether the routes on disk have a target that asks for `model` there."""
    try:
        _, routes = read_snapshot(snapshots, "routes", Routes, public)
    except (FileNotFoundError, BadArtefact):
        return False
    return any((one.origin.host, one.origin.port, one.model) == (host, port, model) for one in routes.targets)


def _named(snapshots: Path, public: Verifier, port: int) -> bool:
    """Whether the routes on disk lead to the port. Unreadable ones lead nowhere: gateways refuse them too."""
    try:
        _, routes = read_snapshot(snapshots, "routes", Routes, public)
    except (FileNotFoundError, BadArtefact):
        return False
    return any(one.origin.port == port and one.owned for one in routes.targets)
