"""Many runs of the tests at once, for benches, plans and proofs of the guarantees. Vectorised over runs.

Invariant: a run follows the same recursions as `noninferiority.advance` and `detector.watch`, to rounding.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import numpy as np
import numpy.typing as npt

from freehold.evals.proof.bets import COUNT, FRACTIONS, Factor, fall, rise
from freehold.evals.proof.errors import BadProofRule

Floats = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]
Draw = Callable[[int, Counts], Floats]
"""`draw(count, runs)`: the next `count` differences of the runs still going (their numbers), one row a run."""
_BLOCK = 64


class Trinomial(msgspec.Struct, frozen=True, kw_only=True):
    """Differences of pairs scored 0 or 1: -1, 0 or 1, independent. Raises BadProofRule where |mean| > discordance."""

    mean: float
    discordance: float
    """Share of pairs that differ."""

    def __post_init__(self) -> None:
        if not abs(self.mean) <= self.discordance <= 1.0:
            raise BadProofRule(f"a mean of {self.mean:g} needs at least as many differing pairs", param="discordance")

    def drawn_by(self, random: np.random.Generator) -> Draw:
        """A `Draw` from this distribution."""
        lost, won = (self.discordance - self.mean) / 2.0, (self.discordance + self.mean) / 2.0

        def draw(count: int, runs: Counts) -> Floats:
            rolls = random.random((runs.size, count))
            return np.subtract(rolls >= 1.0 - won, rolls < lost, dtype=np.float64)

        return draw


def reached(draw: Draw, mean: float, alpha: float, size: tuple[int, int], factor: Factor = rise) -> Counts:
    """Pairs at which each run's wealth first is 1 / alpha, 0 where it never was. `size`: runs, and pairs at most.

    `factor=rise` tests "on average at most `mean`" (accepting), `fall` "at least `mean`" (futility).
    """
    wealth = np.ones((size[0], COUNT))
    return _crossings(draw, size, wealth, lambda now, factors: now * factors, _factors(factor, mean), COUNT / alpha)


def alarms(draw: Draw, harm: float, threshold: float, size: tuple[int, int]) -> Counts:
    """Pairs at which each run of the detector with this harm and threshold gave alarm, 0 where it never did."""
    sums = np.zeros((size[0], COUNT))
    step = _factors(fall, -harm)
    return _crossings(draw, size, sums, lambda now, factors: (now + 1.0) * factors, step, COUNT * threshold)


def _factors(factor: Factor, mean: float) -> Callable[[Floats], Floats]:
    """Factors of a column of values, one row a value. Linear in the value, so two points give them all."""
    low = np.array([factor(one, -1.0, mean) for one in FRACTIONS])
    slope = (np.array([factor(one, 1.0, mean) for one in FRACTIONS]) - low) / 2.0
    return lambda values: low + np.multiply.outer(values + 1.0, slope)


def _crossings(
    draw: Draw,
    size: tuple[int, int],
    now: Floats,
    step: Callable[[Floats, Floats], Floats],
    factors: Callable[[Floats], Floats],
    bar: float,
) -> Counts:
    """When each run's row of `now` first sums to `bar`; runs are dropped, block by block, once they did."""
    runs, most = size
    found, going = np.zeros(runs, np.int64), np.arange(runs)
    for start in range(0, most, _BLOCK):
        values = draw(min(_BLOCK, most - start), going)
        at = np.zeros(going.size, np.int64)
        for column in range(values.shape[1]):
            now = step(now, factors(values[:, column]))
            at[(at == 0) & (now.sum(axis=1) >= bar)] = start + column + 1
        found[going] = at
        now, going = now[at == 0], going[at == 0]
        if not going.size:
            break
    return found
