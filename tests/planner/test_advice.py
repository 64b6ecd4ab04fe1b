"""What a plan advises: planted cases where moving loses money, and facts that stand against or are missing."""

from __future__ import annotations

import random

import msgspec
import pytest

from freehold.planner.plan import make
from freehold.planner.rents import gpu_hour, rents
from freehold.planner.types import OPTIONS
from freehold.planner.work import Evidence, Facts, Range, Staircase, Vendor
from tests.planner.planned import HOST, SETTLED, inputs, stairs, work

OWNED = ("own", "hybrid")


def planted():
    """Cases in which owning loses, whatever else is well: everything but money speaks for it."""
    chance = random.Random(7)
    for _ in range(14):  # a small closed model serves it already
        yield work(
            now="openai/gpt-5-nano", requests=chance.uniform(2e5, 3e6), tokens=(chance.uniform(300, 1500), 150.0)
        )
    for _ in range(14):  # little traffic, and it comes in bursts
        yield work(requests=chance.uniform(1e3, 6e4), burst=chance.uniform(20, 200))
    for _ in range(14):  # a host serves an open model for less than the machines cost
        yield work(now=HOST, requests=chance.uniform(1e5, 5e6), tokens=(chance.uniform(300, 1500), 150.0))


def test_where_owning_loses_money_it_is_not_advised():
    found = [make(inputs(one, draws=400)).workflows[0].decision.advice for one in planted()]
    right = [one for one in found if one not in OWNED]
    assert len(right) >= 0.95 * len(found)


def test_a_host_that_is_cheaper_is_advised_before_owning():
    made = make(inputs(work(requests=3e7)))
    assert made.workflows[0].decision.advice == "hosted_open"


def test_owning_is_advised_where_it_saves_and_no_host_may_take_the_label():
    lacking = tuple(
        Vendor(model=name, offering="", lacks=("restricted content needs that nothing is kept",), terms=())
        for name in (HOST, "openai/gpt-5-mini")
    )
    made = make(inputs(work(requests=8e7, vendors=lacking)))
    assert made.workflows[0].decision.advice in OWNED


def test_a_label_that_no_rented_target_may_take_is_owned_whatever_it_costs():
    facts = msgspec.structs.replace(SETTLED, label="restricted", rented_allowed=False)
    decision = make(inputs(work(requests=1e4, facts=facts))).workflows[0].decision
    assert (decision.advice, decision.option) == ("own", "self_hosted")
    assert "restricted" in decision.reason


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"stable": None}, "settled"),
        ({"skills": None}, "people"),
        ({"days": 2.0}, "2.0 days"),
    ],
)
def test_a_missing_fact_makes_it_not_yet_and_is_named(facts, words):
    confined = msgspec.structs.replace(SETTLED, rented_allowed=False, **facts)
    decision = make(inputs(work(facts=confined))).workflows[0].decision
    assert decision.advice == "not_yet"
    assert any(words in one for one in decision.decides)


def test_without_a_scorecard_nothing_moves_and_the_measurement_is_named():
    decision = make(inputs(work(requests=3e7, evidence=()))).workflows[0].decision
    assert decision.advice == "not_yet"
    assert "freehold evals run tickets" in decision.decides[0]


def test_worse_quality_stands_against_an_option():
    bad = Evidence(
        option="hosted_open",
        passed=Range(0.5, 0.6, 0.7),
        pairs=900,
        difference_low=-0.4,
        source="ev_9",
        as_of="2026-10",
    )
    one = work(requests=3e7)
    kept = tuple(each for each in one.evidence if each.option == "nothing")
    decision = make(inputs(msgspec.structs.replace(one, evidence=(*kept, bad)))).workflows[0].decision
    assert decision.advice != "hosted_open"


def test_nobody_who_can_run_models_stands_against_owning():
    facts = msgspec.structs.replace(SETTLED, rented_allowed=False, skills=False)
    decision = make(inputs(work(facts=facts))).workflows[0].decision
    assert decision.advice == "not_yet"


def test_every_factor_says_how_to_override_or_measure_it():
    decision = make(inputs(work(facts=Facts()))).workflows[0].decision
    open_ones = [one for one in decision.factors if one.says == "open"]
    assert {"label", "stability", "skills"} <= {one.name for one in open_ones}
    assert all(one.measure and one.override for one in open_ones)


def test_no_option_is_ever_missing():
    bare = work(closed=(), evidence=(), facts=Facts())
    made = make(inputs(bare))
    for planned in (*made.workflows, made.together):
        assert tuple(choice.best.option for choice in planned.options) == OPTIONS


def test_an_accelerator_without_a_price_gets_a_wide_range_that_says_so():
    hour = gpu_hour("XPU-9", rents())
    assert hour.assumed
    assert hour.usd.p10 < hour.usd.p50 < hour.usd.p90
    owned = msgspec.structs.replace(work().owned, gpu="XPU-9", hour=hour)
    made = make(inputs(work(owned=owned)))
    assert any("XPU-9" in one for one in made.red)
    assert made.workflows[0].options[3].best.monthly.p50 > 0


def test_a_model_that_does_not_fit_keeps_its_options_and_is_never_advised():
    none = Staircase(
        kind="static",
        gpus_per_replica=16,
        stairs=tuple(
            msgspec.structs.replace(one, replicas=0, hours=0.0, meets=False, why="the model does not fit")
            for one in stairs("static", 1.0).stairs
        ),
    )
    owned = msgspec.structs.replace(work().owned, fits=False, gpus=16)
    hybrid = msgspec.structs.replace(none, kind="hybrid")
    made = make(inputs(work(requests=8e7, owned=owned, staircases=(none, hybrid)), draws=300))
    best = made.workflows[0].options[3].best
    assert (best.meets, best.why) == (False, "the model does not fit")
    assert best.monthly.p50 > 16 * 700 * 1.0, "machines that would not do are not free"
    assert made.workflows[0].decision.advice not in OWNED


def test_what_is_too_long_for_a_models_context_never_does():
    """However cheap it is; a call in a hundred decides, and who serves it now has shown that it can."""
    one = work(requests=3e7)
    hosted = msgspec.structs.replace(one.hosted[0], context=8192)
    owned = msgspec.structs.replace(one.owned, context=8192)
    now = msgspec.structs.replace(one.now, context=8192)
    long = msgspec.structs.replace(one.demand, longest=9000.0)
    made = make(inputs(msgspec.structs.replace(one, hosted=(hosted,), owned=owned, now=now, demand=long), draws=300))
    nothing, _, *others = (choice.best for choice in made.workflows[0].options)
    assert nothing.meets
    assert not any(each.meets for each in others)
    assert all("over 9,000 tokens" in each.why and "8,192" in each.why for each in others)
    assert made.workflows[0].decision.option not in ("hosted_open", "self_hosted", "hybrid")
    fitting = msgspec.structs.replace(one, hosted=(hosted,), demand=msgspec.structs.replace(long, longest=8000.0))
    assert make(inputs(fitting, draws=300)).workflows[0].decision.option == "hosted_open"
