"""A plan against what happened: what the range held, and what is learned from it."""

from __future__ import annotations

from datetime import date

import msgspec
import pytest

from freehold.cli.plan_months import from_usage, whole
from freehold.planner.actual import Month, compare, refit
from freehold.planner.errors import PlanError
from freehold.planner.plan import make
from tests.planner.planned import inputs, work


@pytest.fixture(scope="module")
def plan():
    return make(inputs(work("tickets", requests=3e7), draws=400))


def months(plan, count, *, level=1.0, growth=0.0, cost=1.0, option="hosted_open"):
    """As the plan's median said, times `level`, growing by `growth` a month."""
    found = compare(plan, [month(at, 1.0, 1.0) for at in range(count)], option).months
    return [
        month(one.month, one.calls_planned.p50 * level * (1 + growth) ** one.month, one.cost_planned.p50 * cost)
        for one in found
    ]


def month(at, calls, cost):
    return Month(workflow="tickets", month=at, calls=calls, input=calls * 1000, output=calls * 200, cost=cost)


def test_what_went_as_planned_lies_within_the_range(plan):
    found = compare(plan, months(plan, 6), "hosted_open")
    assert found.inside == 1.0
    assert all(one.calls_inside for one in found.months)
    assert found.learned[0].level == pytest.approx(1.0)
    assert found.learned[0].cost_ratio == pytest.approx(1.0)


def test_the_advised_option_is_what_is_compared(plan):
    assert compare(plan, months(plan, 1)).option == {"tickets": "hosted_open"}


def test_a_cost_far_off_is_outside_and_said(plan):
    found = compare(plan, months(plan, 4, cost=10.0), "hosted_open")
    assert found.inside == 0.0
    assert found.learned[0].cost_ratio == pytest.approx(10.0)


def test_growth_is_learned_and_the_plan_made_anew_with_it(plan):
    real = months(plan, 8, level=2.0, growth=0.05)
    found = compare(plan, real, "hosted_open")
    assert found.learned[0].growth.p50 > 0.5
    anew = refit(plan, found, "2027-08-01")
    assert anew.works[0].level == pytest.approx(found.learned[0].level)
    before = {one.name: one for one in plan.inputs.assumptions}
    after = {one.name: one for one in anew.assumptions}
    assert after["traffic_growth"].base == pytest.approx(found.learned[0].growth.p50)
    assert after["traffic_growth"].as_of == "2027-08-01"
    changed = {name for name, one in after.items() if one != before[name]}
    assert changed == {"traffic_growth", "output_ratio_open"}
    assert make(anew).advised.npv.p50 > plan.advised.npv.p50, "twice the traffic saves more"


def test_few_months_tell_no_growth(plan):
    assert compare(plan, months(plan, 2), "hosted_open").learned[0].growth is None


def test_months_of_workflows_that_were_not_planned_are_no_comparison(plan):
    stray = msgspec.structs.replace(month(0, 1.0, 1.0), workflow="else")
    with pytest.raises(PlanError, match="no whole month"):
        compare(plan, [stray])


def day(text, calls):
    return {"names": ["tickets", text], "group": ["wf", text], "calls": calls, "usage": {"input": 1}, "cost": "0.5"}


def test_days_become_whole_months_and_the_running_one_is_left_out():
    rows = [day("2026-01-01", 10), day("2026-01-30", 5), day("2026-02-15", 7), day("2026-03-10", 9)]
    found = whole(rows, date(2026, 1, 1), date(2026, 3, 12))
    assert [(one.month, one.calls, one.cost) for one in found] == [(0, 15, 1.0), (1, 7, 0.5)]


def test_a_bad_row_of_usage_is_named(tmp_path):
    file = tmp_path / "usage.csv"
    file.write_text("month,workflow,calls,input_tokens,output_tokens,cost\n1,w,1,1,1,1\n2,w,-1,1,1,1\n")
    with pytest.raises(PlanError, match="row 2"):
        from_usage(file)
