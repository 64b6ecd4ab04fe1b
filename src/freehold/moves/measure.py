"""What the pairs of a move say, by its rule. Pure: the same pairs in the same order give the same numbers.

The e-values are those of `evals.proof`; here they are only bound to the fields of the rule.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec
import numpy as np

from freehold.core.money import from_pico
from freehold.evals.proof import detector, interval, noninferiority, validity
from freehold.evals.proof.simulate import Trinomial
from freehold.moves.machine import Measured
from freehold.moves.types import SERVING, Move, Pair, Rule

BASELINE = validity.Baseline()
_LARGEST = 1e12
"""E-values are shown up to here; far above every bound."""
_DROP = 0.10
"""The drop for which the detection time is told: ten points."""
_SEED = 2026


class Pulse(msgspec.Struct, frozen=True):
    """The label-free stream of what a candidate that serves answers."""

    health: validity.Health = validity.Health()

    def after(self, faults: Iterable[validity.Fault | None]) -> Pulse:
        """After more calls, in order."""
        return Pulse(validity.note(BASELINE, self.health, faults))


def measure(move: Move, pairs: Sequence[Pair], pulse: Pulse | None = None) -> Measured:
    """All pairs bear on the proof; those since the candidate serves, on harm."""
    rule = move.rule
    test = noninferiority.Rule(margin=rule.margin, alpha=rule.alpha, futility=rule.futility)
    differences = [one.difference for one in pairs]
    state = noninferiority.advance(test, noninferiority.State(), differences)
    verdict = noninferiority.decide(test, state)
    span = interval.interval(differences, 1.0 - 2.0 * rule.alpha)
    serving = [one.difference for one in pairs if one.stage in SERVING]
    seen = detector.watch(watch_of(rule), detector.Seen(), serving)
    return Measured(
        pairs=len(pairs),
        difference=state.mean,
        discordance=state.discordance,
        low=span.low,
        high=span.high,
        evidence=min(verdict.evidence, _LARGEST),
        futility=min(verdict.against, _LARGEST),
        alarm=min(seen.level, _LARGEST),
        broken=min(pulse.health.level, _LARGEST) if pulse else 0.0,
        broken_at=BASELINE.threshold,
        spent=float(sum((from_pico(one.cost) for one in pairs), from_pico(0))),
    )


def watch_of(rule: Rule) -> detector.Watch:
    """The rollback detector of a rule."""
    return detector.Watch(harm=rule.harm, threshold=rule.patience)


def detection(rule: Rule, pairs: Sequence[Pair], share: float) -> detector.Delay:
    """How long a drop of ten points would stay unseen, in calls, where `share` of them are compared.

    Simulated with the discordance seen so far (at least the drop itself) and a fixed seed.
    """
    squares = sum(one.difference**2 for one in pairs) / len(pairs) if pairs else _DROP
    change = Trinomial(mean=-_DROP, discordance=max(squares, _DROP))
    return detector.delay(watch_of(rule), change, share, np.random.default_rng(_SEED))
