"""Thresholds with a promise: kept in nearly all repetitions, and none where nothing can be promised."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from freehold.evals.proof.errors import BadProofRule, BadProofValue
from freehold.evals.proof.risk import Promise, hoeffding_bentkus, learn, learn_whole


def calls(random, count, sharp=1.0):
    """Scores and losses: with `sharp` 1 a call loses with probability half of 1 - score, with 0 the score is noise."""
    scores = random.random(count)
    chance = 0.5 * (sharp * (1 - scores) + (1 - sharp) * 0.5)
    return scores.tolist(), (random.random(count) < chance).astype(float).tolist()


def test_the_promise_is_kept():
    random, broken, routed = np.random.default_rng(1), 0, []
    for _ in range(100):
        found = learn(*calls(random, 2000), Promise(bound=0.1, confidence=0.9))
        if found.value is not None:
            # Losses above a threshold t are half of the mean of 1 - score there.
            broken += 0.5 * (1 - found.value) / 2 > 0.1
        routed.append(found.routed)
    assert broken / 100 <= 0.1
    assert np.mean(routed) > 0.2  # of at most 0.4


def test_the_promise_is_kept_of_all_calls_where_the_others_lose_nothing():
    random, broken, routed = np.random.default_rng(5), 0, []
    for _ in range(100):
        found = learn_whole(*calls(random, 2000), Promise(bound=0.05, confidence=0.9))
        assert found.value is not None
        # Of all calls, those above a threshold t lose a quarter of (1 - t) squared.
        broken += 0.25 * (1 - found.value) ** 2 > 0.05
        routed.append(found.routed)
        assert found.loss <= 0.05
    assert broken / 100 <= 0.1
    assert 0.35 < np.mean(routed) < 0.45  # of at most 0.447
    assert learn_whole(*calls(random, 30), Promise(bound=0.01)).value is None
    assert learn_whole([0.5] * 500, [1.0] * 500, Promise(bound=0.05)).value is None, (
        "all or nothing, and all is too much"
    )
    with pytest.raises(BadProofValue):
        learn_whole([0.5], [2.0], Promise())


def test_a_worthless_score_routes_nothing():
    found = learn(*calls(np.random.default_rng(2), 2000, sharp=0.0), Promise(bound=0.1))
    assert found.value is None
    assert found.routed == 0
    assert found.overall == pytest.approx(0.25, abs=0.03)


def test_too_few_calls_promise_nothing():
    assert learn([0.999] * 20, [0.0] * 20, Promise(bound=0.1)).value is None


def test_where_nothing_is_lost_everything_goes():
    found = learn(np.linspace(0.02, 1, 400).tolist(), [0.0] * 400, Promise(bound=0.1))
    assert found.routed == 1
    assert found.value == pytest.approx(0.01)


@settings(max_examples=60)
@given(st.integers(1, 300), st.floats(0, 1), st.floats(0.02, 0.9))
def test_p_values_are_probabilities_that_grow_with_the_loss(count, mean, bound):
    here = hoeffding_bentkus(mean, count, bound)
    assert 0 <= here <= 1
    assert here <= hoeffding_bentkus(min(1.0, mean + 0.1), count, bound) + 1e-12
    if mean > bound:
        assert here == 1


def test_p_values_are_valid_at_the_bound():
    random, bound, count = np.random.default_rng(3), 0.1, 100
    means = (random.random((4000, count)) < bound).mean(axis=1)
    small = np.mean([hoeffding_bentkus(float(one), count, bound) <= 0.05 for one in means])
    assert small <= 0.05


def test_what_makes_no_sense_is_refused():
    with pytest.raises(BadProofValue):
        learn([0.1], [0.1, 0.2], Promise())
    with pytest.raises(BadProofValue):
        learn([0.1], [1.5], Promise())
    with pytest.raises(BadProofRule):
        Promise(bound=0.0)
    with pytest.raises(BadProofRule):
        hoeffding_bentkus(0.0, 0, 0.1)
