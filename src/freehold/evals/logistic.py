"""Logistic regression on sparse rows with soft targets: a convex fit by L-BFGS in numpy.

Invariant: deterministic; no randomness, no threads of its own.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
_MEMORY = 8
_Loss = Callable[[Floats], tuple[float, Floats]]


class Rows(msgspec.Struct, frozen=True, kw_only=True):
    """A sparse matrix by rows (CSR)."""

    starts: npt.NDArray[np.intp]
    """Where each row begins in the other two, and at last their length."""
    columns: npt.NDArray[np.intp]
    values: Floats
    width: int

    def times(self, weights: Floats) -> Floats:
        """The matrix times a vector."""
        sums = np.concatenate([[0.0], np.cumsum(self.values * weights[self.columns])])
        found: Floats = sums[self.starts[1:]] - sums[self.starts[:-1]]
        return found

    def transposed_times(self, rows: Floats) -> Floats:
        """The transposed matrix times a vector."""
        spread = np.repeat(rows, np.diff(self.starts)) * self.values
        return np.bincount(self.columns, spread, self.width).astype(np.float64, copy=False)


def fit(rows: Rows, targets: Floats, penalty: float, steps: int = 60) -> tuple[Floats, float]:
    """Weights and bias that minimise cross-entropy with targets in [0, 1], summed, plus `penalty / 2 |w|^2`.

    The bias is not penalised. L-BFGS: Liu and Nocedal 1989, "On the limited memory BFGS method for large scale
    optimization", Mathematical Programming 45.
    """

    def loss(point: Floats) -> tuple[float, Floats]:
        weights, bias = point[:-1], point[-1]
        odds = rows.times(weights) + bias
        value = float(np.sum(np.logaddexp(0.0, odds) - targets * odds)) + penalty / 2.0 * float(weights @ weights)
        miss = 1.0 / (1.0 + np.exp(-np.clip(odds, -40.0, 40.0))) - targets
        return value, np.append(rows.transposed_times(miss) + penalty * weights, miss.sum())

    share = float(np.clip(targets.mean(), 1e-3, 1.0 - 1e-3))
    found = _minimised(loss, np.append(np.zeros(rows.width), np.log(share / (1.0 - share))), steps)
    return found[:-1], float(found[-1])


def _minimised(loss: _Loss, point: Floats, steps: int) -> Floats:
    value, slope = loss(point)
    past: list[tuple[Floats, Floats]] = []
    for _ in range(steps):
        direction = -_curved(slope, past)
        down = float(direction @ slope)
        if down > -1e-9 * max(1.0, abs(value)):
            break
        size = 1.0 if past else 1.0 / max(1.0, float(np.linalg.norm(slope)))
        while True:
            there = point + size * direction
            value_there, slope_there = loss(there)
            if value_there <= value + 1e-4 * size * down or size < 1e-10:
                break
            size /= 2.0
        past = [*past, (there - point, slope_there - slope)][-_MEMORY:]
        past = [(step, bend) for step, bend in past if float(step @ bend) > 1e-12]
        point, value, slope = there, value_there, slope_there
    return point


def _curved(slope: Floats, past: list[tuple[Floats, Floats]]) -> Floats:
    """The slope times what is known of the inverse Hessian (the two loops of L-BFGS)."""
    found, shares = slope.copy(), []
    for step, bend in reversed(past):
        share = float(step @ found) / float(step @ bend)
        found -= share * bend
        shares.append(share)
    if past:
        step, bend = past[-1]
        found *= float(step @ bend) / float(bend @ bend)
    for (step, bend), share in zip(past, reversed(shares), strict=True):
        found += step * (share - float(bend @ found) / float(step @ bend))
    return found
