"""The best single model or pair for a workflow, among many that were tried on the same calls. Pure.

Invariant: however many policies are searched, one that is worse than the margin is called proven with probability at
most alpha; the difference of the best one is shown beside one measured on calls that did not choose it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise, permutations

import msgspec
import numpy as np

from freehold.evals.cascades import Outcome, Policy, Sheet, simulate
from freehold.evals.proof.interval import Interval, interval
from freehold.evals.proof.noninferiority import Rule, State, advance, decide
from freehold.grading.types import Spec

FOLDS = 5


class Bounds(msgspec.Struct, frozen=True, kw_only=True):
    """What a policy may need; None bounds nothing. A policy whose cost or latency is unknown is outside its bound."""

    cost: float | None = None
    """Dollars a call on average."""
    latency: float | None = None
    """95th percentile in seconds."""


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """One policy as measured on every call, with the multiplicity of the whole search paid for."""

    policy: Policy
    pairs: int
    kept: float
    delta: float
    interval: Interval
    """Of the difference, anytime-valid at 1 - 2 alpha / policies."""
    proven_margin: float
    """Least margin that the calls prove: it is worse than the incumbent by less than this."""
    accepted: bool
    """The non-inferiority test at alpha / policies accepted it for the margin asked for."""
    accepted_at: int
    """Pairs when it did; 0 where it did not."""
    cost: float | None
    incumbent_cost: float | None
    latency: float | None
    bounded: bool


class Searched(msgspec.Struct, frozen=True, kw_only=True):
    """What a search found. `best` is None where nothing was proven."""

    considered: int
    alpha: float
    """Of each single test: the whole search's alpha by the number of policies."""
    margin: float
    best: Found | None
    nearest: Found | None
    """The one with the least margin proven, whether or not that is inside the margin."""
    delta_crossfit: float | None
    """Difference of the policies that each fold's other calls choose, on the fold; None where they choose none."""
    chosen: tuple[str, ...]
    """What each fold's other calls chose; empty text for the incumbent itself."""
    found: tuple[Found, ...]
    """Every policy: those whose answers are all recorded first, then those that keep most."""


def policies(models: Sequence[str], kinds: Iterable[str], thresholds: Sequence[float] = ()) -> list[Policy]:
    """Every policy of these kinds over these models: pairs in both orders, since the first one's answer is served."""
    made: list[Policy] = []
    for kind in sorted(set(kinds)):
        if kind == "single":
            made += [Policy(kind="single", members=(one,)) for one in models]
        elif kind == "agreement":
            made += [Policy(kind="agreement", members=pair) for pair in permutations(models, 2)]
        elif kind == "confidence":
            made += [Policy(kind="confidence", members=(one,), threshold=at) for one in models for at in thresholds]
    return made


def search(sheet: Sheet, spec: Spec, tried: Sequence[Policy], rule: Rule, bounds: Bounds | None = None) -> Searched:
    """Measure every policy of `tried` and choose the one that keeps most calls among those proven.

    `rule.alpha` is split evenly (Bonferroni) over all of `tried`, also those that turn out to be outside the bounds.
    Raises BadProofRule, GraderFailed.
    """
    outcomes = [simulate(sheet, one, spec) for one in tried]
    alpha = rule.alpha / max(1, len(outcomes))
    each = msgspec.structs.replace(rule, alpha=alpha)
    within = [one for one in outcomes if _within(one, bounds)]
    found = sorted((_measured(one, each) for one in within), key=_order, reverse=True)
    proven = [one for one in found if one.accepted]
    crossfit, chosen = _crossfit(within, each, len(sheet.calls))
    return Searched(
        considered=len(outcomes),
        alpha=alpha,
        margin=rule.margin,
        best=proven[0] if proven else None,
        nearest=min(found, key=lambda one: one.proven_margin, default=None),
        delta_crossfit=crossfit,
        chosen=chosen,
        found=tuple(found),
    )


def _order(one: Found) -> tuple[bool, float, float, str]:
    return not one.bounded, one.kept, one.delta, one.policy.name


def _within(one: Outcome, bounds: Bounds | None) -> bool:
    if bounds is None:
        return True
    for limit, value in ((bounds.cost, one.cost), (bounds.latency, one.latency)):
        if limit is not None and (value is None or value > limit):
            return False
    return True


def _measured(one: Outcome, rule: Rule) -> Found:
    verdict = decide(rule, advance(rule, State(), one.differences.tolist()))
    span = interval(one.differences.tolist(), 1.0 - 2.0 * rule.alpha)
    return Found(
        policy=one.policy,
        pairs=one.pairs,
        kept=one.kept,
        delta=one.delta,
        interval=span,
        proven_margin=max(0.0, -span.low),
        accepted=verdict.decision == "accept",
        accepted_at=verdict.decided_at if verdict.decision == "accept" else 0,
        cost=one.cost,
        incumbent_cost=one.incumbent_cost,
        latency=one.latency,
        bounded=one.bounded,
    )


def _crossfit(outcomes: Sequence[Outcome], rule: Rule, calls: int) -> tuple[float | None, tuple[str, ...]]:
    """Choose on all folds but one, measure on that one, for each: what choosing by chance adds to `delta` is gone.

    Folds are stretches of time. Where nothing is proven on the other folds, what is nearest to it is chosen.
    """
    edges = np.linspace(0, calls, FOLDS + 1).astype(int)
    total, count, chosen = 0.0, 0, []
    for low, high in pairwise(edges):
        pick = _pick(outcomes, rule, int(low), int(high))
        chosen.append(pick.policy.name if pick else "")
        if pick is None:
            continue
        inside = (pick.rows >= low) & (pick.rows < high)
        total += float(pick.differences[inside].sum())
        count += int(inside.sum())
    return (total / count if count else None), tuple(chosen)


def _pick(outcomes: Sequence[Outcome], rule: Rule, low: int, high: int) -> Outcome | None:
    best: tuple[tuple[bool, float, float], Outcome] | None = None
    for one in outcomes:
        outside = (one.rows < low) | (one.rows >= high)
        seen = one.differences[outside]
        if not seen.size:
            continue
        margin = -interval(seen.tolist(), 1.0 - 2.0 * rule.alpha).low
        proven = margin < rule.margin
        merit = (proven, float(one.served[outside].mean()) if proven else -margin, float(seen.mean()))
        if best is None or merit > best[0]:
            best = (merit, one)
    return None if best is None else best[1]
