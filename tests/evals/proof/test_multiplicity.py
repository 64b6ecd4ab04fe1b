"""Many questions at once cost what they should and no error rate."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from freehold.evals.proof.errors import BadProofRule, BadProofValue
from freehold.evals.proof.multiplicity import alpha_each, discoveries, shared

E_VALUES = st.lists(st.floats(0, 1e6), min_size=1, max_size=7)


def wealth(random, mean, count):
    """An e-value: a bet of 0.3 against mean 0 on values of +-1."""
    values = np.where(random.random(count) < (1 + mean) / 2, 1.0, -1.0)
    return float(np.prod(1 + 0.3 * values))


def test_the_procedure_is_the_one_of_the_paper():
    assert discoveries([100, 1, 45, 30, 0], 0.05) == (0,)
    assert discoveries([100, 1, 50, 34, 0], 0.05) == (0, 2, 3)
    assert discoveries([20], 0.05) == (0,)
    assert discoveries([19.9], 0.05) == ()
    assert discoveries([], 0.05) == ()


def test_false_discoveries_stay_under_the_rate():
    random, shares, found = np.random.default_rng(1), [], 0
    for _ in range(400):
        e_values = [wealth(random, 0.0 if index < 15 else 0.5, 60) for index in range(20)]
        chosen = discoveries(e_values, 0.1)
        shares.append(sum(index < 15 for index in chosen) / max(len(chosen), 1))
        found += sum(index >= 15 for index in chosen)
    assert np.mean(shares) <= 0.1
    assert found > 400  # and it does find


@settings(max_examples=60)
@given(E_VALUES)
def test_the_adjusted_value_is_the_least_mean_over_all_sets_that_hold_it(e_values):
    for index, adjusted in enumerate(shared(e_values)):
        others = [one for place, one in enumerate(e_values) if place != index]
        means = [
            (e_values[index] + sum(chosen)) / (size + 1)
            for size in range(len(others) + 1)
            for chosen in combinations(others, size)
        ]
        assert adjusted == pytest.approx(min(means), rel=1e-9, abs=1e-9)


@settings(max_examples=60)
@given(E_VALUES)
def test_sharing_is_never_weaker_than_dividing_alpha(e_values):
    bar = 1 / alpha_each(0.05, len(e_values))
    for one, adjusted in zip(e_values, shared(e_values), strict=True):
        assert adjusted >= 20 - 1e-6 or one < bar


def test_choosing_the_best_of_many_that_are_no_good_is_rarely_accepted():
    random, wrong = np.random.default_rng(2), 0
    for _ in range(500):
        wrong += max(shared([wealth(random, 0.0, 60) for _ in range(10)])) >= 20
    assert wrong / 500 <= 0.05


def test_what_makes_no_sense_is_refused():
    for bad in ([-1.0], [float("nan")]):
        with pytest.raises(BadProofValue):
            discoveries(bad)
        with pytest.raises(BadProofValue):
            shared(bad)
    with pytest.raises(BadProofRule):
        alpha_each(0.05, 0)
    with pytest.raises(BadProofRule):
        discoveries([1.0], 0.0)
