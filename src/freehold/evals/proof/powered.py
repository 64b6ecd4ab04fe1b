"""Judges that are cheap and biased, put right by a few labels of people: prediction-powered values and intervals.

Invariant: a judge, however wrong, costs width and never truth.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist

import msgspec
import numpy as np
import numpy.typing as npt

from freehold.evals.proof.bets import proper, within
from freehold.evals.proof.errors import BadProofValue

LEAST_CORRELATION = 0.3
"""Under this correlation with people a judge is refused: its predictions then save under a tenth of the labels."""
_LEAST_LABELS = 10
_Floats = npt.NDArray[np.float64]


class Powered(msgspec.Struct, frozen=True, kw_only=True):
    """What people would say on average, from few labels and many judgements."""

    mean: float
    low: float
    high: float
    level: float
    labels: int
    judged: int
    """Items that only the judge saw."""
    judge_alone: float
    """Mean of the judgements, bias and all: for comparison, never for a decision."""
    correlation: float
    weight: float
    """How far the judge is trusted: 0 leaves the labels alone."""


def powered_value(judged: float, label: float | None, probability: float) -> float:
    """`x = f + (xi / pi)(y - f)`: an unbiased value of a pair although most pairs have no label.

    `judged`: the judge's difference f, in [-1, 1]. `label`: people's y where they were asked (xi = 1), else None.
    `probability`: pi, with which they were to be asked; it may depend on everything but the label itself. Then
    E[x] = E[y] for any judge: Zrnic and Candes 2024, "Active statistical inference", ICML, after Angelopoulos, Bates,
    Fannjiang, Jordan and Zrnic 2023, "Prediction-powered inference", Science 382. Raises BadProofValue, BadProofRule.
    """
    proper("probability", probability, 0.0, 1.0 + 1e-9)
    within(judged)
    return judged if label is None else judged + (within(label) - judged) / probability


def powered_bound(least: float) -> float:
    """Bound on |x| of `powered_value` while the probability of asking is at least `least`: 2 / least - 1.

    Handed to `noninferiority.advance` as the bound, it makes its bets `1 - c + c (B + x) / (B - m)`, the plain bets on
    x / B against m / B: never negative, and at most 1 on average while E[x | past] = E[y | past] <= -m, so the test
    stays valid. The bound must be known before the pair is: where the probability depends on the pair (active
    labelling), use the least it can be. The price is power where labels are rare, for then B is large.
    """
    proper("least", least, 0.0, 1.0 + 1e-9)
    return 2.0 / least - 1.0


def correlation(labels: Sequence[float], judged: Sequence[float]) -> float:
    """Pearson's correlation of a judge with people on the same items; 0 where either never varies."""
    people, judge = _pairs(labels, judged)
    spread = float(people.std() * judge.std())
    return float(np.mean((people - people.mean()) * (judge - judge.mean()))) / spread if spread > 0.0 else 0.0


def powered_interval(
    labels: Sequence[float], judged: Sequence[float], unlabelled: Sequence[float], level: float = 0.95
) -> Powered:
    """Interval of people's mean from labelled items and items that only the judge saw. For one look, not for peeking.

    `labels` and `judged` are people's and the judge's scores of the same items, drawn at random; `unlabelled` are the
    judge's scores of others. Source: Angelopoulos et al. 2023, Science 382, with the weight that makes it never wider
    than labels alone, Angelopoulos, Duchi and Zrnic 2023, "PPI++: efficient prediction-powered inference". Student's
    quantile (Abramowitz and Stegun 26.7.5), and never narrower than the rule of three, as few labels may all agree by
    luck. Raises BadProofValue under 10 labels.
    """
    proper("level", level)
    people, judge = _pairs(labels, judged)
    others = np.asarray(unlabelled, np.float64)
    count, more = people.size, others.size
    if count < _LEAST_LABELS:
        raise BadProofValue(f"{count} labels are too few for an interval: {_LEAST_LABELS} are needed", param="labels")
    weight = _weight(people, judge, others)
    rest = people - weight * judge
    mean = float(rest.mean() + weight * (others.mean() if more else judge.mean()))
    variance = float(rest.var(ddof=1)) / count + (weight * weight * float(others.var()) / more if more else 0.0)
    half = max(_student(level, count - 1) * math.sqrt(variance), -math.log((1.0 - level) / 2.0) / count)
    return Powered(
        mean=mean,
        low=mean - half,
        high=mean + half,
        level=level,
        labels=count,
        judged=more,
        judge_alone=float(np.concatenate([judge, others]).mean()),
        correlation=correlation(labels, judged),
        weight=weight,
    )


def _weight(people: _Floats, judge: _Floats, others: _Floats) -> float:
    """The weight of least variance, within [0, 1]; 0 without further items or with a judge that never varies."""
    spread = float(np.concatenate([judge, others]).var())
    if not others.size or spread <= 0.0:
        return 0.0
    shared = float(np.mean((people - people.mean()) * (judge - judge.mean())))
    return min(max(shared / (spread * (1.0 + people.size / others.size)), 0.0), 1.0)


def _student(level: float, freedom: int) -> float:
    z = NormalDist().inv_cdf((1.0 + level) / 2.0)
    return z + (z**3 + z) / (4 * freedom) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)


def _pairs(labels: Sequence[float], judged: Sequence[float]) -> tuple[_Floats, _Floats]:
    people, judge = np.asarray(labels, np.float64), np.asarray(judged, np.float64)
    if people.size != judge.size or not people.size:
        raise BadProofValue(f"{people.size} labels and {judge.size} judgements of the same items", param="labels")
    if not (np.isfinite(people).all() and np.isfinite(judge).all()):
        raise BadProofValue("a label or a judgement is no number", param="labels")
    return people, judge
