"""A plan is frozen: the same inputs give the same bytes, and what was changed is found out."""

from __future__ import annotations

import json
import re

import msgspec
import pytest
from pydantic import ValidationError

from freehold.planner.contract import Contract
from freehold.planner.errors import BadPlan, PlanError
from freehold.planner.plan import make, read, written
from freehold.planner.report.html import page
from freehold.planner.report.parts import Report, Section, Table
from freehold.planner.report.registry import FORMATS, REPORTS, report
from freehold.planner.settings import PlanSettings
from freehold.planner.types import Range
from tests.planner.planned import inputs, stairs, work


@pytest.fixture(scope="module")
def plan():
    return make(inputs(work("tickets"), work("<mail & *more*>", requests=2e5), draws=400))


def test_the_same_inputs_give_the_same_bytes(plan):
    again = make(inputs(work("tickets"), work("<mail & *more*>", requests=2e5), draws=400))
    assert written(again) == written(plan)


def test_a_plan_is_made_again_from_its_own_file(plan):
    found, _ = read(written(plan))
    assert written(make(found.inputs)) == written(plan)


def test_another_seed_gives_another_plan(plan):
    assert written(make(inputs(work("tickets"), draws=400, seed=2))) != written(plan)


def test_what_was_changed_is_found_out(plan):
    data = written(plan)
    assert read(data)[0] == plan
    with pytest.raises(BadPlan, match="changed"):
        read(data.replace(b'"seed":1', b'"seed":2'))
    with pytest.raises(BadPlan, match="no plan"):
        read(b"{}")
    with pytest.raises(BadPlan, match="form"):
        read(b'{"content":{"form":"freehold-plan/9"},"sha256":""}')


def test_nothing_to_plan_is_an_error():
    with pytest.raises(PlanError, match="traffic"):
        make(inputs())


def test_a_fleet_that_is_shared_stands_beside_one_for_each():
    both = (work("a", requests=2e6), work("b", requests=2e6))
    made = make(inputs(*both, shared=(stairs("static", 0.8),), draws=400))
    names = [one.name for one in made.together.options[3].variants]
    assert any(name.startswith("shared static") for name in names)
    assert any(not name.startswith("shared") for name in names)
    dear, shared = (
        next(one.monthly for one in made.together.options[3].variants if one.name.startswith(start))
        for start in ("static", "shared static")
    )
    assert shared < dear


def test_people_are_paid_once_by_those_who_move(plan):
    shares = [one.share for one in plan.workflows]
    assert all(0 < one <= 1 for one in shares)


@pytest.mark.parametrize("reader", [name for name, _ in REPORTS])
@pytest.mark.parametrize("form", FORMATS)
def test_every_report_is_written_in_every_form(plan, reader, form):
    data = report(plan, "ab" * 32, reader, form).decode()
    assert "Recommendation" in data
    if form == "json":
        assert json.loads(data)["sections"][0]["table"]["rows"]
    if form == "html":
        assert "<mail" not in data
        assert not re.search(r"<script|src=|href=|url\(|@import", data)
        assert data.count("<svg") == data.count("</svg>")
        assert data.count("<div") == data.count("<svg") + data.count("<table"), "what is wide scrolls by itself"
        assert "prefers-color-scheme:dark" in data
        assert not re.search(r'(fill|stroke)="#', data), "charts take the page's colours"
    if form == "md":
        assert "\\<mail" in data


@pytest.mark.parametrize("reader", [name for name, _ in REPORTS])
def test_a_table_stands_beside_each_chart(plan, reader):
    found = json.loads(report(plan, "ab" * 32, reader, "json"))
    for section in found["sections"]:
        if section["chart"] is not None:
            assert section["table"]["rows"], section["heading"]


def test_the_cfo_sees_all_five_options_and_the_tornado(plan):
    data = report(plan, "ab" * 32, "cfo", "html").decode()
    for words in ("do nothing", "another closed model", "hosted open model", "self-hosted", "hybrid", "Break-even"):
        assert words in data
    assert "What it hangs on" in data


def test_a_figure_and_its_range_stand_on_two_lines_and_dashes_keep_numbers_to_the_right():
    table = Table(("option", "value"), (("a", "-"), ("b", "-5 (-7 to -1)"), ("c", "never")))
    drawn = page(Report(title="", reader="", foot="", sections=(Section(heading="", table=table),)))
    assert '<td class="n">-5<br><span>(-7 to -1)</span></td>' in drawn
    assert '<td class="n">-</td>' in drawn
    assert "<td>b</td>" in drawn


def test_where_nothing_is_advised_no_saving_of_zero_is_told():
    made = make(inputs(work(now="openai/gpt-5-nano", requests=1e5), draws=300))
    first = json.loads(report(made, "ab" * 32, "cfo", "json"))["sections"][0]
    assert "change nothing now" in first["text"][0]
    assert not any("saves in" in one for one in first["text"])


def test_a_currency_without_a_rate_is_red():
    euros = Contract(currency="EUR")
    assert any(
        "one EUR is taken for one US dollar" in one for one in make(inputs(work(), draws=200, contract=euros)).red
    )
    known = msgspec.structs.replace(euros, usd_per_unit=Range(1.02, 1.08, 1.15))
    assert not any("US dollar" in one for one in make(inputs(work(), draws=200, contract=known)).red)


@pytest.mark.parametrize("three", [(0, 0, 0), (0, 1, 2), (-1, 1, 2), (2, 1, 3), (1, 1, float("inf"))])
def test_a_rate_that_nothing_can_be_divided_by_is_refused(three):
    with pytest.raises(ValidationError, match="usd_per_unit"):
        PlanSettings(usd_per_unit=three)
