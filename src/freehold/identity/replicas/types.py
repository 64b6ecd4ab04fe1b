"""A replica: a machine whose gateways serve by this instance's rules and ship their journals to it."""

from __future__ import annotations

import msgspec


class Replica(msgspec.Struct, frozen=True, kw_only=True):
    """One replica. Its token exists nowhere; `digest` is its SHA-256. Times are Unix seconds."""

    id: str
    """The name and six random digits, so that a name may come again and its old journals are not the new one's."""
    name: str
    digest: bytes
    created_at: float
    created_by: str
    ended_at: float | None = None
    lost: bool = False
    """It ended without having shipped all: what it held of budgets counts as spent."""
