"""The price book: list prices of rented models on a day, out of the dated tables of `genai-prices`, offline.

Invariant: nothing is fetched. Prices are US dollars per million tokens.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

import msgspec

SECOND = "openrouter"
"""Lists other vendors' models under `vendor/model`: a second source on their prices."""
_FIELDS = (
    ("input", "input_mtok"),
    ("output", "output_mtok"),
    ("cached", "cache_read_mtok"),
    ("cache_write", "cache_write_mtok"),
)


class Tier(msgspec.Struct, frozen=True):
    """From so many tokens of prompt on, all tokens of the call cost this."""

    start: int
    price: float


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """One list price, in US dollars per million tokens; None where the table says nothing."""

    provider: str
    model: str
    name: str
    input: float | None
    output: float | None
    cached: float | None
    cache_write: float | None
    tiers: dict[str, tuple[Tier, ...]]
    """By `input`, `output` and `cached`, where a price rises with the prompt's length."""
    batch: bool
    since: str
    """The day from which it holds; empty where the table gives none."""
    context: int
    source: str
    as_of: str


def listed(provider: str, model: str, when: date, *, batch: bool = False) -> Listed | None:
    """What the book says about one model on one day."""
    from genai_prices.data_snapshot import get_snapshot

    try:
        _, found = get_snapshot().find_provider_model(model, None, provider, None)
    except LookupError:
        return None
    return _of(provider, found, when, batch=batch)


def everything(when: date) -> Iterator[Listed]:
    """All models of the book that are priced by tokens, by provider."""
    from genai_prices.data_snapshot import get_snapshot

    for provider in get_snapshot().providers:
        for model in provider.models:
            one = _of(provider.id, model, when, batch=False)
            if one is not None:
                yield one


def hosts_of(model: str, when: date, most: int = 3) -> tuple[str, ...]:
    """Who serves an open model by its name, as `provider/model`, the cheapest first; free offers are none."""
    wanted = _letters(model)
    found = [
        (one.input * 3.0 + one.output, f"{one.provider}/{one.model}")
        for one in everything(when)
        if one.provider != SECOND and wanted in _letters(one.model) and one.input and one.output
    ]
    return tuple(name for _, name in sorted(found)[:most])


def _letters(name: str) -> str:
    return "".join(one for one in name.casefold() if one.isalnum())


def history(provider: str, model: str) -> tuple[str, ...]:
    """The days on which the price of a model changed, as far as the book goes back."""
    from genai_prices.data_snapshot import get_snapshot

    try:
        _, found = get_snapshot().find_provider_model(model, None, provider, None)
    except LookupError:
        return ()
    if not isinstance(found.prices, list):
        return ()
    return tuple(sorted({str(day) for one in found.prices if (day := _start(one.constraint)) is not None}))


def _of(provider: str, model: Any, when: date, *, batch: bool) -> Listed | None:
    import genai_prices

    noon = datetime(when.year, when.month, when.day, 12, tzinfo=UTC)
    prices = model.get_prices(noon, {"processing": "batch"} if batch else None)
    values: dict[str, float | None] = {}
    tiers: dict[str, tuple[Tier, ...]] = {}
    for name, field in _FIELDS:
        price = getattr(prices, field, None)
        base = getattr(price, "base", price)
        values[name] = None if base is None else float(base)
        steps = getattr(price, "tiers", ())
        if steps:
            tiers[name] = tuple(Tier(int(one.start), float(one.price)) for one in steps)
    if values["input"] is None and values["output"] is None:
        return None
    return Listed(
        provider=provider,
        model=model.id,
        name=model.name or model.id,
        input=values["input"],
        output=values["output"],
        cached=values["cached"],
        cache_write=values["cache_write"],
        tiers=tiers,
        batch=batch and _differs(model, prices, noon),
        since=_since(model, noon),
        context=model.context_window or 0,
        source=f"genai-prices {genai_prices.__version__}",
        as_of=when.isoformat(),
    )


def _differs(model: Any, prices: Any, noon: datetime) -> bool:
    return bool(prices != model.get_prices(noon))


def _since(model: Any, noon: datetime) -> str:
    if not isinstance(model.prices, list):
        return ""
    for one in reversed(model.prices):
        if one.constraint is None or one.constraint.active(noon):
            day = _start(one.constraint)
            return "" if day is None else str(day)
    return ""


def _start(constraint: Any) -> date | None:
    day = getattr(constraint, "start_date", None)
    return day if isinstance(day, date) else None
