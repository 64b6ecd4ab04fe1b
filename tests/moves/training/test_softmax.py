"""The regression's mathematics, against direct ones."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from freehold.moves.training.classifier import wilson
from freehold.moves.training.rows import Rows
from freehold.moves.training.softmax import Problem, calibration_error, fit, temperature
from freehold.serving.linear import softmax


def sparse(seed, n=30, width=12, density=0.3):
    random = np.random.default_rng(seed)
    dense = (random.random((n, width)) < density) * random.normal(size=(n, width))
    rows = [(np.flatnonzero(row), row[row != 0].astype(np.float32)) for row in dense]
    return Rows(rows, width), dense.astype(np.float32)


@given(st.integers(0, 1000), st.sampled_from([3, 30, 120]), st.sampled_from([1, 12, 80]))
@settings(max_examples=25)
def test_products_are_those_of_the_dense_matrix(seed, n, width):
    rows, dense = sparse(seed, n, width)
    random = np.random.default_rng(seed)
    weights, residuals = random.normal(size=(width, 4)).astype("f4"), random.normal(size=(n, 4)).astype("f4")
    np.testing.assert_allclose(rows.times(weights), dense @ weights, atol=1e-4)
    np.testing.assert_allclose(rows.transposed_times(residuals), dense.T @ residuals, atol=1e-4)
    np.testing.assert_allclose(rows.gram(), dense @ dense.T, atol=1e-4)


@pytest.mark.parametrize("dual", [True, False])
def test_the_gradient_is_the_slope_of_the_loss(dual):
    rows, _ = sparse(1)
    labels = np.random.default_rng(1).integers(0, 3, rows.n)
    problem = Problem(rows, labels, 3, dual=dual)
    start = np.random.default_rng(2).normal(size=((rows.n if dual else rows.width) + 1, 3)).astype(np.float32)
    point = problem.start(start)
    loss, odds = problem.loss(point, 0.01)
    gradient = problem.gradient(point, odds, 0.01)
    step = 1e-3
    numeric = (problem.loss(point.plus(step, gradient), 0.01)[0] - loss) / step
    assert numeric == pytest.approx(problem.inner(gradient, gradient), rel=0.02)


def test_both_coordinates_end_at_the_same_weights_where_the_gradient_is_nothing():
    rows, dense = sparse(3, n=60)
    labels = np.random.default_rng(3).integers(0, 3, rows.n)
    found = []
    for dual in (True, False):
        problem = Problem(rows, labels, 3, dual=dual)
        ended = fit(problem, None, 0.05, 300, lambda *_: None)
        weights, bias = problem.weights(ended), ended[-1]
        odds = softmax(dense @ weights + bias)
        odds[np.arange(rows.n), labels] -= 1
        assert np.abs(dense.T @ odds / rows.n + 0.05 * weights).max() < 5e-3
        found.append(weights)
    np.testing.assert_allclose(found[0], found[1], atol=0.03)


def test_the_loss_only_falls():
    rows, _ = sparse(4, n=50)
    losses = []
    labels = np.arange(50) % 4
    fit(Problem(rows, labels, 4, dual=True), None, 1e-3, 30, lambda _, loss: losses.append(loss))
    assert len(losses) > 3 and losses == sorted(losses, reverse=True)


@given(st.sampled_from([0.3, 1.0, 2.5]), st.integers(0, 100))
@settings(max_examples=10)
def test_the_temperature_of_scores_is_found(true, seed):
    random = np.random.default_rng(seed)
    scores = random.normal(size=(4000, 3)).astype(np.float32) * 2
    odds = softmax(scores / np.float32(true))
    labels = np.array([random.choice(3, p=row / row.sum()) for row in odds.astype(np.float64)])
    assert temperature(scores, labels) == pytest.approx(true, rel=0.2)


def test_calibration_error_is_the_gap_between_said_and_true():
    confidence = np.full(1000, 0.8)
    right = np.arange(1000) % 5 != 0
    assert calibration_error(confidence, right) == pytest.approx(0, abs=0.01)
    assert calibration_error(confidence, ~right) == pytest.approx(0.6, abs=0.01)
    assert calibration_error(np.empty(0), np.empty(0, bool)) == 0


def test_the_interval_is_wilsons():
    low, high = wilson(0.9, 100)
    assert (round(low, 4), round(high, 4)) == (0.8256, 0.9448)
    assert wilson(1.0, 10)[1] == 1.0 and wilson(0.5, 0) == (0.0, 1.0)
