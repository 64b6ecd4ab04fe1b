"""Levers: what a plan has, moved with its uncertainty; what is left alone changes nothing; the rule follows its margin."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from freehold.planner.errors import BadAssumption, BadPlan
from freehold.planner.levers import HAND, LEVERS, levers, pulled
from freehold.planner.plan import make, read, written
from freehold.planner.solving import solved
from tests.planner.planned import inputs, work

MADE = inputs(work(), draws=500)


def value_of(made, name):
    return next(one.value for one in levers(made) if one.name == name)


def test_levers_say_what_the_plan_has_and_stand_by_name():
    found = levers(MADE)
    assert [one.name for one in found] == sorted(one.name for one in found)
    assert value_of(MADE, "traffic_growth") == 0.2
    assert value_of(MADE, "gpu_hour") == MADE.works[0].owned.hour.usd.p50
    assert all(one.low <= one.value <= one.high and one.source for one in found)


def test_levers_left_where_they_are_change_no_byte():
    same = pulled(MADE, {one.name: one.value for one in levers(MADE)})
    assert same == MADE
    plan = make(MADE)
    again = solved(plan, {one.name: one.value for one in levers(MADE)})
    assert (again.changed, again.plan) == (False, plan)


@settings(max_examples=40, deadline=None)
@given(st.sampled_from([name for name, _ in LEVERS]), st.floats(0.0, 1.0))
def test_a_lever_stands_where_it_was_pulled_and_no_other_moves(name, share):
    before = {one.name: one for one in levers(MADE)}
    lever = before[name]
    to = lever.low + share * (lever.high - lever.low)
    after = {one.name: one.value for one in levers(pulled(MADE, {name: to}))}
    if name == "discount":
        assert after[name] == 0.0, "what was taken off is the plan's price now"
    else:
        assert after[name] == pytest.approx(round(to) if name == "months" else to)
    assert all(after[other] == before[other].value for other in after if other != name)


def test_uncertainty_moves_along_and_says_whose_it_is():
    changed = pulled(MADE, {"traffic_growth": 0.8, "fte_cost": 110_000, "failed_task_cost": 2.0})
    known = {one.name: one for one in changed.assumptions}
    growth = known["traffic_growth"]
    assert (growth.low, growth.base, growth.high) == pytest.approx((0.2, 0.8, 2.0))
    assert (known["fte_cost"].low, known["fte_cost"].high) == (60_000, 175_000)
    assert known["failed_task_cost"].certain
    assert {known[name].source for name in ("traffic_growth", "fte_cost", "failed_task_cost")} == {HAND}


def test_a_discount_is_taken_off_who_serves_it_now_and_off_nobody_else():
    changed = pulled(MADE, {"discount": 0.5}).works[0]
    before = MADE.works[0]
    assert changed.now.input.p50 == before.now.input.p50 / 2
    assert changed.closed[0].output.p90 == before.closed[0].output.p90 / 2, "the same provider"
    assert changed.hosted == before.hosted
    assert changed.now.discount == 0.5


def test_dearer_machines_make_owning_worth_less():
    plan = make(MADE)
    owned = next(at for at, one in enumerate(plan.workflows[0].options) if one.best.option == "self_hosted")
    values = [
        solved(plan, {"gpu_hour": hour}).plan.workflows[0].options[owned].best.npv.p50 for hour in (0.5, 4.0, 15.0)
    ]
    assert values == sorted(values, reverse=True)
    assert values[0] > values[-1]


def test_a_stricter_margin_asks_for_more_and_says_so():
    worse = tuple(msgspec.structs.replace(one, difference_low=-0.05) for one in work().evidence)
    plan = make(inputs(work(evidence=worse, requests=3e7), draws=500))
    assert "three points" not in " ".join(plan.rule) and "3 points" in plan.rule[4]
    assert plan.workflows[0].decision.advice == "stay"
    lax = solved(plan, {"margin": 0.08}).plan
    assert "8 points" in lax.rule[4]
    assert lax.workflows[0].decision.advice != "stay"


def test_ranges_stand_before_what_was_assumed():
    changed = pulled(MADE, {}, {"platform_fte": (0.1, 0.2, 0.3)})
    found = next(one for one in changed.assumptions if one.name == "platform_fte")
    assert (found.low, found.base, found.high, found.source) == (0.1, 0.2, 0.3, HAND)


@pytest.mark.parametrize(
    ("values", "ranges", "named"),
    [
        ({"growth": 1.0}, {}, "growth"),
        ({"margin": 0.9}, {}, "margin"),
        ({"fte_cost": float("nan")}, {}, "fte_cost"),
        ({}, {"platform_fte": (3.0, 2.0, 1.0)}, "platform_fte"),
        ({}, {"nothing_like_it": (1.0, 2.0, 3.0)}, "nothing_like_it"),
    ],
)
def test_what_cannot_be_said_is_named(values, ranges, named):
    with pytest.raises(BadAssumption) as told:
        pulled(MADE, values, ranges)
    assert told.value.param == named


def test_the_same_levers_give_the_same_bytes():
    plan = make(MADE)
    first, second = (written(solved(plan, {"volume": 3.0}).plan) for _ in range(2))
    assert first == second != written(plan)


def test_a_file_as_it_was_written_reads_as_one_that_was_laid_out_anew():
    plan = make(MADE)
    data = written(plan)
    laid_out = msgspec.json.format(data, indent=2)
    assert read(data) == read(laid_out)
    assert read(data)[0] == plan
    for bad in (
        data.replace(b'"months":36', b'"months":37'),
        data[:-4],
        data.replace(b"freehold-plan/1", b"freehold-plan/9"),
    ):
        with pytest.raises(BadPlan):
            read(bad)
