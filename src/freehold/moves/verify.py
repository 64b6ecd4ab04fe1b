"""Checks a dossier on its own: signature, rule, order of events, and every decision recomputed from the pairs.

Needs no instance and no database: an auditor runs it on another machine.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import msgspec

from freehold.core.canonical import exact
from freehold.core.errors import BadArtefact, BadSignature, FreeholdError
from freehold.moves.dossier import opened, pair, signed
from freehold.moves.machine import apply, begin
from freehold.moves.measure import measure
from freehold.moves.types import Event, Move, Pair, Plan, Rule

_SAME = 1e-6
"""Relative difference up to which two computations of an e-value count as the same."""
_RECOMPUTED = ("evidence", "futility", "harm", "spent")


class Check(msgspec.Struct, frozen=True):
    """One thing that was looked at."""

    what: str
    ok: bool
    detail: str = ""


def verify(data: bytes, public_key: str = "") -> list[Check]:
    """Every check, in order. Raises BadArtefact for what is no dossier."""
    content, key, signature = opened(data)
    found = [_signature(content, key, signature)]
    if public_key:
        found.append(Check("signed by the key that was asked for", key.lower() == public_key.strip().lower(), key[:16]))
    try:
        rule, plan = msgspec.convert(content["rule"], Rule), msgspec.convert(content["plan"], Plan)
        events = msgspec.convert(content["events"], list[Event])
        pairs = [pair(one) for one in content["pairs"]]
    except (KeyError, TypeError, msgspec.ValidationError) as error:
        raise BadArtefact(f"this dossier cannot be read: {error}") from None
    found += _rule(content, rule, plan, events)
    found += _window(rule, events, pairs)
    found += _decisions(content, rule, plan, events, pairs)
    return found


def _signature(content: dict[str, Any], key: str, signature: bytes) -> Check:
    try:
        signed(content, key, signature)
    except (BadSignature, ValueError):
        return Check("signature", ok=False, detail="the content is not what was signed")
    return Check("signature", ok=True, detail=f"by {key[:16]}")


def _rule(content: dict[str, Any], rule: Rule, plan: Plan, events: list[Event]) -> Iterator[Check]:
    yield Check("the rule's digest", rule.digest() == content["rule_sha256"], rule.digest()[:16])
    first = events[0] if events else None
    same = first is not None and first.kind == "began"
    if first is not None and same:
        told = {"rule": msgspec.to_builtins(rule), "plan": msgspec.to_builtins(plan)}
        same = exact(first.content) == exact(told)
    yield Check("the rule is the one the move began with", same)
    numbers = [one.number for one in events] == list(range(len(events)))
    times = all(one.at <= two.at for one, two in pairwise(events))
    yield Check("events are complete and in order", numbers and times, f"{len(events)} events")


def _window(rule: Rule, events: list[Event], pairs: list[Pair]) -> Iterator[Check]:
    early = sum(one.at <= rule.window_until for one in pairs)
    yield Check("only calls after the evaluation window were compared", early == 0, f"{early} are older")
    yield Check("no call was counted twice", len({one.record for one in pairs}) == len(pairs), f"{len(pairs)} pairs")
    began = events[0].at if events else math.inf
    yield Check("the rule is older than every comparison", all(one.at >= rule.window_until for one in pairs) and
                began >= rule.window_until, "")  # fmt: skip


def _decisions(
    content: dict[str, Any], rule: Rule, plan: Plan, events: list[Event], pairs: list[Pair]
) -> Iterator[Check]:
    if not events:
        return
    move = begin(content["move"], events[0].at, rule, plan)
    for event in events[1:]:
        if event.kind in ("stage", "held") and event.content.get("metric") in _RECOMPUTED:
            yield _decision(move, event, pairs)
        if event.kind == "stage":
            yield from _approval(move, event)
        try:
            move = apply(move, event)
        except FreeholdError as error:
            yield Check(f"event {event.number}", ok=False, detail=error.message)
            return
    yield Check("the stage is what the events lead to", move.stage == content["stage"], move.stage)
    yield Check("the candidate is what the events lead to", move.candidate == content["candidate"], move.candidate)


def _decision(move: Move, event: Event, pairs: list[Pair]) -> Check:
    """Recompute the metric a step names from the pairs there were, and hold it against its bound."""
    told = event.content
    what = f"{told.get('to', event.kind)}: {told['metric']}"
    count = told.get("pairs", -1)
    if not 0 <= count <= len(pairs):
        return Check(what, ok=False, detail=f"it names {count} pairs, there are {len(pairs)}")
    measured = measure(move.rule, pairs[:count])
    value, bound = {
        "evidence": (measured.evidence, 1 / move.rule.alpha),
        "futility": (measured.futility, 1 / move.rule.futility),
        "harm": (measured.alarm, move.rule.patience),
        "spent": (measured.spent, float(move.rule.budget) + move.spent_before),
    }[told["metric"]]
    same = math.isclose(value, told["value"], rel_tol=_SAME) and math.isclose(bound, told["bound"], rel_tol=_SAME)
    reached = value >= told["bound"] if event.kind == "stage" else True
    detail = f"{value:.6g} recomputed, {told['value']:.6g} stated, bound {told['bound']:.6g}"
    return Check(what, same and reached, detail)


def _approval(move: Move, event: Event) -> Iterator[Check]:
    step = event.content["to"]
    asked = step in move.rule.approvals and not (step == "canary" and event.content.get("step", 0) > 0)
    if event.content.get("metric") == "promoted":
        yield Check(f"{step}: taken by hand", ok=True, detail=f"without proof, {event.actor}: {event.content['why']}")
    elif asked:
        yield Check(f"{step}: approved", step in move.approved)
