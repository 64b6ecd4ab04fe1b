"""Time is UTC. Pure code takes a clock as an argument."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], float]
"""Unix seconds."""


def at(seconds: float) -> datetime:
    """Unix seconds as an aware UTC datetime."""
    return datetime.fromtimestamp(seconds, UTC)


def iso(seconds: float) -> str:
    """RFC 3339 in UTC with milliseconds and a Z."""
    return at(seconds).isoformat(timespec="milliseconds").replace("+00:00", "Z")
