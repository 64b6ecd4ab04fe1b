"""What rests on too little traffic states no saving, wherever it is read, and says what would decide."""

from __future__ import annotations

import json
import re

import msgspec
import pytest

from freehold.planner.plan import make, read, written
from freehold.planner.report.registry import FORMATS, REPORTS, report
from freehold.planner.rests import LEAST_CALLS, lasting, rests
from freehold.planner.work import MONTH_SECONDS
from tests.planner.planned import SETTLED, inputs, work


def seen(calls: int, seconds: float, **more):
    """A workflow whose month is made of so many calls in so long; everything but the traffic speaks for moving."""
    one = work(requests=calls * MONTH_SECONDS / seconds, **more)
    return msgspec.structs.replace(one, demand=msgspec.structs.replace(one.demand, span_seconds=seconds))


@pytest.mark.parametrize(
    ("calls", "seconds", "words"),
    [
        (1, 1.0, "1 call in a second or less"),
        (90, 14 * 86400.0, "90 calls in 14 days"),
        (20_000, 60.0, "20,000 calls in 1 minute"),
    ],
)
def test_too_little_is_not_yet_with_the_measurement_and_no_saving_anywhere(calls, seconds, words):
    made = make(inputs(seen(calls, seconds), draws=300))
    planned = made.workflows[0]
    assert (planned.decision.advice, planned.rests.enough) == ("not_yet", False)
    assert words in planned.decision.reason
    assert "seven days" in planned.decision.decides[0]
    assert words in made.red[0]
    for one in (*planned.options, *made.together.options):
        assert (one.best.stated, one.best.saves, one.best.npv.p90, one.best.drivers) == (False, 0.0, 0.0, ())
        assert one.best.monthly.p50 > 0, "an option is never missing"
        assert all(each.npv is None for each in one.variants)
    assert planned.break_even is None
    for reader, _ in REPORTS:
        for form in FORMATS:
            data = report(made, "ab" * 32, reader, form).decode()
            assert words in data
            assert not re.search(r"saves in \d", data)
            assert "Cash flow" not in data


def test_the_first_page_says_on_what_the_figures_rest_before_anything_else():
    made = make(inputs(seen(1, 1.0), draws=300))
    first = json.loads(report(made, "ab" * 32, "cfo", "json"))["sections"][0]
    assert first["text"][0].startswith("Nothing can be decided yet: the figures rest on 1 call")
    assert first["red"]
    assert first["table"]["rows"][0][1] == "not yet"


def test_the_file_says_it_too_and_is_made_again_from_itself():
    data = written(make(inputs(seen(3, 5.0), draws=300)))
    found = json.loads(data)["content"]["workflows"][0]["rests"]
    assert (found["calls"], found["span_seconds"], found["enough"]) == (3, 5.0, False)
    assert written(make(read(data)[0].inputs)) == data


def test_one_workflow_with_too_little_takes_no_saving_from_the_others():
    made = make(inputs(work("big", requests=3e7), seen(5, 14 * 86400.0, name="small"), draws=300))
    big, small = made.workflows
    assert (big.decision.advice, small.decision.advice) == ("hosted_open", "not_yet")
    assert (big.rests.enough, small.rests.enough, made.together.rests.enough) == (True, False, True)
    assert made.advised.stated
    assert "small: the figures rest on 5 calls" in report(made, "ab" * 32, "cfo", "md").decode()


def test_a_confined_workflow_waits_for_its_traffic_too():
    facts = msgspec.structs.replace(SETTLED, label="restricted", rented_allowed=False)
    decision = make(inputs(seen(2, 3.0, facts=facts), draws=300)).workflows[0].decision
    assert (decision.advice, decision.option) == ("not_yet", "self_hosted")


def test_less_than_a_day_moves_nothing_but_figures_are_shown():
    made = make(inputs(seen(40_000, 3600.0), draws=300))
    decision = made.workflows[0].decision
    assert made.workflows[0].options[2].best.saves >= 0.8
    assert decision.advice == "not_yet"
    assert any("1 hour" in one or "60 minutes" in one for one in decision.decides)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.2, "a second or less"),
        (59.0, "59 seconds"),
        (60.0, "1 minute"),
        (3436.0, "57 minutes"),
        (86400.0, "24 hours"),
        (604800.0, "7 days"),
    ],
)
def test_how_long_is_said_in_the_unit_that_suits(seconds, words):
    assert lasting(seconds) == words


def test_calls_are_those_of_the_trace_not_of_the_month():
    assert rests(seen(LEAST_CALLS, 7200.0).demand).calls == LEAST_CALLS
