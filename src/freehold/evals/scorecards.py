"""Scorecards: a candidate beside the incumbent on the same calls. Pure; everything shown is computed here.

Invariant: a call counts for both sides or for neither, and what does not count is counted and said.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal

import msgspec

from freehold.evals.proof.interval import Interval, interval
from freehold.grading.normal import bare

LEVEL = 0.95
LEAST_SLICE = 20
"""Pairs a slice needs to be shown."""
MOST_CLASSES = 30
_LENGTHS = ((500, "under 500"), (2000, "500 to 2,000"), (8000, "2,000 to 8,000"))


class Pair(msgspec.Struct, frozen=True, kw_only=True):
    """Both sides on one call. Scores lie in [0, 1]; money in US dollars, durations in seconds."""

    record: bytes
    at: float
    candidate: float
    incumbent: float
    error: str = ""
    """Why the candidate gave no answer; it then scores 0."""
    app: str = ""
    label: str = ""
    length: int = 0
    """Characters of the request."""
    kind: str = ""
    """The right answer, where answers are labels: its class."""
    latency: float | None = None
    incumbent_latency: float | None = None
    cost: Decimal | None = None

    @property
    def difference(self) -> float:
        """Candidate minus incumbent."""
        return self.candidate - self.incumbent


class Slice(msgspec.Struct, frozen=True, kw_only=True):
    """The difference on part of the calls. Its interval holds together with those of all other slices."""

    by: str
    name: str
    quality: float
    incumbent_quality: float
    difference: Interval


class Left(msgspec.Struct, frozen=True, kw_only=True):
    """Calls that count for neither side, by reason."""

    reason: str
    calls: int


class Scorecard(msgspec.Struct, frozen=True, kw_only=True):
    """What was measured. Intervals are anytime-valid."""

    workflow: str
    target: str
    grader: str
    reference: str
    """`incumbent`: against what was recorded, which then scores 1 by construction; `annotations`: what people said."""
    dataset: str
    at: float
    pairs: int
    quality: float
    incumbent_quality: float
    difference: Interval
    discordance: float
    """Share of calls whose scores differ: what decides how many pairs a proof needs."""
    noise: Interval | None
    """How far the incumbent is from its own earlier answers (1 minus their mean grade); None where not measured."""
    slices: tuple[Slice, ...]
    failures: tuple[Left, ...]
    """Calls the candidate failed, by kind; they score 0."""
    missing: tuple[Left, ...]
    latency_p50: float | None
    latency_p95: float | None
    incumbent_p50: float | None
    incumbent_p95: float | None
    cost_call: Decimal | None
    cost_passed: Decimal | None
    """US dollars for each passed task: what was spent on all, by those that passed."""
    passed: float
    """Share of tasks with a score of at least `passes`."""
    passes: float
    unpriced: int
    """Calls whose cost nobody told; the costs above are then lower bounds."""
    multiplicity: int
    """Slices whose intervals hold together."""


class About(msgspec.Struct, frozen=True, kw_only=True):
    """What a scorecard is of."""

    workflow: str
    target: str
    grader: str
    reference: str = "incumbent"
    dataset: str = ""
    at: float = 0.0
    passes: float = 0.5


def scorecard(
    about: About, pairs: Sequence[Pair], missing: dict[str, int] | None = None, again: Sequence[float] = ()
) -> Scorecard:
    """The scorecard of these pairs. `again`: grades of the incumbent's new answers against its recorded ones.

    Raises BadProofValue where a score is no score.
    """
    ordered = sorted(pairs, key=lambda one: (one.at, one.record))
    count = len(ordered)
    slices = _slices(ordered)
    costs = [one.cost for one in ordered if one.cost is not None]
    passed = sum(one.candidate >= about.passes for one in ordered)
    spent = sum(costs, Decimal(0))
    own = [one.latency for one in ordered if one.latency is not None]
    theirs = [one.incumbent_latency for one in ordered if one.incumbent_latency is not None]
    return Scorecard(
        workflow=about.workflow,
        target=about.target,
        grader=about.grader,
        reference=about.reference,
        dataset=about.dataset,
        at=about.at,
        pairs=count,
        quality=_mean([one.candidate for one in ordered]),
        incumbent_quality=_mean([one.incumbent for one in ordered]),
        difference=interval([one.difference for one in ordered], LEVEL),
        discordance=_mean([float(one.difference != 0) for one in ordered]),
        noise=interval([1.0 - one for one in again], LEVEL) if again else None,
        slices=slices,
        failures=_left(Counter(one.error for one in ordered if one.error)),
        missing=_left(missing or {}),
        latency_p50=quantile(own, 0.5),
        latency_p95=quantile(own, 0.95),
        incumbent_p50=quantile(theirs, 0.5),
        incumbent_p95=quantile(theirs, 0.95),
        cost_call=spent / len(costs) if costs else None,
        cost_passed=spent / passed if costs and passed else None,
        passed=passed / count if count else 0.0,
        passes=about.passes,
        unpriced=count - len(costs),
        multiplicity=len(slices),
    )


def quantile(values: Sequence[float], share: float) -> float | None:
    """The value that `share` of the values do not exceed; None of none."""
    if not values:
        return None
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, -int(-share * len(ordered) // 1) - 1))]


def class_of(text: str) -> str:
    """A label's class, for slices."""
    return bare(text)[:64]


def _slices(pairs: Sequence[Pair]) -> tuple[Slice, ...]:
    """Parts of at least LEAST_SLICE pairs; a division that leaves one part only is no division."""
    parts: list[tuple[str, str, list[Pair]]] = []
    for by, key in _DIVISIONS:
        groups: dict[str, list[Pair]] = {}
        for one in pairs:
            groups.setdefault(key(one), []).append(one)
        if len(groups) < 2 or (by == "class" and len(groups) > max(MOST_CLASSES, len(pairs) // LEAST_SLICE)):
            continue
        parts += [(by, name, found) for name, found in sorted(groups.items()) if name and len(found) >= LEAST_SLICE]
    level = 1.0 - (1.0 - LEVEL) / max(1, len(parts))
    return tuple(
        Slice(
            by=by,
            name=name,
            quality=_mean([one.candidate for one in found]),
            incumbent_quality=_mean([one.incumbent for one in found]),
            difference=interval([one.difference for one in found], level),
        )
        for by, name, found in parts
    )


def _length(pair: Pair) -> str:
    return next((name for most, name in _LENGTHS if pair.length < most), "8,000 and more")


def _week(pair: Pair) -> str:
    year, week, _ = datetime.fromtimestamp(pair.at, UTC).isocalendar()
    return f"{year}-W{week:02d}"


_DIVISIONS: tuple[tuple[str, Callable[[Pair], str]], ...] = (
    ("application", lambda one: one.app),
    ("class", lambda one: one.kind),
    ("length", _length),
    ("sensitivity", lambda one: one.label),
    ("week", _week),
)


def _left(counts: dict[str, int] | Counter[str]) -> tuple[Left, ...]:
    return tuple(Left(reason=reason, calls=calls) for reason, calls in sorted(counts.items()) if calls)


def _mean(values: Iterable[float]) -> float:
    found = list(values)
    return sum(found) / len(found) if found else 0.0
