from __future__ import annotations

from datetime import date
from decimal import Decimal

from freehold.ledger.prices import rented_price


def test_a_price_comes_with_source_and_date() -> None:
    found = rented_price("openai", "gpt-4o-mini", date(2026, 11, 1))
    assert (found.input, found.cached, found.output) == (Decimal("0.15"), Decimal("0.075"), Decimal("0.6"))
    assert found.cache_write is None
    assert found.source.startswith("genai-prices ")
    assert found.as_of == "2026-11-01"


def test_kinds_of_cache_have_prices_of_their_own() -> None:
    found = rented_price("anthropic", "claude-sonnet-4-5-20250929", date(2026, 11, 1))
    assert (found.cached, found.cache_write, found.cache_write_1h) == (Decimal("0.3"), Decimal("3.75"), Decimal(6))
    assert found.source.endswith("(base tier)")


def test_an_embedding_costs_nothing_for_output() -> None:
    assert rented_price("openai", "text-embedding-3-small", date(2026, 11, 1)).output == 0


def test_a_price_is_that_of_its_day() -> None:
    before = rented_price("deepseek", "deepseek-chat", date(2025, 1, 1))
    after = rented_price("deepseek", "deepseek-chat", date(2026, 11, 1))
    assert before is not None
    assert after is not None
    assert before != after


def test_unknown_names_have_no_price() -> None:
    assert rented_price("openai", "no-such-model", date(2026, 11, 1)) is None
    assert rented_price("no-such-vendor", "gpt-4o", date(2026, 11, 1)) is None
