"""Paying for many questions at once: many workflows, or the best of many candidates.

Invariant: nothing is assumed about how the e-values depend on each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

from freehold.evals.proof.bets import proper
from freehold.evals.proof.errors import BadProofRule, BadProofValue


def discoveries(e_values: Sequence[float], rate: float = 0.05) -> tuple[int, ...]:
    """Indices, ascending, of the hypotheses rejected by e-Benjamini-Hochberg at this false discovery rate.

    Rejects the k largest for the largest k of which all are at least n / (rate k). On average at most `rate` of what
    is rejected is wrong, under any dependence: Wang and Ramdas 2022, "False discovery rate control with e-values",
    JRSS B 84. One e-value a workflow, stopped whenever one likes (`noninferiority.e_value`).
    Raises BadProofRule, BadProofValue.
    """
    proper("rate", rate)
    _checked(e_values)
    ranked = sorted(range(len(e_values)), key=lambda index: (-e_values[index], index))
    most = 0
    for count, index in enumerate(ranked, 1):
        if e_values[index] * rate * count >= len(e_values):
            most = count
    return tuple(sorted(ranked[:most]))


def alpha_each(alpha: float, candidates: int) -> float:
    """Error rate for each of k candidates of which the best may be chosen after looking: alpha / k (Bonferroni).

    In a test by betting it lifts the threshold from 1 / alpha to k / alpha: at three points and discordance 0.1 ten
    candidates cost about 1.7 times the pairs of one, not ten times. Raises BadProofRule.
    """
    proper("alpha", alpha)
    if candidates < 1:
        raise BadProofRule(f"there are {candidates} candidates to choose from", param="candidates")
    return alpha / candidates


def shared(e_values: Sequence[float]) -> tuple[float, ...]:
    """E-values adjusted for choosing among all of them: reject where the adjusted one is at least 1 / alpha.

    The family-wise error rate is at most alpha under any dependence. Closed testing with the arithmetic mean as the
    merging function: the adjusted value is the least mean over sets that hold the hypothesis, which is one with the k
    smallest others. Never less powerful than `alpha_each`. Vovk and Wang 2021, "E-values: calibration, combination and
    applications", Annals of Statistics 49. Raises BadProofValue.
    """
    _checked(e_values)
    ranked = sorted(range(len(e_values)), key=e_values.__getitem__)
    sums = list(accumulate((e_values[index] for index in ranked), initial=0.0))
    found = [0.0] * len(e_values)
    for place, index in enumerate(ranked):
        own = e_values[index]
        # Sets of the k smallest others: before its own place they exclude it, after it they hold it already.
        before = min((own + sums[count]) / (count + 1) for count in range(place + 1))
        after = min((sums[count] / count for count in range(place + 1, len(ranked) + 1)), default=before)
        found[index] = min(before, after)
    return tuple(found)


def _checked(e_values: Sequence[float]) -> None:
    for one in e_values:
        if not one >= 0.0:
            raise BadProofValue(f"{one!r} is no e-value: they are 0 or more", param="e_values")
