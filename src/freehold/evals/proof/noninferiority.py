"""Is the candidate worse than the incumbent by less than the margin? A test that may be looked at after every pair.

Invariant: whatever the stream and whenever one looks, a candidate worse by the margin or more is accepted with
probability at most alpha; state is the fold of the values, so a resumed run equals one that was never interrupted.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Literal

import msgspec

from freehold.evals.proof.bets import COUNT, FRACTIONS, fall, from_log, log_mean, proper, rise, within

Decision = Literal["accept", "futile", "continue"]


class Rule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is tested, fixed before the first outcome is read. Raises BadProofRule where a number makes no sense."""

    margin: float = 0.03
    """Greatest loss of mean score that is still acceptable; scores are in [0, 1]."""
    alpha: float = 0.05
    """Greatest probability of accepting a candidate that is worse by the margin or more."""
    futility: float = 0.05
    """Greatest probability of giving up a candidate that is not worse by the margin or more."""

    def __post_init__(self) -> None:
        for name in ("margin", "alpha", "futility"):
            proper(name, getattr(self, name))


class State(msgspec.Struct, frozen=True, kw_only=True):
    """Everything the test remembers. A plain value: stored as JSON or msgpack it comes back equal, bit for bit."""

    pairs: int = 0
    total: float = 0.0
    """Sum of differences."""
    differing: int = 0
    """Pairs whose difference is not 0."""
    squares: float = 0.0
    """Sum of squared differences."""
    better: tuple[float, ...] = (0.0,) * COUNT
    """Log wealth of each bet that the candidate is inside the margin."""
    worse: tuple[float, ...] = (0.0,) * COUNT
    """Log wealth of each bet that it is not."""
    accepted_at: int = 0
    """Pairs when the threshold was first reached; 0 where it never was."""
    futile_at: int = 0

    @property
    def mean(self) -> float:
        """Mean difference so far; 0 before the first pair."""
        return self.total / self.pairs if self.pairs else 0.0

    @property
    def discordance(self) -> float:
        """Second moment of the differences: with scores of 0 and 1, the share of pairs that differ."""
        return self.squares / self.pairs if self.pairs else 0.0


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """The decision with the numbers it was made from."""

    decision: Decision
    pairs: int
    mean: float
    evidence: float
    """E-value now against "worse by the margin or more"."""
    threshold: float
    """`evidence` at which the candidate is accepted: 1 / alpha."""
    against: float
    """E-value now against "inside the margin"."""
    against_threshold: float
    decided_at: int
    """Pairs when it was decided; 0 while it is not."""


def advance(rule: Rule, state: State, differences: Iterable[float], bounds: Sequence[float] | None = None) -> State:
    """The state after more pairs, in order; batches of any size give the same state.

    `differences`: candidate's score minus incumbent's, each in [-1, 1] (or in [-b, b] for its own b of `bounds`, which
    must be known before the value is: see `powered`). The wealth is
    `K_t = mean_c prod_(i <= t) (1 + l_c (d_i + m))`, `l_c = c / (1 - m)`, c over FRACTIONS. If E[d_i | past] <= -m at
    every i, each product is a non-negative supermartingale from 1 and so is their mean, whatever else the stream does
    (dependence, drift of variance, order); by Ville 1939, "Etude critique de la notion de collectif",
    P(some K_t >= 1/alpha) <= alpha. Method: Waudby-Smith and Ramdas 2024, JRSS B 86; Shafer 2021, JRSS A 184.
    The twin bets the other way against E[d_i | past] >= -m. What is *not* covered is a stream that is better than -m
    for a while and worse later: the hypothesis speaks of every pair. Raises BadProofValue.
    """
    better, worse = list(state.better), list(state.worse)
    pairs, total, differing, squares = state.pairs, state.total, state.differing, state.squares
    accepted_at, futile_at = state.accepted_at, state.futile_at
    steps: dict[tuple[float, float], tuple[list[float], list[float]]] = {}
    for number, value in enumerate(differences):
        bound = 1.0 if bounds is None else bounds[number]
        found = steps.get((value, bound))
        if found is None:
            found = steps[value, bound] = _steps(within(value, bound), -rule.margin, bound)
        better = [one + step for one, step in zip(better, found[0], strict=True)]
        worse = [one + step for one, step in zip(worse, found[1], strict=True)]
        pairs, total, squares = pairs + 1, total + value, squares + value * value
        differing += value != 0.0
        if not accepted_at and _reached(better, rule.alpha):
            accepted_at = pairs
        if not futile_at and _reached(worse, rule.futility):
            futile_at = pairs
    return State(
        pairs=pairs,
        total=total,
        differing=differing,
        squares=squares,
        better=tuple(better),
        worse=tuple(worse),
        accepted_at=accepted_at,
        futile_at=futile_at,
    )


def decide(rule: Rule, state: State) -> Verdict:
    """What the pairs so far say. Once a threshold was reached it stays reached; the first one counts."""
    accepted, futile = state.accepted_at, state.futile_at
    decision: Decision = "continue"
    if accepted and not 0 < futile < accepted:
        decision = "accept"
    elif futile:
        decision = "futile"
    return Verdict(
        decision=decision,
        pairs=state.pairs,
        mean=state.mean,
        evidence=from_log(log_mean(state.better)),
        threshold=1.0 / rule.alpha,
        against=from_log(log_mean(state.worse)),
        against_threshold=1.0 / rule.futility,
        decided_at={"accept": accepted, "futile": futile, "continue": 0}[decision],
    )


def e_value(state: State) -> float:
    """Evidence so far against "worse by the margin or more": an e-value at any stopping time, for `multiplicity`.

    E-values: Vovk and Wang 2021, "E-values: calibration, combination and applications", Annals of Statistics 49.
    """
    return from_log(log_mean(state.better))


def _steps(value: float, mean: float, bound: float) -> tuple[list[float], list[float]]:
    up = [math.log(rise(one, value, mean, bound)) for one in FRACTIONS]
    return up, [math.log(fall(one, value, mean, bound)) for one in FRACTIONS]


def _reached(logs: Sequence[float], alpha: float) -> bool:
    """The mean reaches 1/alpha; a mean is never above its largest part, so most looks cost one comparison."""
    bar = -math.log(alpha)
    return max(logs) >= bar and log_mean(logs) >= bar
