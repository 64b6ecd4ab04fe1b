"""Is the Valkey server there, and fit for what is kept there? Asked from outside the data plane."""

from __future__ import annotations

import asyncio

import msgspec

from freehold.gateway.shared.line import Line, Shared


class Looked(msgspec.Struct, frozen=True):
    """What it says of itself."""

    version: str
    evicts: str
    """How it makes room when it is full; empty where it refuses to write instead."""


def look(shared: Shared) -> Looked:
    """Ask it once, for at most as long as a gateway would. Raises Away. Not to be called inside an event loop."""
    return asyncio.run(_look(shared))


async def _look(shared: Shared) -> Looked:
    line = Line(shared)
    try:
        server, memory = await line.run([("INFO", "server"), ("INFO", "memory")], max(shared.answer_seconds, 1.0))
    finally:
        await line.close()
    told = dict(one.split(":", 1) for one in (server + memory).decode("utf-8", "replace").splitlines() if ":" in one)
    policy = told.get("maxmemory_policy", "")
    version = told.get("valkey_version") or told.get("redis_version", "unknown")
    return Looked(version, "" if policy == "noeviction" or told.get("maxmemory") == "0" else policy)
