"""The permit: what must be in hand for one body to leave to one target.

Only `policy` mints permits (an import contract holds it); `egress` sends `permit.body` and nothing else,
and bytes cannot change, so what was decided on is what leaves.
"""

from __future__ import annotations

import msgspec

from freehold.core.label import Label


class Origin(msgspec.Struct, frozen=True):
    """Where a connection goes: scheme `http` or `https`, host, port."""

    scheme: str
    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.scheme}://{self.host}:{self.port}"


PERMIT_SECONDS = 600.0
"""How long a body may wait for its connection; beyond it the decision must be made anew."""


class Permit(msgspec.Struct, frozen=True):
    """One body may go to one target until `expires_at` (Unix seconds)."""

    call_id: bytes
    target: str
    origin: Origin
    label: Label
    policy_version: int
    expires_at: float
    body: bytes
    body_sha256: bytes
