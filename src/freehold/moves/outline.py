"""A move as people and programs see it: where it stands, what was measured against which bound, what comes next."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from freehold.evals.proof.detector import Delay
from freehold.evals.proof.multiplicity import discoveries
from freehold.evals.proof.validity import FAULTS, Health
from freehold.moves.machine import Measured
from freehold.moves.types import ENDED, SERVING, Move

FALSE_RATE = 0.05
NEXT = (
    ("observed", "its data is read and its candidates are evaluated"),
    ("evaluated", "a candidate is made"),
    ("tuned", "the candidate is evaluated; then shadow"),
    ("shadow", "canary, once the evidence reaches its bound"),
    ("canary", "the next step, once its pairs are there and no harm is found"),
    ("owned", "it stays, and is measured; a rollback comes by itself"),
    ("refused", "nothing: start another move"),
    ("rolled_back", "nothing: the incumbent serves; start another move"),
)


class Bound(msgspec.Struct, frozen=True):
    """One metric, its value now, and the bound at which something happens."""

    metric: str
    value: float
    bound: float
    then: str


class Outline(msgspec.Struct, frozen=True, kw_only=True):
    """Times in Unix seconds, quality differences as fractions (0.03 is three points), money in dollars."""

    id: str
    workflow: str
    """Id."""
    name: str
    """Of the workflow, for people."""
    stage: str
    share: float
    incumbent: str
    candidate: str
    recipe: str
    artefact: str
    held: str
    waiting: str
    began: float
    stage_at: float
    cut_over: float | None
    rule_sha256: str
    rule: dict[str, Any]
    measured: Measured
    looked_at: int = 0
    """Answers of the candidate whose form was looked at since it serves; a restart begins anew."""
    faults: dict[str, int] = {}
    """How many of them were unusable, by kind."""
    bounds: tuple[Bound, ...]
    detection_calls: int | None
    """Calls of the workflow after which a drop of ten points would be found, in the median; None before canary."""
    detection_late: int | None
    """Nine in ten such drops would be found by then."""
    detection_hours: float | None
    """`detection_calls` at the rate of the last day; None where there were no calls."""
    among_all: bool | None = None
    """In a list: does the evidence hold with at most 5 % of false cut-overs among all moves (e-Benjamini-Hochberg)?"""
    next: str


def outline(
    move: Move,
    measured: Measured,
    name: str,
    health: Health,
    found: Delay | None = None,
    calls_per_hour: float = 0.0,
) -> Outline:
    """A move with what its pairs come to; `found` is how long a drop would stay unseen, while it serves."""
    rule = move.rule
    measured = msgspec.structs.replace(measured, broken=health.level)
    return Outline(
        id=move.id,
        workflow=move.plan.workflow,
        name=name,
        stage=move.stage,
        share=move.share,
        incumbent=move.plan.incumbent,
        candidate=move.candidate,
        recipe=move.plan.recipe,
        artefact=move.artefact,
        held=move.held,
        waiting=move.waiting,
        began=move.began,
        stage_at=move.stage_at,
        cut_over=move.cut_over,
        rule_sha256=rule.digest(),
        rule=msgspec.to_builtins(rule),
        measured=measured,
        looked_at=health.calls,
        faults={name: count for name, count in zip(FAULTS, health.counts, strict=True) if count},
        bounds=() if move.stage in ENDED else _bounds(move, measured),
        detection_calls=None if found is None else found.median,
        detection_late=None if found is None else found.late,
        detection_hours=found.median / calls_per_hour if found and found.median and calls_per_hour else None,
        next=_next(move, name),
    )


def among_all(found: Sequence[Outline]) -> list[Outline]:
    """The same, each with whether it still holds among all of them: many workflows are tried, some would pass by luck.

    Wang and Ramdas 2022, "False discovery rate control with e-values", JRSS B 84.
    """
    held = set(discoveries([one.measured.evidence for one in found], FALSE_RATE)) if found else set()
    return [msgspec.structs.replace(one, among_all=at in held) for at, one in enumerate(found)]


def paired_share(move: Move) -> float:
    """Share of the workflow's calls that are compared in this stage."""
    rule = move.rule
    if move.stage != "owned":
        return max(rule.sample, 1e-9)
    return max(rule.holdback + (1.0 - rule.holdback) * rule.sample_owned, 1e-9)


def _bounds(move: Move, measured: Measured) -> tuple[Bound, ...]:
    rule = move.rule
    found = []
    if move.stage in ("shadow", "canary"):
        found.append(Bound("evidence", measured.evidence, 1 / rule.alpha, "not worse by the margin: the next step"))
        found.append(Bound("futility", measured.futility, 1 / rule.futility, "worse: refused"))
    if move.stage == "canary":
        pairs = measured.pairs - move.stage_pairs
        found.append(Bound("pairs of this step", pairs, rule.step_pairs, "the next step"))
    if move.stage in SERVING:
        found.append(Bound("harm", measured.alarm, rule.patience, "rolled back"))
        if measured.broken_at is not None:
            found.append(Bound("validity", measured.broken, measured.broken_at, "rolled back"))
    return tuple(found)


def _next(move: Move, name: str) -> str:
    if move.held:
        return f"nothing while it is held ({move.held}): freehold moves promote {name}"
    if move.waiting:
        return f"a person approves {move.waiting}: freehold moves approve {name}"
    return dict(NEXT)[move.stage]
