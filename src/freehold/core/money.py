"""Money is Decimal US dollars; prices are dollars per million tokens."""

from __future__ import annotations

from decimal import Decimal

ZERO = Decimal(0)
MILLION = Decimal(1_000_000)
_PICO = Decimal(10**12)


def usd(amount: Decimal) -> str:
    """Dollars for people: cents, or as many digits as a small amount needs (`$0.000012`)."""
    if amount == 0:
        return "$0"
    if abs(amount) >= 1:
        return f"${amount:,.2f}"
    return f"${amount.quantize(Decimal(1).scaleb(amount.adjusted() - 1)):f}"


def to_pico(amount: Decimal) -> int:
    """Whole picodollars (1e-12 dollars, one token at a millionth of a dollar per million): exact sums in SQL."""
    return round(amount * _PICO)


def from_pico(amount: int) -> Decimal:
    """Dollars of whole picodollars, exactly."""
    return Decimal(amount).scaleb(-12) if amount else ZERO
