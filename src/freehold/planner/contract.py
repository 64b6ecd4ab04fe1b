"""What the customer has in writing about prices: their own prices, discounts, commitments, currency. Frozen values."""

from __future__ import annotations

import msgspec

from freehold.planner.types import Range


class OwnPrice(msgspec.Struct, frozen=True, kw_only=True):
    """A price that stands before every list. US dollars per million tokens."""

    model: str
    """`provider/model`."""
    input: float
    output: float
    cached: float | None = None
    source: str
    as_of: str


class Discount(msgspec.Struct, frozen=True, kw_only=True):
    """A share off a provider's list prices."""

    provider: str
    share: float
    source: str
    as_of: str


class Committed(msgspec.Struct, frozen=True, kw_only=True):
    """Money that a provider is owed each month, used or not, for so many months from the plan's date."""

    provider: str
    monthly: float
    """US dollars."""
    months: int
    source: str
    as_of: str


class Contract(msgspec.Struct, frozen=True, kw_only=True):
    """Everything in writing."""

    prices: tuple[OwnPrice, ...] = ()
    discounts: tuple[Discount, ...] = ()
    commitments: tuple[Committed, ...] = ()
    currency: str = "USD"
    usd_per_unit: Range = Range(1.0, 1.0, 1.0)
    """US dollars for one unit of `currency`."""
