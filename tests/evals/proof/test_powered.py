"""A biased judge put right by a few labels: the mean is people's, the interval covers it, the test stays valid."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from freehold.evals.proof.errors import BadProofRule, BadProofValue
from freehold.evals.proof.noninferiority import Rule, State, advance
from freehold.evals.proof.powered import (
    LEAST_CORRELATION,
    correlation,
    powered_bound,
    powered_interval,
    powered_value,
)


def judged_items(random, count):
    """People's scores (mean 0.3) and a lenient judge's (mean near 0.8), correlated."""
    people = (random.random(count) < 0.3).astype(float)
    return people, np.clip(0.7 + 0.3 * people + random.normal(0, 0.15, count), 0, 1)


@given(st.floats(-1, 1), st.floats(-1, 1), st.floats(0.05, 1))
def test_a_powered_value_is_unbiased_whatever_the_judge_says(judged, label, probability):
    asked = powered_value(judged, label, probability)
    silent = powered_value(judged, None, probability)
    assert probability * asked + (1 - probability) * silent == pytest.approx(label, abs=1e-9)
    assert abs(asked) <= powered_bound(probability) + 1e-9


def test_the_interval_covers_where_the_judge_alone_never_would():
    random, covered, alone, narrower = np.random.default_rng(1), 0, 0, 0
    for _ in range(200):
        people, judge = judged_items(random, 1000)
        found = powered_interval(people[:150].tolist(), judge[:150].tolist(), judge[150:].tolist(), 0.9)
        covered += found.low <= 0.3 <= found.high
        alone += abs(found.judge_alone - 0.3) < (found.high - found.low) / 2
        narrower += found.high - found.low < 2 * 1.645 * np.sqrt(0.21 / 150)  # of labels alone
    assert covered >= 200 * 0.9 - 4 * np.sqrt(200 * 0.09)
    assert alone == 0
    assert narrower > 190


def test_a_judge_that_says_nothing_gets_no_weight():
    random = np.random.default_rng(2)
    people, noise = (random.random(400) < 0.5).astype(float), random.random(2000)
    found = powered_interval(people.tolist(), noise[:400].tolist(), noise[400:].tolist())
    assert found.weight < 0.15
    assert abs(found.correlation) < LEAST_CORRELATION
    assert found.mean == pytest.approx(people.mean(), abs=0.02)


def test_labels_that_all_agree_do_not_make_it_certain():
    found = powered_interval([1.0] * 12, [1.0] * 12, [1.0] * 100)
    assert found.low < 0.75


def test_the_test_stays_valid_on_powered_values():
    random, wrong, rule = np.random.default_rng(3), 0, Rule(margin=0.05, alpha=0.1)
    bound = powered_bound(0.25)
    for _ in range(150):
        label = np.subtract(random.random(500) < 0.075, random.random(500) < 0.125, dtype=float)
        lenient = np.clip(label + 0.4, -1, 1)
        asked = random.random(500) < 0.25
        values = [
            powered_value(float(f), float(y) if xi else None, 0.25)
            for f, y, xi in zip(lenient, label, asked, strict=True)
        ]
        wrong += advance(rule, State(), values, [bound] * 500).accepted_at > 0
    assert wrong / 150 <= 0.1


def test_with_every_pair_labelled_it_is_the_plain_test():
    labels = [0.0, 1.0, -1.0, 0.0, 0.5] * 20
    values = [powered_value(0.3, one, 1.0) for one in labels]
    powered = advance(Rule(), State(), values, [powered_bound(1.0)] * len(values))
    assert powered.better == pytest.approx(advance(Rule(), State(), labels).better, abs=1e-9)


def test_correlation_is_pearsons_and_zero_where_nothing_varies():
    assert correlation([0, 1, 0, 1], [0.1, 0.9, 0.1, 0.9]) == pytest.approx(1)
    assert correlation([0, 1, 0, 1], [1, 0, 1, 0]) == pytest.approx(-1)
    assert correlation([0, 1, 0, 1], [1, 1, 1, 1]) == 0


def test_what_makes_no_sense_is_refused():
    with pytest.raises(BadProofRule):
        powered_value(0.0, 0.0, 0.0)
    with pytest.raises(BadProofValue):
        powered_value(2.0, None, 0.5)
    with pytest.raises(BadProofValue):
        powered_interval([1.0] * 9, [1.0] * 9, [])
    with pytest.raises(BadProofValue):
        powered_interval([1.0] * 10, [1.0] * 9, [])
    with pytest.raises(BadProofValue):
        correlation([1.0], [float("nan")])
