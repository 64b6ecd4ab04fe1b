"""What an instance knows about its workflows that a plan asks for: label, maturity, who serves them, scorecards.

Invariant: nothing is guessed. What was not measured is None, and the strictest label of any recorded call counts.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import reduce

import msgspec
from sqlalchemy import Connection

from freehold.core.label import PUBLIC, Label, parse_label
from freehold.evals import store as evals
from freehold.evals.scorecards import Scorecard
from freehold.planner.seed import CLOSED
from freehold.planner.types import OptionKind, Range
from freehold.planner.work import Evidence, Facts
from freehold.policy.targets import Target
from freehold.workflows.known import store as workflows
from freehold.workflows.sums import store as record_sums
from freehold.workflows.sums.store import Sum
from freehold.workflows.types import Maturity, Workflow

_Z90 = 1.2815515655446004
_MOST_RUNS = 200
_DAY = 86400.0


class Scored(msgspec.Struct, frozen=True, kw_only=True):
    """One finished scorecard, in short. Qualities in [0, 1]; money in US dollars."""

    run: str
    target: str
    owned: bool
    open: bool
    """Owned, or an open model at a host."""
    day: str
    quality: float
    incumbent_quality: float
    low: float
    """Lower end of the difference."""
    high: float
    passed: float
    pairs: int
    cost_call: float | None


class Observed(msgspec.Struct, frozen=True, kw_only=True):
    """One workflow as the instance knows it."""

    id: str
    name: str
    calls: int
    now: str
    """`provider/model` of most of its rented calls; empty where there were none."""
    facts: Facts
    evidence: tuple[Evidence, ...]
    scores: tuple[Scored, ...]


def observed(connection: Connection, targets: Sequence[Target]) -> tuple[Observed, ...]:
    """Every workflow that stands for itself, by name."""
    sums: dict[str, list[Sum]] = {}
    for one in record_sums.sums(connection):
        sums.setdefault(one.workflow, []).append(one)
    by_name = {one.name: one for one in targets}
    found = [
        _observed(connection, one, sums.get(one.id, []), by_name)
        for one in workflows.everything(connection)
        if not one.into
    ]
    return tuple(sorted(found, key=lambda one: (one.name, one.id)))


def _observed(
    connection: Connection, workflow: Workflow, sums: Sequence[Sum], targets: Mapping[str, Target]
) -> Observed:
    scores = tuple(_scores(connection, workflow.id, targets))
    labels: Counter[str] = Counter()
    for one in sums:
        labels[one.label] += one.calls
    label = _label(labels)
    seen = [one for one in sums if one.first > 0]
    days = (max(one.last for one in seen) - min(one.first for one in seen)) / _DAY if seen else None
    return Observed(
        id=workflow.id,
        name=workflow.name or workflow.id,
        calls=sum(one.calls for one in sums),
        now=_serves(sums),
        facts=Facts(label=None if label is None else str(label), stable=_stable(workflow.maturity), days=days),
        evidence=evidence(scores),
        scores=scores,
    )


def _label(counts: Mapping[str, int]) -> Label | None:
    """The join of all: one call that may not leave is enough."""
    return reduce(Label.join, (parse_label(one) for one in counts if one), PUBLIC) if any(counts) else None


def _stable(maturity: Maturity | None) -> bool | None:
    if maturity is None or maturity.verdict == "young":
        return None
    return maturity.verdict == "mature"


def _serves(sums: Iterable[Sum]) -> str:
    rented = [one for one in sums if not one.owned and one.model and one.vendor]
    if not rented:
        return ""
    most = max(rented, key=lambda one: (one.calls, one.vendor, one.model))
    return served(most.vendor, most.model)


def served(party: str, model: str) -> str:
    """`provider/model` of a party as records name it (`openai-api`, or `own:NAME` of a provider of this file)."""
    return f"{party.removesuffix('-api').removeprefix('own:')}/{model}"


def _scores(connection: Connection, workflow: str, targets: Mapping[str, Target]) -> Iterable[Scored]:
    """Finished ones, the newest first."""
    for run in evals.list_runs(connection, workflow, _MOST_RUNS):
        text = evals.scorecard_of(connection, run.id)
        if run.state != "done" or not text:
            continue
        card = msgspec.json.decode(text, type=Scorecard)
        target = targets.get(run.plan.target)
        owned = target is not None and target.owned
        maker = "" if target is None else target.offering.removesuffix("-api") or target.provider
        yield Scored(
            run=run.id,
            target=run.plan.target,
            owned=owned,
            open=owned or (target is not None and maker not in CLOSED),
            day=_day(run.ended_at or run.at),
            quality=card.quality,
            incumbent_quality=card.incumbent_quality,
            low=card.difference.low,
            high=card.difference.high,
            passed=card.passed,
            pairs=card.pairs,
            cost_call=None if card.cost_call is None else float(card.cost_call),
        )


def evidence(scores: Iterable[Scored]) -> tuple[Evidence, ...]:
    """For each option the best measured target; of the incumbent its own score beside it."""
    best: dict[OptionKind, Scored] = {}
    for one in scores:
        option: OptionKind = "self_hosted" if one.owned else "hosted_open" if one.open else "closed"
        if one.pairs and (option not in best or one.low > best[option].low):
            best[option] = one
    found = [
        Evidence(
            option=option,
            passed=_proportion(one.passed, one.pairs, one),
            pairs=one.pairs,
            difference_low=one.low,
            source=f"{one.run}, {one.target}",
            as_of=one.day,
        )
        for option, one in sorted(best.items())
    ]
    if not best:
        return ()
    most = max(best.values(), key=lambda one: (one.pairs, one.run))
    incumbent = Evidence(
        option="nothing",
        passed=_proportion(most.incumbent_quality, most.pairs, most),
        pairs=most.pairs,
        difference_low=0.0,
        source=f"{most.run}, the incumbent beside {most.target}",
        as_of=most.day,
    )
    return (incumbent, *found)


def _proportion(share: float, count: int, one: Scored) -> Range:
    """Wilson 1927, at 80 %."""
    wide = 1.0 + _Z90**2 / count
    middle = (share + _Z90**2 / (2 * count)) / wide
    half = _Z90 * math.sqrt(share * (1.0 - share) / count + _Z90**2 / (4 * count**2)) / wide
    return Range(max(middle - half, 0.0), share, min(middle + half, 1.0), one.run, one.day)


def _day(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).date().isoformat()
