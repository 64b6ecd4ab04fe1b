"""Training of the injection model: squared hinge, L2, full batches, L-BFGS.

No random step and every sum in a fixed order, so the same rows give the same weights. Rows of a source weigh together
as the root of their number, so that no source decides alone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from freehold.guard.detectors.injection_features import PLACES, vector

Floats = NDArray[np.float64]


class Row(NamedTuple):
    """One text of the training set."""

    text: str
    label: int
    source: str


class Matrix(NamedTuple):
    """Vectors of rows, one after the other: entry `i` stands in row `rows[i]`, place `places[i]`."""

    rows: NDArray[np.int64]
    places: NDArray[np.int64]
    values: Floats
    count: int

    def times(self, weights: Floats) -> Floats:
        """A score a row. Summed in order, so the same on every machine."""
        return np.bincount(self.rows, weights=self.values * weights[self.places], minlength=self.count)

    def back(self, scores: Floats) -> Floats:
        """A sum a place."""
        return np.bincount(self.places, weights=self.values * scores[self.rows], minlength=PLACES)

    def some(self, wanted: NDArray[np.bool_]) -> Matrix:
        """The rows that are wanted, numbered anew."""
        number = np.cumsum(wanted) - 1
        keep = wanted[self.rows]
        return Matrix(number[self.rows[keep]], self.places[keep], self.values[keep], int(wanted.sum()))


def matrix(texts: Sequence[str]) -> Matrix:
    """Vectors of all texts."""
    rows, places, values = [], [], []
    for index, text in enumerate(texts):
        at, value = vector(text)
        rows.append(np.full(len(at), index, dtype=np.int64))
        places.append(at)
        values.append(value)
    return Matrix(np.concatenate(rows), np.concatenate(places), np.concatenate(values), len(texts))


def importance(rows: Sequence[Row]) -> Floats:
    """Weight of each row: both labels weigh the same, and each source within its label as the root of its rows."""
    sizes: dict[tuple[str, int], int] = {}
    for row in rows:
        key = (row.source, row.label)
        sizes[key] = sizes.get(key, 0) + 1
    totals = [0.0, 0.0]
    for (_, label), size in sorted(sizes.items()):
        totals[label] += math.sqrt(size)
    return np.array([1 / math.sqrt(sizes[row.source, row.label]) / totals[row.label] / 2 for row in rows])


def train(data: Matrix, labels: Floats, weights: Floats, penalty: float, rounds: int = 60) -> tuple[Floats, float]:
    """(weights, bias) of least `sum importance * max(0, 1 - y m)^2 + penalty/2 * |w|^2`. Labels are -1 and 1."""
    point = np.zeros(PLACES + 1)
    history: list[tuple[Floats, Floats, float]] = []
    value, slope = _loss(data, labels, weights, penalty, point)
    for _ in range(rounds):
        step = _direction(slope, history)
        size, down = 1.0, _dot(step, slope)
        while True:
            moved = point + size * step
            after, slope_after = _loss(data, labels, weights, penalty, moved)
            if after <= value + 1e-4 * size * down or size < 1e-6:
                break
            size /= 2
        change, turn = moved - point, slope_after - slope
        curve = _dot(change, turn)
        if curve > 1e-12:
            history = [*history[-7:], (change, turn, 1 / curve)]
        gain, point, value, slope = value - after, moved, after, slope_after
        if gain < 1e-7 * abs(value):
            break
    return point[:-1], float(point[-1])


def _loss(data: Matrix, labels: Floats, weights: Floats, penalty: float, point: Floats) -> tuple[float, Floats]:
    lack = np.maximum(0.0, 1 - labels * (data.times(point[:-1]) + point[-1]))
    pull = -2 * weights * labels * lack
    slope = np.append(data.back(pull) + penalty * point[:-1], pull.sum())
    return float((weights * lack * lack).sum() + penalty / 2 * _dot(point[:-1], point[:-1])), slope


def _direction(slope: Floats, history: list[tuple[Floats, Floats, float]]) -> Floats:
    """Minus the slope times the curvature that the last steps showed (Nocedal 1980)."""
    step, pushes = -slope, []
    for change, turn, inverse in reversed(history):
        push = inverse * _dot(change, step)
        pushes.append(push)
        step = step - push * turn
    if history:
        change, turn, inverse = history[-1]
        step = step / (inverse * _dot(turn, turn))
    for (change, turn, inverse), push in zip(history, reversed(pushes), strict=True):
        step = step + change * (push - inverse * _dot(turn, step))
    return step


def _dot(one: Floats, other: Floats) -> float:
    return float((one * other).sum())
