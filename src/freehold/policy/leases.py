"""What gateway and budget authority say to each other: msgpack behind a u32 length, over a local socket.

The gateway says `Hello` once, then asks; each `Lease` is answered by one `Grant` for the same budget and period.
"""

from __future__ import annotations

from decimal import Decimal

import msgspec


class Hello(msgspec.Struct, frozen=True, tag="hello"):
    """Who asks: the gateway's journal epoch."""

    epoch: str


class Lease(msgspec.Struct, frozen=True, tag="lease"):
    """Asks for money: at least `need` dollars, gladly `want`."""

    budget: str
    period_start: int
    need: Decimal
    want: Decimal


class Return(msgspec.Struct, frozen=True, tag="return"):
    """Gives unspent money back."""

    budget: str
    period_start: int
    amount: Decimal


class Grant(msgspec.Struct, frozen=True, tag="grant"):
    """What was granted: 0 where the budget does not cover the need."""

    budget: str
    period_start: int
    amount: Decimal
    remaining: Decimal
    limit: Decimal
    resets_at: int
    """Unix seconds at which the period ends."""


Ask = Hello | Lease | Return
