"""Why a call would go where: the same decisions as the hot path makes, written out, nothing sent."""

from __future__ import annotations

import msgspec

from freehold.core.label import Label
from freehold.gateway.routing.choose import place
from freehold.gateway.routing.table import Path
from freehold.policy.permits import Mint


class Considered(msgspec.Struct, frozen=True):
    """One target of a route: may it take the label, its chance of going first in its tier, and in words why."""

    target: str
    tier: int
    allowed: bool
    share: float
    order: int
    """Place in which it would be tried, from 1; 0 where it never would."""
    reason: str


class Explanation(msgspec.Struct, frozen=True):
    """A route's decision for one label and conversation."""

    route: str
    label: str
    routes_version: int
    policy_version: int
    chosen: str
    considered: tuple[Considered, ...]


def explain(
    path: Path, label: Label, mint: Mint, routes_version: int, now: float, conversation: str = ""
) -> Explanation:
    """Explain `path` for content with `label`; without a conversation the dice is shown as shares."""
    joined = label if path.label is None else label.join(path.label)
    at = place(conversation) if conversation and path.route.sticky else 0.0
    plan = [stop.name for stop in path.plan(joined, mint, conversation, now, lambda: at)]
    considered: list[Considered] = []
    for tier, (stops, weights) in enumerate(zip(path.tiers, path.weights, strict=True), 1):
        allowed = [mint.decision(joined, stop.target) for stop in stops]
        total = sum(w for w, d in zip(weights, allowed, strict=True) if d.allowed)
        for stop, weight, decision in zip(stops, weights, allowed, strict=True):
            share = weight / total if decision.allowed and total else 0.0
            breaker = stop.health.breaker
            why = decision.reason
            if decision.allowed and not breaker.allows(now):
                why += f"; at rest ({breaker.reason or 'being probed'}), tried last"
            order = plan.index(stop.name) + 1 if stop.name in plan else 0
            considered.append(Considered(stop.name, tier, decision.allowed, share, order, why))
    chosen = plan[0] if plan else ""
    return Explanation(path.name, str(joined), routes_version, mint.version, chosen, tuple(considered))
