"""What a policy over several models would have done, told from answers that are recorded already. Pure.

Invariant: where a policy does not serve a member's answer it serves the incumbent's, so the difference is exactly 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec
import numpy as np
import numpy.typing as npt

from freehold.grading.registry import agree
from freehold.grading.types import Answer, Spec

Kind = Literal["single", "agreement", "confidence"]
Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


class Recorded(msgspec.Struct, frozen=True, kw_only=True):
    """One model's answer to one call, graded. `answer` is None where only its score is known, or it failed."""

    score: float
    """In [0, 1]; 0 for a failure."""
    answer: Answer | None = None
    cost: float | None = None
    """Dollars."""
    latency: float | None = None
    """Seconds."""
    failed: bool = False
    """It gave no answer at all: a policy then asks the incumbent."""


class Sheet(msgspec.Struct, frozen=True, kw_only=True):
    """What the incumbent and several models answered to the same calls, in order of time.

    A model's None says that it was never asked: pairs with it are missing, not lost.
    """

    calls: tuple[str, ...]
    incumbent: tuple[Recorded, ...]
    models: dict[str, tuple[Recorded | None, ...]]


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """Who answers. `single`: the member; `agreement`: the first member where the second agrees by the grader;

    `confidence`: the member where its stated confidence is at least `threshold`. Else the incumbent.
    """

    kind: Kind
    members: tuple[str, ...]
    threshold: float = 0.0

    @property
    def name(self) -> str:
        """As people read it."""
        if self.kind == "single":
            return self.members[0]
        if self.kind == "agreement":
            return " + ".join(self.members)
        return f"{self.members[0]} at confidence {self.threshold:g}"


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What a policy would have done, call by call; missing pairs are left out of all arrays."""

    policy: Policy
    served: Flags
    """Where a member's answer is served."""
    differences: Floats
    """Score of what is served minus the incumbent's, in [-1, 1]."""
    rows: npt.NDArray[np.intp]
    """Position of each pair in the sheet."""
    cost: float | None
    """Dollars a call on average; None where some cost is unknown."""
    incumbent_cost: float | None
    latency: float | None
    """95th percentile in seconds; None where some latency is unknown. Members are asked at the same time."""
    bounded: bool = False
    """Some answers are not recorded, only their scores: two wrong ones were taken for the same wrong one, so quality
    is a lower bound and `kept` an upper one."""

    @property
    def pairs(self) -> int:
        """Calls compared."""
        return int(self.rows.size)

    @property
    def kept(self) -> float:
        """Share of calls that never reach the incumbent."""
        return float(self.served.mean()) if self.pairs else 0.0

    @property
    def delta(self) -> float:
        """Mean difference: -0.005 is half a point worse than the incumbent."""
        return float(self.differences.mean()) if self.pairs else 0.0


def simulate(sheet: Sheet, policy: Policy, spec: Spec) -> Outcome:
    """What `policy` would have done on the sheet, with `spec` to say whether two answers agree. Raises GraderFailed."""
    columns = [sheet.models[name] for name in policy.members]
    rows = [at for at in range(len(sheet.calls)) if all(column[at] is not None for column in columns)]
    members = [[one for at in rows if (one := column[at]) is not None] for column in columns]
    incumbent = [sheet.incumbent[at] for at in rows]
    first = members[0]
    served, bounded = np.array([not one.failed for one in first], dtype=bool), False
    if policy.kind == "agreement":
        found = [_agreed(a, b, spec) for a, b in zip(first, members[1], strict=True)]
        served, bounded = served & np.array([one for one, _ in found], dtype=bool), any(known for _, known in found)
    elif policy.kind == "confidence":
        served &= np.array([_confidence(one) >= policy.threshold for one in first], dtype=bool)
    elif policy.kind == "single":
        served = np.ones(len(rows), dtype=bool)  # nobody is asked in its stead: a failure is served as one
    scores = np.array([one.score for one in first]) - np.array([one.score for one in incumbent])
    return Outcome(
        policy=policy,
        served=served,
        differences=np.where(served, scores, 0.0).astype(np.float64),
        rows=np.array(rows, dtype=np.intp),
        cost=_cost(members, incumbent, served),
        incumbent_cost=_mean([one.cost for one in incumbent]),
        latency=_latency(members, incumbent, served),
        bounded=bounded,
    )


def _agreed(one: Recorded, other: Recorded, spec: Spec) -> tuple[bool, bool]:
    """Whether two answers agree, and whether that had to be guessed from their scores."""
    if one.failed or other.failed:
        return False, False
    if one.answer is None or other.answer is None:
        # Right answers agree and a right one never with a wrong one; of two wrong ones the worst is assumed.
        return (one.score >= 0.5) == (other.score >= 0.5), True
    return agree(spec, one.answer, other.answer), False


def _confidence(one: Recorded) -> float:
    found = None if one.answer is None else one.answer.confidence
    return -1.0 if found is None else found


def _mean(values: Sequence[float | None]) -> float | None:
    known = [one for one in values if one is not None]
    return float(np.mean(known)) if known and len(known) == len(values) else None


def _cost(members: Sequence[Sequence[Recorded]], incumbent: Sequence[Recorded], served: Flags) -> float | None:
    means = [_mean([one.cost for one in column]) for column in members]
    total = 0.0
    for one in means:
        if one is None:
            return None
        total += one
    escalated = [one for one, kept in zip(incumbent, served, strict=True) if not kept]
    if not escalated:
        return total
    mean = _mean([one.cost for one in escalated])
    return None if mean is None else total + mean * len(escalated) / len(incumbent)


def _latency(members: Sequence[Sequence[Recorded]], incumbent: Sequence[Recorded], served: Flags) -> float | None:
    found = []
    for number, rented in enumerate(incumbent):
        own = [column[number].latency for column in members]
        parts = [*own, *(() if served[number] else (rented.latency,))]
        known = [one for one in parts if one is not None]
        if len(known) < len(parts):
            return None
        found.append(max(known[: len(own)]) + sum(known[len(own) :]))
    return float(np.quantile(found, 0.95)) if found else None
