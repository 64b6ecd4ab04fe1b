"""Money from streams: identities that must hold in every draw."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from freehold.planner.assumptions import Assumption, assumptions
from freehold.planner.breakeven import break_even
from freehold.planner.contract import Committed, Contract
from freehold.planner.draws import Draws, quantiles
from freehold.planner.errors import BadAssumption
from freehold.planner.factors import common, mine
from freehold.planner.money import drivers, npv, outcome
from freehold.planner.plan import make
from freehold.planner.staircase import hours, replicas
from freehold.planner.streams import Scene, Terms, streams
from freehold.planner.types import Range
from tests.planner.planned import inputs, stairs, work


def scene(one=None, **overrides):
    draws = Draws(1, 500)
    one = one or work()
    shared = common(assumptions(overrides), "H100", draws)
    return Scene(work=one, factors=mine(one, shared, draws), terms=Terms(months=36))


FLAT = dict.fromkeys(
    ("traffic_growth", "api_price_drift", "rent_drift", "discount_rate", "shadow_share"), (0.0, 0.0, 0.0)
)


def test_doing_nothing_costs_what_the_price_list_says():
    found = streams(scene(**FLAT))[0]
    demand, price = work().demand, work().now
    expected = (demand.input * price.input.p50 + demand.output * price.output.p50) / 1e6
    assert found.option == "nothing"
    assert np.allclose(found.monthly, expected)


def test_net_present_value_without_discount_is_the_difference_of_totals():
    at = scene(**FLAT)
    found = streams(at)
    nothing = found[0]
    for one in found:
        total = one.monthly.sum(axis=1) + one.upfront + one.end
        assert np.allclose(npv(at, one, nothing), nothing.monthly.sum(axis=1) - total)


def test_doing_nothing_neither_saves_nor_pays_back():
    at = scene()
    found = outcome(at, streams(at)[0], streams(at)[0])
    assert (found.npv.p50, found.saves, found.payback_months) == (0.0, 0.0, (0.0, 0.0, 0.0))


def test_parts_are_the_monthly_cost():
    for one in streams(scene()):
        assert np.allclose(sum(one.parts.values()), one.monthly)
        assert (one.monthly >= 0).all()


def test_cost_per_passed_task_counts_only_what_passes():
    at = scene()
    found = streams(at)
    half = msgspec.structs.replace(found[0], passed=found[0].passed / 2)
    assert outcome(at, half, found[0]).per_passed.p50 == pytest.approx(
        2 * outcome(at, found[0], found[0]).per_passed.p50
    )


def test_an_unused_commitment_is_paid_in_every_option():
    owed = Committed(provider="openai", monthly=50_000.0, months=12, source="contract", as_of="2026-01-01")
    one = work(requests=1e6)
    made = make(inputs(one, contract=Contract(commitments=(owed,))))
    hosted = next(choice.best for choice in made.workflows[0].options if choice.best.option == "hosted_open")
    assert any(part.what == "unused commitment" and part.monthly > 0 for part in hosted.parts)
    free = make(inputs(one))
    assert made.workflows[0].options[2].best.npv.p50 < free.workflows[0].options[2].best.npv.p50


def test_another_currency_divides_every_amount():
    plain = make(inputs(work()))
    euro = make(inputs(work(), contract=Contract(currency="EUR", usd_per_unit=Range(2.0, 2.0, 2.0))))
    for here, there in zip(plain.workflows[0].options, euro.workflows[0].options, strict=True):
        assert there.best.monthly.p50 == pytest.approx(here.best.monthly.p50 / 2)
        assert there.best.npv.p50 == pytest.approx(here.best.npv.p50 / 2)


@given(st.floats(0.01, 30.0), st.floats(0.01, 30.0))
def test_more_traffic_never_needs_fewer_machines(one, other):
    low, high = sorted((one, other))
    for kind in ("static", "autoscaled", "hybrid"):
        made = stairs(kind, 2.3)
        both = np.array([low, high])
        assert np.diff(replicas(made, both))[0] >= 0
        assert np.diff(hours(made, both))[0] >= -1e-6
        assert (replicas(made, both) % 1 == 0).all()


def test_static_machines_are_bought_whole():
    made = stairs("static", 2.3)
    at = np.linspace(0.1, 8, 200)
    steps = np.unique(np.diff(hours(made, at)).round(6))
    assert len(steps) < 6, "a staircase, not a line"


def test_break_even_names_where_the_cheapest_changes():
    found = break_even(scene(work(requests=2e6)))
    assert set(found.monthly) == {"nothing", "closed", "hosted_open", "self_hosted", "hybrid"}
    for volume, before, after in found.crossings:
        at = found.volumes.index(volume)
        least = min(found.monthly, key=lambda option: found.monthly[option][at])
        assert least == after != before


@given(st.floats(-5, 5), st.floats(0, 5), st.floats(0, 5))
def test_draws_stay_within_what_is_assumed(low, first, second):
    one = Assumption("x", "ratio", low, low + first, low + first + second, "", "")
    drawn = Draws(3, 200).triangular(one)
    assert (drawn >= one.low - 1e-9).all()
    assert (drawn <= one.high + 1e-9).all()


def test_ranges_come_back_as_they_went_in():
    found = quantiles(Draws(1, 20_000).ranged("x", Range(2.0, 5.0, 9.0)))
    assert (found.p10, found.p50, found.p90) == pytest.approx((2.0, 5.0, 9.0), rel=0.03)


def test_a_factor_is_drawn_alike_whatever_else_is_drawn():
    assert (Draws(1, 50).uniform("pue") == Draws(1, 50).uniform("pue")).all()
    assert (Draws(1, 50).uniform("pue") != Draws(2, 50).uniform("pue")).any()


def test_the_tornado_finds_what_moves_the_value():
    draws = Draws(1, 2000)
    factors = {name: draws.uniform(name) for name in ("a", "b", "c")}
    found = drivers(factors, 5 * factors["a"] - factors["b"])
    assert [one.factor for one in found] == ["a", "b"]
    assert found[0].correlation > 0.9
    assert found[1].correlation < 0
    assert found[0].low < found[0].high


@pytest.mark.parametrize(
    ("given_", "words"),
    [
        ({"pue": (2.0, 1.0, 3.0)}, "order"),
        ({"pue": (-1.0, 1.0, 3.0)}, "below"),
        ({"pue": (1.0, float("nan"), 3.0)}, "order"),
        ({"puo": (1.0, 1.0, 1.0)}, "no assumption"),
    ],
)
def test_a_bad_assumption_is_named(given_, words):
    with pytest.raises(BadAssumption, match=words):
        assumptions(given_)
