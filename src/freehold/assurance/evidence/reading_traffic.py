"""Facts about calls, and about the routes, targets, guards and policy that stand behind them. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from freehold.assurance.evidence.facts import (
    CallsFact,
    GuardFact,
    GuardRuleFact,
    NeedFact,
    PolicyFact,
    RouteFact,
    ScanFact,
    SentFact,
    TargetFact,
)
from freehold.core.errors import FreeholdError
from freehold.core.label import parse_label
from freehold.gateway.routing.types import Routes
from freehold.guard.types import Profile, Rule
from freehold.policy import regimes
from freehold.policy.decide import decide
from freehold.policy.targets import Target
from freehold.policy.types import Policy, Where

_MARKS = ("keyed", "decided", "scanned")
_LOCAL = ("127.0.0.1", "::1", "localhost")


def calls(rows: Iterable[Mapping[str, Any]]) -> tuple[CallsFact, ...]:
    """Calls that are alike."""
    return tuple(CallsFact(**{**row, **{name: bool(row[name]) for name in _MARKS}}) for row in rows)


def sent(rows: Iterable[Mapping[str, Any]], routes: Routes, policy: Policy, today: str) -> tuple[SentFact, ...]:
    """Attempts that are alike, each with what the inner rule of the policy in force says of them."""
    known = {one.name: one for one in routes.targets}
    return tuple(
        SentFact(
            **{**row, "owned": bool(row["owned"])},
            known=row["target"] in known,
            against=_against(row, known.get(row["target"]), policy, today),
        )
        for row in rows
    )


def _against(row: Mapping[str, Any], target: Target | None, policy: Policy, today: str) -> str:
    if target is None:
        return ""
    try:
        label = parse_label(row["label"])
    except FreeholdError:
        return f"their label {row['label'][:40]!r} is none"
    decision = decide(label, target, policy, Where(team=row["team"], route=row["route"], today=today))
    return "" if decision.allowed else decision.reason


def scans(texts: Iterable[str]) -> tuple[ScanFact, ...]:
    """What guards found, counted by detector and kind; and detectors that failed."""
    counted: Counter[tuple[str, str, bool]] = Counter()
    for text in texts:
        found = msgspec.json.decode(text)
        for side in ("request", "answer"):
            one = found.get(side) or {}
            for what, count in one.get("found", {}).items():
                counted[side, what, False] += count
            for what in one.get("failed", ()):
                counted[side, what, True] += 1
    return tuple(
        ScanFact(what=what, side=side, count=count, failed=failed)
        for (side, what, failed), count in sorted(counted.items())
    )


def policy(version: int, found: Policy) -> PolicyFact:
    """The policy in force."""
    return PolicyFact(
        version=version,
        air_gapped=found.air_gapped,
        closed=found.closed,
        rules=len(found.rules),
        cedar=bool(found.cedar.strip()),
        budgets=tuple(sorted(f"{one.id} {one.limit} {one.period}" for one in found.budgets)),
    )


def guards(found: Policy) -> tuple[GuardFact, ...]:
    """Every profile, by name."""
    profiles = msgspec.convert(found.guards, tuple[Profile, ...])
    return tuple(_guard(one) for one in sorted(profiles, key=lambda one: one.name))


def _guard(one: Profile) -> GuardFact:
    return GuardFact(
        name=one.name,
        on_failure=one.on_failure,
        schema=one.schema,
        rules=tuple(_rule(each) for each in one.rules),
    )


def _rule(one: Rule) -> GuardRuleFact:
    return GuardRuleFact(one.detector, one.action, tuple(one.directions), tuple(one.kinds), tuple(one.sources))


def routes(found: Routes) -> tuple[RouteFact, ...]:
    """Every route, by name."""
    return tuple(
        RouteFact(
            name=one.name,
            targets=tuple(sorted({arm.target for tier in one.tiers for arm in tier})),
            guard=one.guard,
            capture=one.capture,
            label=one.label,
            budgets=tuple(sorted(one.budgets)),
        )
        for one in sorted(found.routes, key=lambda one: one.name)
    )


def targets(found: Routes, policy: Policy, today: str) -> tuple[TargetFact, ...]:
    """Every target, by name, with what is known of whoever serves it."""
    return tuple(_target(one, policy, today) for one in sorted(found.targets, key=lambda one: one.name))


def _target(one: Target, policy: Policy, today: str) -> TargetFact:
    needs = () if one.owned else tuple(
        NeedFact(need.name, regimes.lacking(need.name, one, policy, today)) for need in regimes.NEEDS
    )  # fmt: skip
    return TargetFact(
        name=one.name,
        model=one.model,
        owned=one.owned,
        region=one.region,
        clearance=str(one.clearance),
        origin=str(one.origin),
        local=one.origin.host in _LOCAL,
        stored=bool(one.digest),
        needs=needs,
    )
