"""Has a candidate that serves become harmful? An e-detector over the pairs of the holdback.

Invariant: while the candidate is worse by at most the bound, alarms are at least `threshold` pairs apart on average,
and in n pairs there is one with probability at most n / threshold, however the stream behaves.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
import numpy as np

from freehold.evals.proof.bets import COUNT, FRACTIONS, fall, proper, within
from freehold.evals.proof.errors import BadProofRule
from freehold.evals.proof.simulate import Trinomial, alarms

_MOST = 1e300
"""Where sums stop growing, far above any threshold, so that a stream that goes on after the alarm stays finite."""


class Watch(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the detector holds the candidate to. Raises BadProofRule where a number makes no sense."""

    harm: float = 0.03
    """Loss of mean score that is to be found when exceeded."""
    threshold: float = 25_000.0
    """Pairs between false alarms, at least, on average, even with a candidate exactly at the bound.

    One that is no worse than the incumbent is far from it: of runs of 20,000 pairs at discordance 20 % about 0.7 %
    see an alarm, fewer at less (bench.proof measures it).
    """

    def __post_init__(self) -> None:
        proper("harm", self.harm)
        if not self.threshold > 1.0:
            raise BadProofRule(f"threshold is {self.threshold!r}, which is not above 1", param="threshold")


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """Everything the detector remembers; a plain value, bit for bit the same after a restart."""

    pairs: int = 0
    sums: tuple[float, ...] = (0.0,) * COUNT
    """R of each bet."""
    alarm_at: int = 0
    """Pairs at the first alarm; 0 while there was none."""

    @property
    def level(self) -> float:
        """What is compared with the threshold: the mean of the sums."""
        return sum(self.sums) / COUNT


class Delay(msgspec.Struct, frozen=True, kw_only=True):
    """How long a harmful candidate stays unseen, in calls of the workflow; None where most runs never see it."""

    median: int | None
    late: int | None
    """Nine in ten are found by then."""
    pairs: int | None
    """The median in pairs."""


def watch(rule: Watch, seen: Seen, differences: Iterable[float]) -> Seen:
    """The state after more differences (candidate minus incumbent, in [-1, 1]), in order, in batches of any size.

    `R_c <- (R_c + 1) (1 - l_c (d + m))`, `l_c = c / (1 + m)`, c over FRACTIONS; alarm when the mean of R_c reaches the
    threshold A. R is the Shiryaev-Roberts e-detector of Shin, Ramdas and Rinaldo 2023, "E-detectors: a nonparametric
    framework for sequential change detection", NEJSDS 2: a sum of e-processes, one begun at each pair, so while
    E[d | past] >= -m, R_t - t is a supermartingale: E[pairs to an alarm] >= A, and P(alarm within n) <= n / A.
    Raises BadProofValue.
    """
    sums, pairs, alarm_at = list(seen.sums), seen.pairs, seen.alarm_at
    for value in differences:
        within(value)
        sums = [
            min((now + 1.0) * fall(fraction, value, -rule.harm), _MOST)
            for now, fraction in zip(sums, FRACTIONS, strict=True)
        ]
        pairs += 1
        if not alarm_at and sum(sums) / COUNT >= rule.threshold:
            alarm_at = pairs
    return Seen(pairs=pairs, sums=tuple(sums), alarm_at=alarm_at)


def delay(rule: Watch, change: Trinomial, share: float, random: np.random.Generator, runs: int = 400) -> Delay:
    """Calls from the moment a candidate becomes `change` (a negative mean: -0.1 is a drop of ten points) to the alarm.

    `share`: of the workflow's calls that are paired. Simulated from an empty detector, which is the slowest there is.
    A drop inside the bound is never found, and no alarm is wanted. Raises BadProofRule.
    """
    proper("share", share, 0.0, 1.0 + 1e-9)
    most = 20_000 if change.mean < -rule.harm else 0
    found = np.sort(alarms(change.drawn_by(random), rule.harm, rule.threshold, (runs, most)))
    seen = found[found > 0]

    def at(part: float) -> int | None:
        index = int(np.ceil(part * runs)) - 1
        return int(seen[index]) if index < seen.size else None

    median, late = at(0.5), at(0.9)
    return Delay(
        median=None if median is None else round(median / share),
        late=None if late is None else round(late / share),
        pairs=median,
    )
