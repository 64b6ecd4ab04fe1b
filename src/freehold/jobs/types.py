"""What a job is, and what a kind of job must be: work that may be run again from its start after any interruption."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

Payload = dict[str, Any]
Beat = Callable[[Payload], None]
"""Called by work that takes long: keeps the lease and notes progress. Raises LeaseLost where another worker has it."""


class Kind(msgspec.Struct, frozen=True):
    """One kind of job. `run` takes the payload and gives the result, both JSON; it runs outside any transaction."""

    name: str
    run: Callable[[Payload, Beat], Payload]
    lease_seconds: float = 60.0
    """Longest silence before the job counts as abandoned."""
    tries: int = 5
    kept: bool = True
    """False for work that is due every second: once it is done, nothing is left of it."""
    gave_up: Callable[[Payload, str], None] | None = None
    """Told the payload and the last error once it is not tried any more. May be told twice."""


class Schedule(msgspec.Struct, frozen=True):
    """A job that is due again and again. Missed times are not made up for."""

    name: str
    kind: str
    every_seconds: float
    payload: Payload = {}


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """One job as stored. Times in Unix seconds."""

    id: str
    kind: str
    payload: Payload
    state: str
    """`ready`, `running`, `done`, `failed`."""
    run_after: float
    tries: int
    created_at: float
    ended_at: float | None
    result: Payload
    error: str
