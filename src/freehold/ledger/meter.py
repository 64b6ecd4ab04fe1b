"""What a call used and what that costs: pure arithmetic on counts and prices."""

from __future__ import annotations

from decimal import Decimal

import msgspec
from msgspec.structs import replace

from freehold.core.money import MILLION, ZERO

UNITS = ("call", "character", "image", "search", "second")
"""What is sold by other measures than tokens: tools called, text spoken, pictures, searches, sound listened to."""


class Usage(msgspec.Struct, frozen=True):
    """Tokens of one attempt, by kind. The totals include their parts, whatever the vendor's own habit.

    `input` counts cached and cache-written tokens too; `output` counts reasoning too.
    """

    input: int = 0
    output: int = 0
    cached: int = 0
    """Input read from the vendor's prompt cache (part of `input`)."""
    cache_write: int = 0
    """Input written to the vendor's prompt cache (part of `input`)."""
    cache_write_1h: int = 0
    """The part of `cache_write` kept for an hour, which some vendors price higher."""
    reasoning: int = 0
    """Output the caller does not see as text (part of `output`)."""
    estimated: bool = False
    """True where the target did not say and we counted."""
    units: int = 0
    """How many of `unit` it was, for what is not counted in tokens."""
    unit: str = ""
    """One of `UNITS`; empty where tokens are all there is."""


class Price(msgspec.Struct, frozen=True, kw_only=True):
    """Dollars per million tokens, with where they come from and the date they held."""

    input: Decimal
    output: Decimal = ZERO
    cached: Decimal | None = None
    cache_write: Decimal | None = None
    cache_write_1h: Decimal | None = None
    units: tuple[tuple[str, Decimal], ...] = ()
    """Dollars for one of each of `UNITS` that has a price."""
    source: str
    as_of: str
    """ISO date."""


FREE = Price(input=ZERO, output=ZERO, source="not set", as_of="1970-01-01")


class Rate(msgspec.Struct, frozen=True):
    """A price per token, every kind filled in: a kind without a price of its own costs what plain input costs."""

    input: Decimal
    output: Decimal
    cached: Decimal
    cache_write: Decimal
    cache_write_1h: Decimal
    units: tuple[tuple[str, Decimal], ...] = ()

    def of_units(self, units: int, unit: str) -> Decimal:
        """Dollars for so many of a unit; nothing for one without a price."""
        return next((units * price for name, price in self.units if name == unit), ZERO)


def rate(price: Price) -> Rate:
    """The per-token form of a price."""
    cached = price.input if price.cached is None else price.cached
    short = price.input if price.cache_write is None else price.cache_write
    long = short if price.cache_write_1h is None else price.cache_write_1h
    given, told, read, kept, kept_long = (one / MILLION for one in (price.input, price.output, cached, short, long))
    return Rate(given, told, read, kept, kept_long, price.units)


def charge(usage: Usage, rate: Rate) -> Decimal:
    """Dollars for `usage` at `rate`."""
    if usage.units and rate.units:
        return rate.of_units(usage.units, usage.unit) + charge(replace(usage, units=0), rate)
    if not (usage.cached or usage.cache_write):
        return usage.input * rate.input + usage.output * rate.output
    plain = usage.input - usage.cached - usage.cache_write
    short = usage.cache_write - usage.cache_write_1h
    return (
        plain * rate.input
        + usage.output * rate.output
        + usage.cached * rate.cached
        + short * rate.cache_write
        + usage.cache_write_1h * rate.cache_write_1h
    )


def cost(usage: Usage, price: Price) -> Decimal:
    """Dollars for `usage` at `price`."""
    return charge(usage, rate(price))
