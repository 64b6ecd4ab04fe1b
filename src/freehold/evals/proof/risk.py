"""Which threshold may be used, when every routed call risks a loss: Learn-then-Test, and "none" is an answer.

Invariant: with probability at least `confidence` the threshold given back has a risk of at most `bound`, whatever the
scores are worth and however losses are distributed; a worthless score gets no threshold.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec
import numpy as np
import numpy.typing as npt

from freehold.evals.proof.bets import proper
from freehold.evals.proof.errors import BadProofRule, BadProofValue

GRID: tuple[float, ...] = tuple(round(0.99 - 0.01 * step, 2) for step in range(99))
"""Thresholds tried, strictest first; fixed beforehand, so that the choice owes nothing to the losses."""
STARTS: tuple[float, ...] = (0.0, 0.2, 0.5)
"""A sequence begins at the strictest threshold that at least this share of calls reaches, each with an equal part of
the error: the very strictest are reached by so few calls that a start there alone would often end the search at once.
"""


class Promise(msgspec.Struct, frozen=True, kw_only=True):
    """What a threshold must keep. Raises BadProofRule where a number makes no sense."""

    bound: float = 0.1
    """Greatest mean loss among the calls that are routed, or, where that is said, among all; losses are in [0, 1]."""
    confidence: float = 0.95

    def __post_init__(self) -> None:
        proper("bound", self.bound)
        proper("confidence", self.confidence)


class Threshold(msgspec.Struct, frozen=True, kw_only=True):
    """The loosest threshold that keeps the promise; `value` is None where none does, and nothing may be routed."""

    value: float | None
    """Calls that score at least this may be routed."""
    routed: float
    """Share of the calibration calls at or above it."""
    loss: float
    """Their mean loss, as seen."""
    overall: float
    """Mean loss if every call were routed: at or under the bound it needs no router at all."""
    promise: Promise
    calls: int


def learn(scores: Sequence[float], losses: Sequence[float], promise: Promise) -> Threshold:
    """The loosest threshold of GRID whose risk among routed calls is proven to be at most the bound.

    `scores`: probability that a call is safe to route, higher is safer, from a scorer fitted on *other* calls.
    `losses`: what routing it costs, in [0, 1]. Fixed-sequence testing, strictest first, by the p-values of
    `hoeffding_bentkus`: Angelopoulos, Bates, Candes, Jordan and Lei 2021, "Learn then test: calibrating predictive
    algorithms to achieve risk control". Given which calls reach a threshold their losses are independent with the
    conditional mean, so each p-value is valid although the number of calls is random. Thresholds that too few calls
    reach to prove anything are left out; that looks at scores alone. Raises BadProofValue.
    """
    score, loss = _checked(scores, losses)
    error = (1.0 - promise.confidence) / len(STARTS)
    least = math.log(error) / math.log1p(-promise.bound)
    tried = [at for at in GRID if (score >= at).sum() >= least]
    best: float | None = None
    for share in STARTS:
        for at in [one for one in tried if (score >= one).mean() >= share]:
            routed = loss[score >= at]
            if hoeffding_bentkus(float(routed.mean()), routed.size, promise.bound) > error:
                break
            best = at if best is None else min(best, at)
    chosen = loss[score >= best] if best is not None else loss[:0]
    return Threshold(
        value=best,
        routed=chosen.size / loss.size,
        loss=float(chosen.mean()) if chosen.size else 0.0,
        overall=float(loss.mean()),
        promise=promise,
        calls=loss.size,
    )


def learn_whole(scores: Sequence[float], losses: Sequence[float], promise: Promise) -> Threshold:
    """The loosest threshold of GRID whose risk among *all* calls is proven to be at most the bound.

    What scores less is not routed and loses nothing: it is what a policy over two models loses, the one that answers
    where it is sure and the one it is measured by elsewhere. Fixed-sequence testing as in `learn`, strictest first,
    with the whole error in one sequence, since every threshold is judged on all calls. Raises BadProofValue.
    """
    score, loss = _checked(scores, losses)
    error = 1.0 - promise.confidence
    best: float | None = None
    for at in GRID:
        if hoeffding_bentkus(float(loss[score >= at].sum() / loss.size), loss.size, promise.bound) > error:
            break
        best = at
    chosen = loss[score >= best] if best is not None else loss[:0]
    return Threshold(
        value=best if chosen.size else None,
        routed=chosen.size / loss.size,
        loss=float(chosen.sum() / loss.size),
        overall=float(loss.mean()),
        promise=promise,
        calls=loss.size,
    )


def _checked(
    scores: Sequence[float], losses: Sequence[float]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    score, loss = np.asarray(scores, np.float64), np.asarray(losses, np.float64)
    if score.size != loss.size or not score.size:
        raise BadProofValue(f"{score.size} scores and {loss.size} losses", param="losses")
    if not ((loss >= 0.0) & (loss <= 1.0)).all() or not np.isfinite(score).all():
        raise BadProofValue("a loss is outside [0, 1], or a score is no number", param="losses")
    return score, loss


def hoeffding_bentkus(mean: float, count: int, bound: float) -> float:
    """P-value of "the true mean is above `bound`" for `count` independent losses in [0, 1] with this sample mean.

    The smaller of `exp(-n KL(min(mean, bound), bound))` (Hoeffding 1963, JASA 58) and `e P(Bin(n, bound) <=
    ceil(n mean))` (Bentkus 2004, Annals of Probability 32), as in Bates, Angelopoulos, Lei, Malik and Jordan 2021,
    "Distribution-free, risk-controlling prediction sets", JACM 68. Raises BadProofRule.
    """
    proper("bound", bound)
    if count < 1:
        raise BadProofRule("a p-value needs at least one loss", param="count")
    at = min(mean, bound)
    distance = (at * math.log(at / bound) if at > 0.0 else 0.0) + (1.0 - at) * math.log((1.0 - at) / (1.0 - bound))
    hoeffding = math.exp(-count * distance)
    bentkus = math.e * _binomial_tail(math.ceil(count * mean - 1e-9), count, bound)
    return min(1.0, hoeffding, bentkus)


def _binomial_tail(most: int, count: int, chance: float) -> float:
    """P(Bin(count, chance) <= most), from the largest term down so that nothing underflows."""
    if most >= count:
        return 1.0
    terms = [
        math.lgamma(count + 1) - math.lgamma(k + 1) - math.lgamma(count - k + 1)
        + k * math.log(chance) + (count - k) * math.log1p(-chance)
        for k in range(most + 1)
    ]  # fmt: skip
    return min(1.0, math.fsum(math.exp(one) for one in terms))
