"""Bets on the mean of bounded values, the one ingredient of every test in this package.

Invariant: under its hypothesis a bet's factor is never negative and is at most 1 on average, given the past.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from freehold.evals.proof.errors import BadProofRule, BadProofValue

LEAST, MOST, COUNT = 0.02, 0.9, 16
FRACTIONS: tuple[float, ...] = tuple(LEAST * (MOST / LEAST) ** (k / (COUNT - 1)) for k in range(COUNT))
"""Shares of the wealth that are staked, log-spaced, equally weighted.

The best share is about m / q for a margin m and a second moment q of the differences (the Kelly bet of Waudby-Smith
and Ramdas 2024, "Estimating means of bounded random variables by betting", JRSS B 86). From 0.02 (one point at
discordance 0.5) to 0.9 (three points at 0.03); from 0.003 up it costs 5 to 20 % more samples.
"""


Value = TypeVar("Value", float, npt.NDArray[np.float64])
"""One value, or an array of them."""


class Factor(Protocol):
    """What `rise` and `fall` have in common."""

    def __call__(self, fraction: float, value: Value, mean: float, bound: float = 1.0) -> Value:
        """Factor by which a stake of `fraction` grows on `value`."""
        ...


def rise(fraction: float, value: Value, mean: float, bound: float = 1.0) -> Value:
    """Factor of a bet that values in [-bound, bound] are above `mean` on average.

    `1 - c + c (B + x) / (B + mu)`, that is `1 + l (x - mu)` with `l = c / (B + mu)`: not negative, and at most 1 in
    expectation whenever E[x | past] <= mu. Falls as `mu` rises. Source: the capital process of Waudby-Smith and Ramdas
    2024; a test by betting is Shafer 2021, "Testing by betting", JRSS A 184.
    """
    return 1.0 - fraction + fraction * (bound + value) / (bound + mean)


def fall(fraction: float, value: Value, mean: float, bound: float = 1.0) -> Value:
    """The twin of `rise`: a bet that values are below `mean`; at most 1 in expectation when E[x | past] >= mu."""
    return 1.0 - fraction + fraction * (bound - value) / (bound - mean)


def log_mean(logs: Sequence[float]) -> float:
    """Natural logarithm of the mean of exp(logs), without overflow."""
    top = max(logs)
    return top + math.log(math.fsum(math.exp(one - top) for one in logs) / len(logs))


def from_log(value: float) -> float:
    """exp(value), held at the largest float instead of overflowing."""
    return math.exp(min(value, 709.0))


def within(value: float, bound: float = 1.0) -> float:
    """`value` itself where it is in [-bound, bound]. Raises BadProofValue elsewhere, and for what is no number."""
    if not -bound <= value <= bound:
        raise BadProofValue(f"{value!r} is not in [{-bound:g}, {bound:g}]", param="value")
    return value


def proper(name: str, value: float, least: float = 0.0, most: float = 1.0) -> None:
    """Raises BadProofRule unless `value` lies strictly between `least` and `most`."""
    if not least < value < most:
        raise BadProofRule(f"{name} is {value!r}, which is not between {least:g} and {most:g}", param=name)
