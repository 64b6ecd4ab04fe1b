"""What the pairs of a move say, by its rule. Pure: the same pairs in the same order give the same numbers.

The e-values are those of `evals.proof`; here they are only bound to the fields of the rule.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import msgspec
import numpy as np

from freehold.core.money import from_pico
from freehold.evals.proof import detector, interval, noninferiority, validity
from freehold.evals.proof.simulate import Trinomial
from freehold.moves.machine import Measured
from freehold.moves.types import SERVING, Pair, Rule

_LARGEST = 1e12
"""E-values are shown up to here; far above every bound."""
_DROP = 0.10
"""The drop for which the detection time is told: ten points."""
_SEED = 2026


class Pulse(msgspec.Struct, frozen=True):
    """The label-free stream of what a candidate that serves answers."""

    health: validity.Health = validity.Health()

    def after(self, rule: Rule, faults: Iterable[validity.Fault | None]) -> Pulse:
        """After more calls, in order."""
        return Pulse(validity.note(baseline_of(rule), self.health, faults))


class Fold(msgspec.Struct, frozen=True):
    """Pairs so far, as the tests remember them: more pairs can be added without looking at the old ones again."""

    proof: noninferiority.State = noninferiority.State()
    harm: detector.Seen = detector.Seen()
    """Of the pairs since the candidate serves."""
    values: tuple[tuple[float, int], ...] = ()
    """Differences and how often each came."""
    spent: int = 0
    """Picodollars."""


def fold(rule: Rule, before: Fold, pairs: Sequence[Pair]) -> Fold:
    """After more pairs, in order; batches of any size give the same."""
    differences = [one.difference for one in pairs]
    serving = [one.difference for one in pairs if one.stage in SERVING]
    counts = Counter(dict(before.values))
    counts.update(differences)
    return Fold(
        proof=noninferiority.advance(_test(rule), before.proof, differences),
        harm=detector.watch(watch_of(rule), before.harm, serving),
        values=tuple(sorted(counts.items())),
        spent=before.spent + sum(one.cost for one in pairs),
    )


def weigh(rule: Rule, found: Fold, pulse: Pulse | None = None) -> Measured:
    """What the pairs so far say: all of them bear on the proof, those since the candidate serves on harm."""
    verdict = noninferiority.decide(_test(rule), found.proof)
    span = interval.interval(Counter(dict(found.values)).elements(), 1.0 - 2.0 * rule.alpha)
    return Measured(
        pairs=found.proof.pairs,
        difference=found.proof.mean,
        discordance=found.proof.discordance,
        low=span.low,
        high=span.high,
        evidence=min(verdict.evidence, _LARGEST),
        futility=min(verdict.against, _LARGEST),
        alarm=min(found.harm.level, _LARGEST),
        broken=min(pulse.health.level, _LARGEST) if pulse else 0.0,
        broken_at=baseline_of(rule).threshold,
        spent=float(from_pico(found.spent)),
    )


def measure(rule: Rule, pairs: Sequence[Pair], pulse: Pulse | None = None) -> Measured:
    """What these pairs say, from the first."""
    return weigh(rule, fold(rule, Fold(), pairs), pulse)


class Point(msgspec.Struct, frozen=True, kw_only=True):
    """What the pairs so far said at one moment; e-values as in `Measured`, whose interval takes far longer."""

    pairs: int
    at: float
    """Unix seconds: when the last of the pairs' calls was made."""
    difference: float
    evidence: float
    futility: float
    alarm: float


def trajectory(rule: Rule, pairs: Sequence[Pair], points: int) -> list[Point]:
    """How the evidence grew, in about so many points; the last is after all pairs."""
    every = max(len(pairs) // points, 1)
    return grown(rule, Fold(), pairs, every)[1]


def grown(rule: Rule, before: Fold, pairs: Sequence[Pair], every: int) -> tuple[Fold, list[Point]]:
    """The fold after more pairs, and a point after each `every` of them and after the last."""
    found: list[Point] = []
    now = before
    for at in range(0, len(pairs), every):
        some = pairs[at : at + every]
        now = fold(rule, now, some)
        verdict = noninferiority.decide(_test(rule), now.proof)
        found.append(
            Point(
                pairs=now.proof.pairs,
                at=some[-1].at,
                difference=now.proof.mean,
                evidence=min(verdict.evidence, _LARGEST),
                futility=min(verdict.against, _LARGEST),
                alarm=min(now.harm.level, _LARGEST),
            )
        )
    return now, found


def _test(rule: Rule) -> noninferiority.Rule:
    return noninferiority.Rule(margin=rule.margin, alpha=rule.alpha, futility=rule.futility)


def watch_of(rule: Rule) -> detector.Watch:
    """The rollback detector of a rule."""
    return detector.Watch(harm=rule.harm, threshold=rule.patience)


def baseline_of(rule: Rule) -> validity.Baseline:
    """What the validity stream takes to be usual."""
    return validity.Baseline(rates=rule.usual)


def detection(rule: Rule, found: Fold, share: float) -> detector.Delay:
    """How long a drop of ten points would stay unseen, in calls, where `share` of them are compared.

    Simulated with the discordance seen so far (at least the drop itself) and a fixed seed.
    """
    count = sum(times for _, times in found.values)
    squares = sum(times * value**2 for value, times in found.values) / count if count else _DROP
    change = Trinomial(mean=-_DROP, discordance=max(squares, _DROP))
    return detector.delay(watch_of(rule), change, share, np.random.default_rng(_SEED))
