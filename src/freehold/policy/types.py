"""What the `policy` snapshot holds, and what a decision says."""

from __future__ import annotations

from decimal import Decimal

import msgspec


class Budget(msgspec.Struct, frozen=True, kw_only=True):
    """A money limit over a period."""

    id: str
    """`key/NAME`, `team/NAME` or `route/NAME`; with a second period of the same owner, `.../PERIOD`."""
    limit: Decimal
    """US dollars."""
    period: str = "month"
    """`hour`, `day`, `week` (from Monday), `month` or `total`, in UTC."""


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """Content of the `policy` snapshot."""

    air_gapped: bool = False
    """No rented target may take anything."""
    budgets: tuple[Budget, ...] = ()


class Decision(msgspec.Struct, frozen=True):
    """May content with this label go to this target, and why (one sentence)."""

    allowed: bool
    reason: str
