"""Fitting a classifier's heads: penalties tried on the older lessons, judged on the later ones, then all are fitted.

A checkpoint is kept after each fit; those it holds are not run again, so an interrupted job ends in the same bytes.
"""

from __future__ import annotations

import msgspec
import numpy as np
import numpy.typing as npt

from freehold.moves.training.job import Progress, Workshop
from freehold.moves.training.rows import Rows
from freehold.moves.training.softmax import DUAL_MOST, Problem, fit, temperature
from freehold.serving.linear import Indices, softmax
from freehold.serving.ngrams import Floats


class Sides(msgspec.Struct, frozen=True):
    """Lessons as numbers: `older` (the last of them before `cut`) choose the penalty, `later` judge it."""

    older: Rows
    later: Rows
    whole: Rows
    cut: int


class Fitted(msgspec.Struct, frozen=True):
    """One head."""

    weights: Floats
    bias: Floats
    penalty: float
    temperature: float
    scores: Floats
    """Of the later lessons, by the model that has not seen them."""


def sides(rows: list[tuple[Indices, Floats]], width: int, held_out: float) -> Sides:
    """The share `held_out` of the rows, the latest, are held out."""
    cut = len(rows) - max(1, round(len(rows) * held_out))
    return Sides(Rows(rows[max(0, cut - DUAL_MOST) : cut], width), Rows(rows[cut:], width), Rows(rows, width), cut)


class Stages:
    """The fits of a job, in order; those a checkpoint holds are not run again."""

    def __init__(self, shop: Workshop, fits: int, iterations: int) -> None:
        self._shop = shop
        self._most = iterations
        self._of = fits * iterations
        self._done: dict[str, Floats] = {}
        self._step = 0
        state = shop.resume()
        if state is not None:
            from safetensors.numpy import load

            self._done = dict(load(state))
            self._step = int(self._done.pop("step")[0])

    def fit(self, name: str, problem: Problem, begin: Floats | None, penalty: float) -> Floats:
        """The coordinates that the fit called `name` ends in."""
        if name in self._done:
            return self._done[name]

        def tell(iteration: int, loss: float) -> None:
            self._step += 1
            self._shop.tell(Progress(self._step, self._of, round(loss, 6), round(self._shop.seconds(), 3), name))

        made = fit(problem, begin, penalty, self._most, tell)
        from safetensors.numpy import save as pack

        self._done[name] = made
        self._shop.save(pack({**self._done, "step": np.array([self._step])}), self._step)
        return made


def fit_head(
    data: Sides, labels: Indices, classes: int, penalties: tuple[float, ...], stages: Stages, name: str
) -> Fitted:
    """Choose the penalty whose calibrated loss on the later lessons is least, then fit all lessons with it."""
    problem = Problem(data.older, labels[data.cut - data.older.n : data.cut], classes, dual=True)
    later = labels[data.cut :]
    best: tuple[float, Floats, Fitted] | None = None
    at: Floats | None = None
    for place, penalty in enumerate(penalties):
        at = stages.fit(f"{name}.{place}", problem, at, penalty)
        weights = problem.weights(at)
        scores = data.later.times(weights) + at[-1]
        heat = temperature(scores, later)
        odds = softmax(scores / np.float32(heat))[np.arange(len(scores)), later]
        loss = float(-np.log(np.maximum(odds, 1e-30)).mean())
        if best is not None and loss > best[0]:
            break  # penalties only get weaker: it fits the older lessons' noise from here on
        best = (loss, at, Fitted(weights, at[-1], penalty, heat, scores))
    assert best is not None
    _, begin, chosen = best
    whole = Problem(data.whole, labels, classes, dual=data.whole.n <= DUAL_MOST)
    if not whole.dual:
        begin = np.vstack([chosen.weights, chosen.bias[None]])
    final = stages.fit(f"{name}.all", whole, begin, chosen.penalty)
    return msgspec.structs.replace(chosen, weights=whole.weights(final), bias=final[-1])


def crossed(scores: Floats, labels: Indices) -> npt.NDArray[np.float64]:
    """Each half's confidence with the temperature the other half gave, so that calibration is not judged on itself."""
    made = np.empty(len(labels))
    halves = np.arange(len(labels)) % 2 == 0
    for half in (halves, ~halves):
        other = ~half if (~half).any() else half
        heat = temperature(scores[other], labels[other])
        made[half] = softmax(scores[half] / np.float32(heat)).max(axis=1)
    return made
