"""Decisions told to people: one step by step, all of them as a table, and expected ones checked. Pure.

They are made by the same functions as on the hot path; nothing here decides anything.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Literal

import msgspec

from freehold.core.errors import BadRequest
from freehold.core.label import Label, Level, parse_label
from freehold.policy.cedar import Rules
from freehold.policy.decide import decide, steps
from freehold.policy.permits import Mint
from freehold.policy.regimes import NEEDS, REGIMES
from freehold.policy.targets import Target
from freehold.policy.types import ANY, Policy, Where
from freehold.policy.vendors import known

Verdict = Literal["allow", "deny"]


class Judged(msgspec.Struct, frozen=True):
    """One cell of the table. `rule` is what refused, empty where nothing did."""

    label: str
    target: str
    allowed: bool
    rule: str
    reason: str


class Step(msgspec.Struct, frozen=True):
    """What one rule says."""

    rule: str
    passes: bool
    why: str


class Explained(msgspec.Struct, frozen=True, kw_only=True):
    """A decision, rule by rule, with the rows it rests on."""

    label: str
    target: str
    team: str
    route: str
    on: str
    """ISO date for which it holds."""
    allowed: bool
    reason: str
    steps: tuple[Step, ...]
    rows: tuple[str, ...]
    """What is known of a rented target, row by row; empty for an owned one."""


class Case(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One expectation. Without a team or route it is asked for whoever speaks for any of them: the strictest answer."""

    label: str
    target: str
    expect: Verdict
    team: str = ANY
    route: str = ANY
    on: date | None = None
    """Another day than today, such as the one after a contract ends."""


class Cases(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file of expectations: `[[cases]]` in TOML."""

    cases: tuple[Case, ...] = ()


class Outcome(msgspec.Struct, frozen=True):
    """What became of one expectation."""

    case: Case
    passed: bool
    got: Verdict
    reason: str


def labels(policy: Policy, targets: Sequence[Target]) -> tuple[Label, ...]:
    """The labels worth a row: every level, bare and under each regime that a row, rule or clearance names."""
    named = {one.name for one in REGIMES}
    named |= {name for one in policy.rules for name in one.label.regimes}
    named |= {name for one in targets for name in one.clearance.regimes}
    bare = [Label(level) for level in Level]
    return (*bare, *(Label(level, frozenset({name})) for name in sorted(named) for level in Level if level))


def table(mint: Mint, targets: Sequence[Target], rows: Sequence[Label]) -> tuple[Judged, ...]:
    """Every row's label with every target, row by row."""
    return tuple(_judged(mint, label, target) for label in rows for target in targets)


def explain(policy: Policy, label: Label, target: Target, where: Where) -> Explained:
    """The decision for one label and target, every rule asked."""
    told = [Step(name, not why, why or "passes") for name, why in steps(label, target, policy, where)]
    decision = decide(label, target, policy, where)
    if policy.cedar:
        refused = Rules(policy.cedar).refuses(label, target, where)
        told.append(Step("cedar", not refused, refused or "the tenants' rules permit it"))
        if decision.allowed and refused:
            decision = msgspec.structs.replace(decision, allowed=False, reason=refused)
    attributes = sorted({one.attribute for one in NEEDS} | {"handles", "residency"})
    rows = () if target.owned else tuple(known(policy.facts, target, one, where.today).why for one in attributes)
    return Explained(
        label=str(label),
        target=target.name,
        team=where.team,
        route=where.route,
        on=where.today,
        allowed=decision.allowed,
        reason=decision.reason,
        steps=tuple(told),
        rows=rows,
    )


def check(cases: Sequence[Case], policy: Policy, targets: Mapping[str, Target], now: float) -> tuple[Outcome, ...]:
    """Each expectation held against the policy at `now` (Unix seconds). Raises BadRequest for an unknown target."""
    mints: dict[float, Mint] = {}
    found = []
    for one in cases:
        at = now if one.on is None else datetime(one.on.year, one.on.month, one.on.day, tzinfo=UTC).timestamp()
        if at not in mints:
            mints[at] = Mint(0, policy, now=at)
        decision = mints[at].scoped(one.team, one.route).decision(parse_label(one.label), named(targets, one.target))
        got: Verdict = "allow" if decision.allowed else "deny"
        found.append(Outcome(one, got == one.expect, got, decision.reason))
    return tuple(found)


def named(targets: Mapping[str, Target], name: str) -> Target:
    """The target by that name. Raises BadRequest with the names there are."""
    if name not in targets:
        listed = ", ".join(sorted(targets)) or "none"
        raise BadRequest(f"there is no target {name!r}", hint=f"there are: {listed}", param="target")
    return targets[name]


def _judged(mint: Mint, label: Label, target: Target) -> Judged:
    found = mint.decision(label, target)
    return Judged(str(label), target.name, found.allowed, found.rule, found.reason)
