"""How many pairs a proof will take: formulas of the fixed test and simulation of ours. Pure."""

from __future__ import annotations

from statistics import NormalDist

import msgspec
import numpy as np

from freehold.evals.proof.bets import proper
from freehold.evals.proof.errors import BadProofRule
from freehold.evals.proof.noninferiority import Rule
from freehold.evals.proof.simulate import Trinomial, reached

UNPAIRED_FACTOR = 2.0
"""Two arms on different calls each need `2 p (1 - p)` where one paired sample needs q."""


class Needed(msgspec.Struct, frozen=True, kw_only=True):
    """Pairs until acceptance, looking after each; None where so many runs do not accept in `most` pairs."""

    median: int | None
    late: int | None
    """Nine in ten have accepted by then."""
    accepted: float
    """Share of runs that accept at all."""
    most: int


def fixed_size(rule: Rule, pair: Trinomial, power: float = 0.8) -> float:
    """Pairs a test with one look at the end needs: `(z_alpha + z_power)^2 (q - d^2) / (m + d)^2`.

    6.18 q / m^2 at alpha 0.05, power 0.8 and no true difference. What sets the cost is q, the share of pairs that
    differ, not accuracy. Normal approximation for paired proportions: Connor 1987, "Sample size for testing differences
    in proportions for the paired-sample design", Biometrics 43. Raises BadProofRule where the difference is not inside
    the margin: no number of pairs proves what is not so.
    """
    proper("power", power)
    if pair.mean <= -rule.margin:
        raise BadProofRule("the difference is not inside the margin, so no number of pairs will do", param="mean")
    quantiles = NormalDist().inv_cdf(1.0 - rule.alpha) + NormalDist().inv_cdf(power)
    return quantiles**2 * (pair.discordance - pair.mean**2) / (rule.margin + pair.mean) ** 2


def unpaired_size(rule: Rule, accuracy: float, power: float = 0.8) -> float:
    """Calls in each arm if candidate and incumbent answered different calls: `(z + z)^2 2 p (1 - p) / m^2`."""
    proper("accuracy", accuracy)
    return fixed_size(rule, Trinomial(mean=0.0, discordance=UNPAIRED_FACTOR * accuracy * (1.0 - accuracy)), power)


def labels_needed(pairs: float, discordance: float) -> float:
    """Labels that so many pairs cost: only where the two answers differ does anyone need to say which is right."""
    return pairs * discordance


def pairs_needed(rule: Rule, pair: Trinomial, random: np.random.Generator, runs: int = 400) -> Needed:
    """Pairs until `rule` accepts, simulated, with a look after each pair. Raises BadProofRule as `fixed_size`."""
    most = int(6.0 * fixed_size(rule, pair)) + 200
    found = np.sort(reached(pair.drawn_by(random), -rule.margin, rule.alpha, (runs, most)))
    seen = found[found > 0]

    def at(part: float) -> int | None:
        index = int(np.ceil(part * runs)) - 1
        return int(seen[index]) if index < seen.size else None

    return Needed(median=at(0.5), late=at(0.9), accepted=seen.size / runs, most=most)
