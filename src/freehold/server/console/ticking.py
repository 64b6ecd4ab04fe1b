"""A clock for live pages: beats until whoever looks is gone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator


async def ticking(seconds: float) -> AsyncIterator[int]:
    """The number of each beat; the first comes at once."""
    beat = 0
    while True:
        yield beat
        beat += 1
        await asyncio.sleep(seconds)
