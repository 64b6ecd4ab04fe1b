"""Prices: contract before list, ranges where sources differ, and the figures that are sold, labelled."""

from __future__ import annotations

from datetime import date

import pytest

from freehold.planner import book, prices
from freehold.planner.contract import Contract, Discount, OwnPrice
from freehold.planner.errors import PlanError, Unpriced
from freehold.planner.prices import quote
from freehold.planner.seed import Measured, Weight, read_measured, reallocation, unweighted, weighted
from tests.planner.planned import DAY


def test_a_list_price_carries_source_and_day():
    found = quote("openai/gpt-4o", DAY, Contract())
    assert (found.input.p50, found.output.p50, found.cached.p50) == (2.5, 10.0, 1.25)
    assert found.input.source.startswith("genai-prices")
    assert found.input.as_of == DAY.isoformat()


def test_a_contract_stands_before_the_list():
    own = OwnPrice(model="openai/gpt-4o", input=1.0, output=4.0, source="MSA 7", as_of="2026-01-01")
    found = quote("openai/gpt-4o", DAY, Contract(prices=(own,)))
    assert (found.input.p50, found.sources[0].source) == (1.0, "MSA 7")
    assert found.cached.p50 == 1.0, "a price without a cache price charges cached tokens in full"


def test_a_discount_comes_off_every_side_and_tier():
    given = Contract(discounts=(Discount(provider="google", share=0.2, source="MSA", as_of="2026-01-01"),))
    plain, less = (quote("google/gemini-2.5-pro", DAY, one) for one in (Contract(), given))
    for side in ("input", "output", "cached"):
        assert getattr(less, side).p50 == pytest.approx(0.8 * getattr(plain, side).p50)
    assert less.tiers["input"][0].price == pytest.approx(0.8 * plain.tiers["input"][0].price)


def test_sources_that_differ_make_a_range_that_says_so(monkeypatch):
    real = book.listed

    def two(provider, model, when, **more):
        found = real("openai", "gpt-4o", when, **more)
        if provider == book.SECOND:
            import msgspec

            return msgspec.structs.replace(found, model="openai/gpt-4o", input=found.input * 1.2)
        return found

    monkeypatch.setattr(prices.book, "listed", two)
    found = quote("openai/gpt-4o", DAY, Contract())
    assert (found.input.p10, found.input.p50, found.input.p90) == pytest.approx((2.5, 2.5, 3.0))
    assert found.output.p10 == found.output.p90
    assert "differ in input" in found.note


def test_prices_are_those_of_the_day():
    changed = next(
        (one.provider, one.model, book.history(one.provider, one.model))
        for one in book.everything(DAY)
        if one.since and len(book.history(one.provider, one.model)) > 1
    )
    provider, model, days = changed
    assert book.listed(provider, model, date.fromisoformat(days[-1])).since == days[-1]
    assert book.listed(provider, model, date.fromisoformat(days[0])).since == days[0]


@pytest.mark.parametrize("name", ["openai/gpt-4oo", "gpt-4o", "", "nobody/at-all"])
def test_what_has_no_price_says_so(name):
    with pytest.raises(Unpriced):
        quote(name, DAY, Contract())


def test_hosts_of_an_open_model_come_cheapest_first():
    found = book.hosts_of("Llama-3.1-8B", DAY)
    costs = [quote(name, DAY, Contract()) for name in found]
    blended = [3 * one.input.p50 + one.output.p50 for one in costs]
    assert len(found) == 3
    assert blended == sorted(blended)
    assert all(not name.startswith(book.SECOND) for name in found)


def test_the_seed_figures_say_what_they_are_not():
    found = unweighted(DAY)
    assert found.closed > found.open > 0
    assert "not the cost of self-hosting" in found.what
    mine = weighted(
        [
            Weight(model="openai/gpt-4o", open=False, input=3e6, output=1e6),
            Weight(model="together/meta-llama/Meta-Llama-3.1-8B-Instruct-Turbo", open=True, input=3e6, output=1e6),
        ],
        DAY,
        "my.csv",
    )
    assert mine.closed == pytest.approx((3 * 2.5 + 10) / 4)
    assert mine.open == pytest.approx(0.18)
    with pytest.raises(PlanError, match="both"):
        weighted([Weight(model="openai/gpt-4o", open=False, input=1, output=1)], DAY, "x")


def measured(target, quality, cost, *, incumbent=False):
    return Measured(workflow="w", target=target, quality=quality, cost_call=cost, calls=1000, incumbent=incumbent)


def test_the_saving_is_a_curve_over_the_quality_that_may_be_lost():
    rows = [
        measured("gpt", 0.95, 0.01, incumbent=True),
        measured("open", 0.93, 0.002),
        measured("tiny", 0.8, 0.0001),
    ]
    points = {one.loss: one for one in reallocation(rows)}
    assert (points[0.0].saving, points[0.0].moved) == (0.0, 0)
    assert points[0.02].saving == pytest.approx(0.8)
    assert points[0.15].saving == pytest.approx(0.99)
    savings = [one.saving for one in points.values()]
    assert savings == sorted(savings)
    with pytest.raises(PlanError, match="incumbent"):
        reallocation(rows[1:])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("workflow,target\nw,t\n", "no column quality"),
        ("workflow,target,quality,cost_call,calls,incumbent\nw,t,1.5,1,1,yes\n", "row 1: quality is '1.5'"),
        ("workflow,target,quality,cost_call,calls,incumbent\nw,t,1,-1,1,yes\n", "cost_call"),
        ("workflow,target,quality,cost_call,calls,incumbent\nw,t,1,1,1,maybe\n", "incumbent"),
        ("workflow,target,quality,cost_call,calls,incumbent\n", "no row"),
    ],
)
def test_a_bad_row_is_named(tmp_path, text, words):
    file = tmp_path / "measured.csv"
    file.write_text(text)
    with pytest.raises(PlanError, match=words):
        read_measured(file)
