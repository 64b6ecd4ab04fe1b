"""A confidence interval for a mean that stays true however often, and whenever, it is looked at.

Invariant: with probability `level` the true mean lies inside at every moment, if the mean does not move.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

import msgspec
import numpy as np
import numpy.typing as npt

from freehold.evals.proof.bets import FRACTIONS, Factor, fall, log_mean, proper, rise, within

_HALVINGS = 40
_Floats = npt.NDArray[np.float64]


class Interval(msgspec.Struct, frozen=True, kw_only=True):
    """`mean` of `pairs` values in [-1, 1], and what the true mean is between."""

    mean: float
    low: float
    high: float
    level: float
    pairs: int


def interval(differences: Iterable[float], level: float = 0.95) -> Interval:
    """Anytime-valid interval of the mean of values in [-1, 1], by inverting the betting test of `noninferiority`.

    Every mean is kept that neither bet refutes at half of 1 - level: the betting confidence sequence of Waudby-Smith
    and Ramdas 2024, JRSS B 86, with a fixed mixture of bets instead of adaptive ones. The wealth against a mean falls
    (rises) with it, so each end is found by halving. At `level = 1 - 2 alpha` its lower end passes -margin exactly
    when the test accepts. The order of the values does not matter. Raises BadProofValue, BadProofRule.
    """
    proper("level", level)
    values, counts = np.unique(np.array([within(float(one)) for one in differences], np.float64), return_counts=True)
    pairs = int(counts.sum())
    if not pairs:
        return Interval(mean=0.0, low=-1.0, high=1.0, level=level, pairs=0)
    mean = float(values @ counts) / pairs
    bar = math.log(2.0 / (1.0 - level))
    low = _end(lambda at: _wealth(rise, values, counts, at) >= bar, -1.0, mean)
    high = _end(lambda at: _wealth(fall, values, counts, at) >= bar, 1.0, mean)
    return Interval(mean=mean, low=low, high=high, level=level, pairs=pairs)


def _end(refuted: Callable[[float], bool], outer: float, inner: float) -> float:
    """Between `outer`, taken as refuted, and `inner`: the refuted point nearest to `inner`, so never too narrow."""
    for _ in range(_HALVINGS):
        middle = (outer + inner) / 2.0
        if refuted(middle):
            outer = middle
        else:
            inner = middle
    return outer


def _wealth(factor: Factor, values: _Floats, counts: npt.NDArray[np.intp], mean: float) -> float:
    """Log of the mixed wealth of bets against `mean`. The fixed bets make it a function of the counts alone."""
    return 0.0 if abs(mean) >= 1.0 else log_mean([float(np.log(factor(c, values, mean)) @ counts) for c in FRACTIONS])
