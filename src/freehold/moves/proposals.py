"""After a classifier was refused: the same where it is sure, the incumbent where it is not, as a move of its own.

A rule in flight is never changed. The new move has a rule of its own with half the alpha, since it is a second chance,
and waits for a person before anything is compared. Looked for again and again, a proposal is made once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from msgspec.structs import replace
from sqlalchemy import Connection, Engine

from freehold.core.db import writing
from freehold.ledger.audit.store import append
from freehold.moves import store
from freehold.moves.desk import Act, start
from freehold.moves.types import Event, Move, Plan, Rule

ACTOR = "auto"
SHADOW = "shadow"
MEASURED = ("evaluation", "futility")
"""Metrics by which a move is refused for its candidate's quality."""


class Trusted(msgspec.Struct, frozen=True):
    """From which confidence on a classifier's risk is proven to be within a bound, on lessons held out of training."""

    bound: float
    """Greatest mean loss of all calls, where somebody else answers the others as well as before."""
    threshold: float
    answers: float
    """Share of the calls that reach it."""


class Proposal(msgspec.Struct, frozen=True):
    """A move to be begun, and what speaks for it."""

    plan: Plan
    rule: Rule
    trusted: Trusted


def proposal(move: Move, events: list[Event], now: float) -> Proposal | None:
    """What may be tried after a refused move; None where nothing speaks for it, or it was ended by a person."""
    last = events[-1].content if events else {}
    refused = move.stage == "refused" and last.get("metric") in MEASURED
    if not refused or not move.plan.auto or move.plan.escalate is not None:
        return None
    found = [one for one in trusted_of(events) if one.bound <= move.rule.margin]
    if not found:
        return None
    best = max(found, key=lambda one: one.bound)
    approvals = move.rule.approvals if SHADOW in move.rule.approvals else (SHADOW, *move.rule.approvals)
    rule = replace(move.rule, window_until=now, alpha=move.rule.alpha / 2, approvals=approvals)
    return Proposal(replace(move.plan, escalate=best.threshold, auto=False), rule, best)


def trusted_of(events: list[Event]) -> list[Trusted]:
    """What training said of the classifier's risk."""
    metrics: dict[str, Any] = next((one.content.get("metrics", {}) for one in events if one.kind == "tuned"), {})
    return msgspec.convert(metrics.get("trusted", []), list[Trusted])


def propose(engine: Engine, new_id: Callable[[], bytes], queue: Callable[[Connection, str], object], now: float) -> int:
    """Begin what may be tried after each workflow's newest move; how many. `queue` has a move prepared."""
    count = 0
    # One transaction: who is killed before its end has proposed nothing, who comes after finds a newer move.
    with writing(engine) as connection:
        newest: dict[str, Move] = {}
        for move in store.everything(connection):
            newest.setdefault(move.plan.workflow, move)
        for move in newest.values():
            found = proposal(move, store.events(connection, move.id), now)
            if found is not None:
                queue(connection, _begin(connection, move, found, new_id(), now).id)
                count += 1
    return count


def _begin(connection: Connection, before: Move, found: Proposal, number: bytes, now: float) -> Move:
    made = start(connection, number, found.rule, found.plan, Act(ACTOR, now))
    content = {
        "after": before.id,
        "why": f"after {before.id}: it answers where it is at least {found.trusted.threshold:.0%} sure, about "
        f"{found.trusted.answers:.0%} of the calls, and {before.plan.incumbent} the rest",
        **msgspec.to_builtins(found.trusted),
    }
    said = {"move": made.id, "after": before.id, "rule": made.rule.digest(), "workflow": made.plan.workflow}
    append(connection, now, "move.propose", ACTOR, said)
    return store.append(connection, made, Event(made.events, now, "proposed", ACTOR, content))
