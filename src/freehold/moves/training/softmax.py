"""Softmax regression on sparse rows, by L-BFGS, in numpy alone; the same data gives the same weights.

Minimises mean cross-entropy + penalty/2 * |W|^2 (the bias is free). L-BFGS two-loop recursion: Nocedal and Wright,
Numerical Optimization (2006), algorithm 7.4. Every vector carries its scores, so that a line search costs no product.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import msgspec
import numpy as np
import numpy.typing as npt

from freehold.moves.training.rows import Rows
from freehold.serving.linear import Indices, softmax
from freehold.serving.ngrams import Floats

Tell = Callable[[int, float], None]
"""Told each iteration's number and loss."""

_MEMORY = 8
"""Pairs of steps and gradients kept: more gain little on convex problems."""
_ARMIJO = 1e-4
_ENOUGH = 1e-4
"""A fit ends when an iteration takes less than this share off the loss."""
DUAL_MOST = 6000
"""Rows up to which their Gram matrix (4 n^2 bytes) is faster than passes over the sparse matrix."""


class _Vector(msgspec.Struct, frozen=True):
    """A point or a direction: coordinates, bias [k] and the scores it gives the rows without its bias [n, k].

    Coordinates are the weights [width, k], or in the dual the rows' multipliers [n, k] with weights = X^T multipliers.
    """

    main: Floats
    bias: Floats
    image: Floats

    def plus(self, factor: float, other: _Vector) -> _Vector:
        """This vector plus `factor` times the other."""
        scale = np.float32(factor)
        return _Vector(self.main + scale * other.main, self.bias + scale * other.bias, self.image + scale * other.image)

    def times(self, factor: float) -> _Vector:
        """The vector at another length."""
        scale = np.float32(factor)
        return _Vector(self.main * scale, self.bias * scale, self.image * scale)


class Problem:
    """Rows with labels, ready to be fitted under several penalties. `dual` says which coordinates it works in."""

    def __init__(self, rows: Rows, labels: Indices, classes: int, *, dual: bool) -> None:
        self.rows = rows
        self._labels = labels
        self._classes = classes
        self.dual = dual
        self._gram = rows.gram() if self.dual else None
        self._each = np.arange(rows.n)

    def start(self, coordinates: Floats | None) -> _Vector:
        """A point from stacked coordinates and bias; multipliers of fewer rows are of the first ones. None is zero."""
        size = self.rows.n if self.dual else self.rows.width
        main = np.zeros((size, self._classes), np.float32)
        if coordinates is None:
            return _Vector(
                main, np.zeros(self._classes, np.float32), np.zeros((self.rows.n, self._classes), np.float32)
            )
        main[: len(coordinates) - 1] = coordinates[:-1]
        return _Vector(main, coordinates[-1].copy(), self._image(main))

    def weights(self, coordinates: Floats) -> Floats:
        """Weights [width, k] of stacked coordinates that belong to these rows."""
        return self.rows.transposed_times(coordinates[:-1]) if self.dual else coordinates[:-1]

    def _image(self, main: Floats) -> Floats:
        made: Floats = self.rows.times(main) if self._gram is None else self._gram @ main
        return made

    def inner(self, one: _Vector, other: _Vector) -> float:
        """The inner product of weights and biases."""
        against = other.image if self.dual else other.main
        return float(np.vdot(one.main, against)) + float(np.vdot(one.bias, other.bias))

    def loss(self, at: _Vector, penalty: float) -> tuple[float, Floats]:
        """The loss, and the odds [n, k] it comes from."""
        odds = softmax(at.image + at.bias)
        right = odds[self._each, self._labels].astype(np.float64)
        against = at.image if self.dual else at.main
        regular = 0.5 * penalty * float(np.vdot(at.main, against))
        return float(-np.log(np.maximum(right, 1e-30)).mean()) + regular, odds

    def gradient(self, at: _Vector, odds: Floats, penalty: float) -> _Vector:
        """The gradient of the loss. Takes `odds` over."""
        odds[self._each, self._labels] -= 1
        odds /= np.float32(self.rows.n)
        main = odds if self.dual else self.rows.transposed_times(odds)
        scale = np.float32(penalty)
        image = self._image(main) + scale * at.image
        return _Vector(main + scale * at.main, odds.sum(axis=0), image)


def fit(problem: Problem, begin: Floats | None, penalty: float, most: int, tell: Tell) -> Floats:
    """Stacked coordinates and bias after at most `most` iterations, from `begin`."""
    point = problem.start(begin)
    loss, odds = problem.loss(point, penalty)
    gradient = problem.gradient(point, odds, penalty)
    kept: deque[tuple[_Vector, _Vector, float]] = deque(maxlen=_MEMORY)
    for iteration in range(1, most + 1):
        direction = _direction(problem, gradient, kept)
        slope = problem.inner(direction, gradient)
        if slope >= 0:
            break
        length = 1.0 if kept else 10.0 / max(float(np.abs(direction.image).max()), 1e-9)
        for _ in range(25):
            new = point.plus(length, direction)
            new_loss, odds = problem.loss(new, penalty)
            if new_loss <= loss + _ARMIJO * length * slope:
                break
            length *= 0.5
        else:
            break
        new_gradient = problem.gradient(new, odds, penalty)
        step, change = direction.times(length), new_gradient.plus(-1, gradient)
        curvature = problem.inner(step, change)
        if curvature > 1e-12:
            kept.append((step, change, 1.0 / curvature))
        fell = loss - new_loss
        point, loss, gradient = new, new_loss, new_gradient
        tell(iteration, loss)
        if fell < _ENOUGH * max(abs(loss), 1e-8):
            break
    return np.vstack([point.main, point.bias[None]])


def _direction(problem: Problem, gradient: _Vector, kept: deque[tuple[_Vector, _Vector, float]]) -> _Vector:
    made = gradient.times(-1)
    factors: list[float] = []
    for step, change, scale in reversed(kept):
        factor = scale * problem.inner(step, made)
        factors.append(factor)
        made = made.plus(-factor, change)
    if kept:
        _, change, scale = kept[-1]
        made = made.times(1.0 / (scale * problem.inner(change, change)))
    for (step, change, scale), factor in zip(kept, reversed(factors), strict=True):
        back = scale * problem.inner(change, made)
        made = made.plus(factor - back, step)
    return made


def temperature(scores: Floats, labels: Indices) -> float:
    """The divisor of `scores` [n, k] that makes their softmax likeliest on `labels`: golden section over its log.

    Guo et al., On Calibration of Modern Neural Networks (2017), section 4.2.
    """
    each = np.arange(len(labels))

    def loss(log: float) -> float:
        odds = softmax(scores / np.float32(np.exp(log)))[each, labels]
        return float(-np.log(np.maximum(odds.astype(np.float64), 1e-30)).mean())

    low, high = -3.0, 3.0
    golden = (np.sqrt(5.0) - 1) / 2
    left, right = high - golden * (high - low), low + golden * (high - low)
    f_left, f_right = loss(left), loss(right)
    for _ in range(40):
        if f_left <= f_right:
            high, right, f_right = right, left, f_left
            left = high - golden * (high - low)
            f_left = loss(left)
        else:
            low, left, f_left = left, right, f_right
            right = low + golden * (high - low)
            f_right = loss(right)
    return float(np.exp((low + high) / 2))


def calibration_error(confidence: npt.NDArray[np.float64], right: npt.NDArray[np.bool_], bins: int = 10) -> float:
    """Expected calibration error over bins of equal count: mean |confidence - accuracy| (Naeini et al. 2015)."""
    if not len(confidence):
        return 0.0
    order = np.argsort(confidence, kind="stable")
    parts = [part for part in np.array_split(order, min(bins, len(order))) if len(part)]
    gaps = [abs(float(confidence[part].mean()) - float(right[part].mean())) * len(part) for part in parts]
    return sum(gaps) / len(confidence)
