"""List prices of rented models, by provider, model and date, out of the dated tables of `genai-prices` (offline).

What a contract says instead stands in the settings and wins; this module is asked only where they say nothing.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import msgspec

from freehold.core.money import ZERO
from freehold.ledger.meter import Price


def rented_price(provider: str, model: str, when: date) -> Price | None:
    """The vendor's list price on a date, in dollars per million tokens; None where the tables have no such model.

    `provider` as the tables name it (`openai`, `anthropic`). Prices that rise with the prompt's length are given at
    their base, and the source says so.
    """
    import genai_prices
    from genai_prices.data_snapshot import get_snapshot

    try:
        _, found = get_snapshot().find_provider_model(model, None, provider, None)
    except LookupError:
        return None
    # Noon, since some prices hold for part of a day and a date names none.
    prices: Any = found.get_prices(datetime(when.year, when.month, when.day, 12, tzinfo=UTC))
    tiered = False

    def per_million(name: str) -> Decimal | None:
        nonlocal tiered
        value = getattr(prices, name, None)
        if value is None or isinstance(value, Decimal):
            return value
        tiered = True
        return Decimal(value.base)

    plain = per_million("input_mtok")
    if plain is None:
        return None
    price = Price(
        input=plain,
        output=per_million("output_mtok") or ZERO,
        cached=per_million("cache_read_mtok"),
        cache_write=per_million("cache_write_mtok"),
        cache_write_1h=per_million("cache_write_1h_mtok"),
        source=f"genai-prices {genai_prices.__version__}",
        as_of=when.isoformat(),
    )
    return msgspec.structs.replace(price, source=f"{price.source} (base tier)") if tiered else price
