"""Random draws of named factors: the same seed and name give the same numbers, whatever else is drawn. Pure.

Options are compared on common draws, so what they share cancels out (common random numbers).
"""

from __future__ import annotations

import hashlib

import numpy as np
import numpy.typing as npt

from freehold.planner.assumptions import Assumption
from freehold.planner.types import Range

Array = npt.NDArray[np.float64]
_Z90 = 1.2815515655446004
"""90 % point of the normal distribution."""


class Draws:
    """`count` draws of each factor under one seed."""

    def __init__(self, seed: int, count: int) -> None:
        self.seed = seed
        self.count = count

    def uniform(self, name: str) -> Array:
        """In (0, 1)."""
        digest = hashlib.sha256(f"{self.seed}|{name}".encode()).digest()
        generator = np.random.Generator(np.random.PCG64(int.from_bytes(digest[:16], "big")))
        return np.clip(generator.random(self.count), 1e-12, 1.0 - 1e-12)

    def triangular(self, one: Assumption, name: str = "") -> Array:
        """By the inverse of the triangular distribution function; drawn under the assumption's own name, or `name`."""
        if one.certain:
            return np.full(self.count, one.base)
        u = self.uniform(name or one.name)
        wide = one.high - one.low
        turn = (one.base - one.low) / wide
        left = one.low + np.sqrt(u * wide * (one.base - one.low))
        right = one.high - np.sqrt((1.0 - u) * wide * (one.high - one.base))
        return np.asarray(np.where(u < turn, left, right), dtype=np.float64)

    def ranged(self, name: str, one: Range) -> Array:
        """Through P10, P50 and P90: two halves of a normal distribution, of the logarithm where all are positive."""
        if one.p10 == one.p90:
            return np.full(self.count, one.p50)
        u, angle = self.uniform(name), self.uniform(f"{name}|angle")
        z = np.sqrt(-2.0 * np.log(u)) * np.cos(2.0 * np.pi * angle) / _Z90  # Box and Muller 1958
        if min(one.p10, one.p50, one.p90) > 0:
            low, mid, high = np.log((one.p10, one.p50, one.p90))
            return np.asarray(np.exp(mid + np.where(z < 0, (mid - low) * z, (high - mid) * z)), dtype=np.float64)
        return np.asarray(one.p50 + np.where(z < 0, (one.p50 - one.p10) * z, (one.p90 - one.p50) * z), np.float64)


def quantiles(values: Array, source: str = "") -> Range:
    """P10, P50 and P90 of what was drawn."""
    low, mid, high = (float(one) for one in np.quantile(values, (0.1, 0.5, 0.9)))
    return Range(low, mid, high, source)
