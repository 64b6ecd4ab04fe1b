"""The state machine of a move. Pure: an event in, the next move out; facts in, the event that is due out.

`observed -> evaluated -> tuned -> shadow -> canary (steps) -> owned`, and back by `rolled_back` from anywhere.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec.structs import replace

from freehold.core.errors import Conflict
from freehold.moves.types import SERVING, Event, Move, Plan, Rule, Stage


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """What the pairs of a move say at this moment."""

    pairs: int
    difference: float
    """Mean of candidate minus incumbent."""
    discordance: float = 0.0
    """Mean square of the differences: the share of calls on which the two differ, where scores are 0 and 1."""
    low: float
    high: float
    """Anytime-valid interval of it."""
    evidence: float
    """The e-value against "worse by the margin or more"; the rule accepts at `1 / alpha`."""
    futility: float
    """The e-value against "inside the margin"."""
    alarm: float
    """The rollback detector; it sounds at the rule's patience."""
    broken: float = 0.0
    """The validity stream's e-value; it sounds at `broken_at`."""
    broken_at: float | None = None
    spent: float = 0.0
    """Dollars that pairing has cost."""


def begin(number: str, at: float, rule: Rule, plan: Plan) -> Move:
    """A move as its first event makes it."""
    return Move(id=number, rule=rule, plan=plan, candidate=plan.candidate, began=at, stage_at=at, events=1)


def apply(move: Move, event: Event) -> Move:
    """The move after one more event. Raises Conflict where the event is not the next."""
    if event.number != move.events:
        raise Conflict(f"event {event.number} of {move.id} cannot follow {move.events - 1}")
    content = event.content
    after = replace(move, events=move.events + 1)
    if event.kind == "stage":
        return replace(
            after,
            stage=content["to"],
            share=content.get("share", 0.0),
            step=content.get("step", -1),
            stage_at=event.at,
            stage_pairs=content.get("pairs", 0),
            held="",
            unpaid=False,
            waiting="",
            cut_over=event.at if content["to"] == "owned" else after.cut_over,
        )
    if event.kind == "tuned":
        return replace(
            after,
            candidate=content["target"],
            member=content.get("member", ""),
            artefact=content.get("artefact", ""),
            evaluated=False,
        )
    if event.kind == "candidate":
        return replace(after, candidate=content["target"])
    if event.kind == "scorecard":
        return replace(after, evaluated=after.evaluated or content["target"] == after.candidate)
    if event.kind == "held":
        return replace(after, held=content["why"], held_at=event.at, unpaid=content.get("unpaid", after.unpaid))
    if event.kind == "resumed":
        return replace(
            after,
            held="",
            unpaid=False,
            spent_before=content.get("spent", after.spent_before),
            # What held it may still be so: the step is looked at again once it has had its pairs anew.
            stage_pairs=content.get("pairs", after.stage_pairs) if move.stage == "canary" else after.stage_pairs,
        )
    if event.kind == "waiting":
        return replace(after, waiting=content["step"])
    if event.kind == "approved":
        return replace(after, waiting="", approved=(*after.approved, content["step"]))
    return after


def due(move: Move, measured: Measured) -> tuple[str, dict[str, Any]] | None:
    """The event that the pairs demand now, kind and content; None where more pairs are needed.

    Every answer names the metric, the measured value and its bound.
    """
    found = _due(move, measured)
    return None if found is None else (found[0], {"pairs": measured.pairs, **found[1]})


def _due(move: Move, measured: Measured) -> tuple[str, dict[str, Any]] | None:
    if move.stage in SERVING:
        harm = _harm(move, measured)
        if harm is not None:
            return "stage", {"to": "rolled_back", **harm}
    # Also while it is held or waits: what serves is compared all the same.
    unpaid = _unpaid(move, measured) if move.stage in SERVING else None
    if unpaid is not None:
        return unpaid
    if move.held or move.waiting:
        return None
    if move.stage == "shadow":
        return _after_shadow(move, measured)
    if move.stage == "canary":
        return _after_step(move, measured)
    return None


def forward(move: Move, pairs: int, facts: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """The step after this one, or the wait for its approval; `pairs` so far. Raises Conflict where there is none."""
    stage, share, step = _next(move)
    wanted = stage if stage != "canary" or step == 0 else ""
    if wanted in move.rule.approvals and wanted not in move.approved:
        return "waiting", {"step": wanted, **facts}
    return "stage", {"to": stage, "share": share, "step": step, "pairs": pairs, **facts}


def _next(move: Move) -> tuple[Stage, float, int]:
    steps = move.rule.steps
    if move.stage in ("observed", "evaluated"):
        return "tuned", 0.0, -1
    if move.stage == "tuned":
        return "shadow", 0.0, -1
    if move.stage in ("shadow", "canary") and move.step + 1 < len(steps):
        return "canary", steps[move.step + 1], move.step + 1
    if move.stage in ("shadow", "canary"):
        return "owned", 1.0 - move.rule.holdback, -1
    raise Conflict(f"{move.id} is {move.stage}: there is no further step")


def fact(metric: str, value: float, bound: float, verdict: str) -> dict[str, Any]:
    """One metric against its bound, as every step and hold states it."""
    return {"metric": metric, "value": value, "bound": bound, "verdict": verdict}


def _harm(move: Move, measured: Measured) -> dict[str, Any] | None:
    if measured.broken_at is not None and measured.broken >= measured.broken_at:
        return fact("validity", measured.broken, measured.broken_at, "the candidate stopped giving usable answers")
    if measured.alarm >= move.rule.patience:
        points = move.rule.harm * 100
        return fact("harm", measured.alarm, move.rule.patience, f"worse than the incumbent by over {points:g} points")
    return None


def _after_shadow(move: Move, measured: Measured) -> tuple[str, dict[str, Any]] | None:
    rule = move.rule
    accept = 1.0 / rule.alpha
    if measured.evidence >= accept:
        verdict = f"not worse by {rule.margin * 100:g} points or more"
        return forward(move, measured.pairs, fact("evidence", measured.evidence, accept, verdict))
    give_up = 1.0 / rule.futility
    if measured.futility >= give_up:
        return "stage", {"to": "refused", **fact("futility", measured.futility, give_up, "worse than the incumbent")}
    if measured.pairs >= rule.most_pairs:
        facts = fact("pairs", measured.pairs, rule.most_pairs, "still undecided")
        return "stage", {"to": "refused", **facts}
    return _unpaid(move, measured)


def _unpaid(move: Move, measured: Measured) -> tuple[str, dict[str, Any]] | None:
    bound = float(move.rule.budget) + move.spent_before
    if move.unpaid or measured.spent <= bound:
        return None
    serves = "; harm is not looked for any more, broken answers still are" if move.stage in SERVING else ""
    why = f"the budget of comparing is spent{serves}"
    return "held", {"why": why, "unpaid": True, **fact("spent", measured.spent, bound, why)}


def _after_step(move: Move, measured: Measured) -> tuple[str, dict[str, Any]] | None:
    rule = move.rule
    if measured.pairs - move.stage_pairs < rule.step_pairs:
        return None
    accept = 1.0 / rule.alpha
    if measured.evidence < accept and measured.high < 0.0:
        why = "the evidence fell back under its bound"
        return "held", {"why": why, **fact("evidence", measured.evidence, accept, why)}
    pairs = measured.pairs - move.stage_pairs
    return forward(move, measured.pairs, fact("pairs", pairs, rule.step_pairs, "no harm found"))
