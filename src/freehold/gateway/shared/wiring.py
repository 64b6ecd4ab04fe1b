"""How one gateway process joins those that share its limits and answers."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from freehold.core.errors import BadConfig
from freehold.gateway.shared.answers import SharedAnswers
from freehold.gateway.shared.lending import Lending
from freehold.gateway.shared.line import Shared
from freehold.policy.lent import Lender

if TYPE_CHECKING:
    from freehold.core.crypto import Sealer
    from freehold.gateway.plane import Plane


def prefix_of(sealer: Sealer) -> bytes:
    """What all names of an instance begin with at the server: its gateways' alone, as they have one `data.key`."""
    return b"freehold:%b:" % sealer.digest(b"valkey", b"").hex()[:16].encode()


def join(plane: Plane, shared: Shared, holder: str) -> None:
    """Have the plane share. `holder` names this process. Raises BadConfig without a `data.key`."""
    sealer = plane.sealer
    if sealer is None:
        raise BadConfig("[valkey] needs the instance's data.key", param="valkey")
    prefix = prefix_of(sealer)

    def named(about: bytes) -> bytes:
        return prefix + b"limit:" + sealer.digest(b"limit", about).hex()[:32].encode()

    lender = Lender(time.monotonic, named, shared.share, refuses=shared.refuses)
    plane.lending = Lending(shared, prefix, holder, lender, plane.log)
    if shared.cache_bytes:
        plane.elsewhere = SharedAnswers(shared, prefix, sealer, plane.now)


async def begin(plane: Plane) -> list[asyncio.Task[None]]:
    """Reach the server once, then keep an eye on it in the task that is given."""
    lending = plane.lending
    if lending is None:
        return []
    await lending.begin()
    return [asyncio.get_running_loop().create_task(lending.keep())]


async def end(plane: Plane) -> None:
    """Give back and hang up."""
    if plane.elsewhere is not None:
        await plane.elsewhere.end()
    if plane.lending is not None:
        await plane.lending.end()
