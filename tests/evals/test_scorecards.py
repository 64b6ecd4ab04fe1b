"""What a scorecard says of pairs."""

from __future__ import annotations

from decimal import Decimal

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from freehold.evals.scorecards import About, Pair, quantile, scorecard
from tests.evals.conftest import START, number_of

ABOUT = About(workflow="wf", target="mine", grader="label")
DAY = 86400.0


def pair(index, candidate=1.0, incumbent=1.0, **more):
    values = {"record": number_of(index), "at": START + index, "candidate": candidate, "incumbent": incumbent}
    return Pair(**{**values, **more})


def test_quality_difference_discordance_and_cost():
    found = [pair(n, float(n % 4 != 0), 1.0, cost=Decimal("0.01"), latency=n / 100) for n in range(100)]
    card = scorecard(ABOUT, found, {"gone": 3, "never": 0}, [1.0] * 8 + [0.0] * 2)
    assert (card.pairs, card.quality, card.incumbent_quality, card.discordance) == (100, 0.75, 1.0, 0.25)
    assert card.difference.low < -0.25 < card.difference.high
    assert card.noise.mean == 0.2
    assert (card.cost_call, card.cost_passed) == (Decimal("0.01"), Decimal(1) / 75)
    assert (card.latency_p50, card.latency_p95, card.incumbent_p50) == (0.49, 0.94, None)
    assert [(one.reason, one.calls) for one in card.missing] == [("gone", 3)]


def test_slices_show_where_it_hurts_and_pay_for_their_number():
    found = [pair(n, 0.0 if n % 2 else 1.0, app="new" if n % 2 else "old", kind="a") for n in range(200)]
    found += [pair(200 + n, app="rare") for n in range(5)]
    card = scorecard(ABOUT, found)
    by_app = {one.name: one for one in card.slices if one.by == "application"}
    assert set(by_app) == {"new", "old"}
    assert by_app["new"].difference.high < 0 < by_app["old"].difference.high
    assert card.multiplicity == len(card.slices)
    assert by_app["new"].difference.level == 1 - 0.05 / card.multiplicity


def test_weeks_and_lengths_and_labels_divide_where_there_is_more_than_one():
    found = [pair(n, at=START + (n % 2) * 8 * DAY, length=100 + (n % 2) * 3000, label=f"l{n % 2}") for n in range(80)]
    assert {one.by for one in scorecard(ABOUT, found).slices} == {"week", "length", "sensitivity"}
    assert scorecard(ABOUT, [pair(n) for n in range(80)]).slices == ()


def test_failures_are_counted_by_kind_and_nothing_is_a_card_too():
    card = scorecard(ABOUT, [pair(0, 0.0, error="timeout"), pair(1, 0.0, error="timeout"), pair(2)])
    assert [(one.reason, one.calls) for one in card.failures] == [("timeout", 2)]
    empty = scorecard(ABOUT, [])
    assert (empty.pairs, empty.quality, empty.cost_passed, empty.noise) == (0, 0.0, None, None)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.sampled_from([0.0, 0.25, 1.0]), st.sampled_from([0.0, 1.0])), min_size=1, max_size=60))
def test_a_card_adds_up_and_comes_back_from_json(scores):
    found = [pair(n, a, b) for n, (a, b) in enumerate(scores)]
    card = scorecard(ABOUT, found)
    assert abs(card.quality - card.incumbent_quality - card.difference.mean) < 1e-9
    assert card.difference.low <= card.difference.mean <= card.difference.high
    assert scorecard(ABOUT, found[::-1]) == card
    assert msgspec.json.decode(msgspec.json.encode(card), type=type(card)) == card


def test_quantiles_are_values():
    assert quantile([], 0.5) is None
    assert quantile([3.0, 1.0, 2.0], 0.5) == 2.0
    assert quantile([1.0], 0.95) == 1.0
