"""Ids: 16 bytes, 48 bits of milliseconds then 80 bits of randomness and count, so they sort by time.

Text form is `prefix_` and 32 hex digits.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable


class IdMaker:
    """Makes ids for one process: a random 40-bit stem, then a 40-bit counter, unique without a lock."""

    __slots__ = ("_clock", "_count", "_stem")

    def __init__(self, clock: Callable[[], float] = time.time, random: Callable[[int], bytes] = os.urandom) -> None:
        self._clock = clock
        self._stem = int.from_bytes(random(5), "big") << 40
        self._count = int.from_bytes(random(4), "big")

    def __call__(self, now: float | None = None) -> bytes:
        """A new id, 16 bytes. `now` (Unix seconds) spares a look at the clock."""
        self._count = count = (self._count + 1) & 0xFFFFFFFFFF
        at = self._clock() if now is None else now
        return (int(at * 1000) << 80 | self._stem | count).to_bytes(16, "big")


def as_text(prefix: str, raw: bytes) -> str:
    """The id as people see it."""
    return f"{prefix}_{raw.hex()}"


def from_text(text: str) -> bytes:
    """The 16 bytes of a text id, whatever its prefix. Raises ValueError where it is none."""
    raw = bytes.fromhex(text.rpartition("_")[2])
    if len(raw) != 16:
        raise ValueError(f"{text!r} is no id")
    return raw


def when(raw: bytes) -> float:
    """Unix seconds at which the id was made."""
    return int.from_bytes(raw[:6], "big") / 1000
