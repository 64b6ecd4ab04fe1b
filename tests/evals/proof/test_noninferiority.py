"""The test of non-inferiority: resumes exactly, keeps its error under peeking, and decides about when it should."""

from __future__ import annotations

import math

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from freehold.evals.proof.bets import FRACTIONS, fall, rise
from freehold.evals.proof.errors import BadProofRule, BadProofValue
from freehold.evals.proof.interval import interval
from freehold.evals.proof.noninferiority import Rule, State, advance, decide, e_value
from freehold.evals.proof.samples import fixed_size, labels_needed, pairs_needed, unpaired_size
from freehold.evals.proof.simulate import Trinomial, reached

RULE = Rule()
DIFFERENCES = st.lists(st.floats(-1, 1), max_size=60)


def stream(mean, discordance, count, seed=1):
    draw = Trinomial(mean=mean, discordance=discordance).drawn_by(np.random.default_rng(seed))
    return draw(count, np.arange(1))[0].tolist()


@settings(max_examples=40)
@given(DIFFERENCES, st.integers(0, 60))
def test_a_run_that_was_killed_and_read_back_equals_one_that_was_not(values, cut):
    whole = advance(RULE, State(), values)
    stored = msgspec.json.encode(advance(RULE, State(), values[:cut]))
    assert advance(RULE, msgspec.json.decode(stored, type=State), values[cut:]) == whole
    packed = msgspec.msgpack.encode(whole)
    assert msgspec.msgpack.decode(packed, type=State) == whole


@settings(max_examples=40)
@given(DIFFERENCES)
def test_batches_of_any_size_give_the_same_state(values):
    state = State()
    for one in values:
        state = advance(RULE, state, [one])
    assert state == advance(RULE, State(), values)


@given(st.sampled_from(FRACTIONS), st.floats(-1, 1), st.floats(-0.99, 0.99), st.floats(1, 40))
def test_a_bet_is_never_negative_and_fair_at_its_mean(fraction, value, mean, bound):
    assert rise(fraction, value * bound, mean, bound) >= 0
    assert fall(fraction, value * bound, mean, bound) >= 0
    # Linear in the value, and 1 at the mean: so at most 1 on average wherever the average is at most the mean.
    assert rise(fraction, mean, mean, bound) == pytest.approx(1)
    assert fall(fraction, mean, mean, bound) == pytest.approx(1)
    assert rise(fraction, bound, mean, bound) >= rise(fraction, -bound, mean, bound)


@settings(max_examples=40)
@given(DIFFERENCES)
def test_the_evidence_is_the_mean_of_the_products_it_is_said_to_be(values):
    expected = np.mean([math.prod(1 + c / 0.97 * (one + 0.03) for one in values) for c in FRACTIONS])
    assert e_value(advance(RULE, State(), values)) == pytest.approx(expected, rel=1e-9)


def test_false_cut_overs_stay_rare_with_a_look_after_every_pair():
    worse = Trinomial(mean=-0.03, discordance=0.1).drawn_by(np.random.default_rng(5))
    false = (reached(worse, -0.03, 0.05, (800, 2500)) > 0).mean()
    assert false <= 0.05
    # A test that looks as often with a fixed threshold of 1.645 is wrong far more often: this is what is prevented.
    draw = Trinomial(mean=-0.03, discordance=0.1).drawn_by(np.random.default_rng(6))
    values = draw(2500, np.arange(400)) + 0.03
    count = np.arange(1, 2501)
    scores = values.cumsum(axis=1) / np.sqrt(0.1 * count)
    assert (scores[:, 30:] > 1.645).any(axis=1).mean() > 0.2


def test_a_deceitful_stream_at_the_margin_does_not_help_it():
    random = np.random.default_rng(8)

    def draw(count, runs):
        loud = np.where(random.random((runs.size, 1)) < 0.5, 0.04, 0.7)
        rolls = random.random((runs.size, count))
        return np.subtract(rolls >= 1 - (loud - 0.03) / 2, rolls < (loud + 0.03) / 2, dtype=float)

    assert (reached(draw, -0.03, 0.05, (800, 2500)) > 0).mean() <= 0.055


def test_the_vectorised_form_decides_when_the_exact_one_does():
    for mean, seed in ((0.0, 3), (0.02, 4), (-0.03, 5)):
        draw = Trinomial(mean=mean, discordance=0.1).drawn_by(np.random.default_rng(seed))
        values = draw(1500, np.arange(6))
        blocks = iter(np.split(values, range(64, 1500, 64), axis=1))
        found = reached(lambda count, runs, blocks=blocks: next(blocks)[runs], -0.03, 0.05, (6, 1500))
        exact = [advance(RULE, State(), row.tolist()).accepted_at for row in values]
        assert found.tolist() == exact


def test_an_equal_candidate_is_accepted_and_a_bad_one_is_given_up():
    accepted = decide(RULE, advance(RULE, State(), stream(0.0, 0.1, 6000)))
    assert accepted.decision == "accept"
    assert 0 < accepted.decided_at <= accepted.pairs
    futile = decide(RULE, advance(RULE, State(), stream(-0.09, 0.1, 6000)))
    assert futile.decision == "futile"
    assert decide(RULE, State()).decision == "continue"


def test_what_was_decided_first_stays_decided():
    state = advance(RULE, State(), stream(0.0, 0.1, 3000))
    turned = advance(RULE, state, [-1.0] * 500)
    assert turned.futile_at
    assert decide(RULE, turned).decision == "accept"
    assert decide(RULE, turned).decided_at == state.accepted_at


def test_pairs_needed_are_close_to_the_fixed_tests_and_far_from_unpaired_ones():
    pair = Trinomial(mean=0.0, discordance=0.1)
    size = fixed_size(RULE, pair)
    assert size == pytest.approx(6.18 * 0.1 / 0.03**2, rel=0.002)
    needed = pairs_needed(RULE, pair, np.random.default_rng(2))
    assert size * 0.8 < needed.median <= size * 1.35
    assert needed.median < needed.late
    assert unpaired_size(RULE, 0.8) > 3 * size
    assert labels_needed(size, 0.1) == pytest.approx(size / 10)


@settings(max_examples=15)
@given(st.lists(st.sampled_from([-1.0, -0.5, 0.0, 0.0, 0.0, 0.5, 1.0]), min_size=1, max_size=80))
def test_the_interval_holds_the_mean_and_does_not_care_for_order(values):
    found = interval(values)
    assert found.low <= found.mean <= found.high
    assert interval(sorted(values)) == found
    assert interval(values, 0.99).low <= found.low
    flipped = interval([-one for one in values])
    assert flipped.low == pytest.approx(-found.high, abs=1e-9)


def test_the_interval_agrees_with_the_decision():
    values = stream(0.0, 0.1, 4000, seed=3)
    at = advance(RULE, State(), values).accepted_at
    assert interval(values[: at - 1], 0.9).low <= -0.03 < interval(values[:at], 0.9).low


def test_the_interval_covers_at_every_look_at_once():
    missed = 0
    for seed in range(60):
        values = stream(-0.05, 0.2, 600, seed=seed)
        looks = [interval(values[:count], 0.9) for count in (20, 60, 150, 300, 600)]
        missed += any(not one.low <= -0.05 <= one.high for one in looks)
    assert missed <= 10


def test_nothing_seen_says_nothing():
    assert (interval([]).low, interval([]).high) == (-1.0, 1.0)


@pytest.mark.parametrize("value", [1.01, -2.0, math.nan, math.inf])
def test_a_value_outside_its_bounds_is_refused(value):
    with pytest.raises(BadProofValue):
        advance(RULE, State(), [value])
    with pytest.raises(BadProofValue):
        interval([value])


@pytest.mark.parametrize("name", ["margin", "alpha", "futility"])
@pytest.mark.parametrize("value", [0.0, 1.0, -0.1, math.nan])
def test_a_rule_without_sense_is_refused(name, value):
    with pytest.raises(BadProofRule):
        Rule(**{name: value})


def test_no_number_of_pairs_proves_what_is_not_so():
    with pytest.raises(BadProofRule):
        fixed_size(RULE, Trinomial(mean=-0.03, discordance=0.1))
