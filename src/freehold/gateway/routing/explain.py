"""Why a call would go where: the same decisions as the hot path makes, written out, nothing sent."""

from __future__ import annotations

import msgspec

from freehold.core.label import Label
from freehold.gateway.routing.choose import drawn, place
from freehold.gateway.routing.table import LIVE, Path, RouteTable
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


class Overlaid(msgspec.Struct, frozen=True):
    """What a move does to one workflow's calls, whichever route they name."""

    workflow: str
    target: str
    share: float
    allowed: bool
    """May the target take the label?"""
    drawn: bool | None
    """Is this conversation in the share? None without one."""
    reason: str


class Explanation(msgspec.Struct, frozen=True):
    """A route's decision for one label and conversation."""

    route: str
    label: str
    routes_version: int
    policy_version: int
    chosen: str
    considered: tuple[Considered, ...]
    overlays: tuple[Overlaid, ...] = ()
    """Moves under way: a call of such a workflow goes to the overlay's target first, where it is drawn."""


def explain(path: Path, label: Label, mint: Mint, table: RouteTable, now: float, conversation: str = "") -> Explanation:
    """Explain `path` for content with `label`; without a conversation the dice is shown as shares."""
    joined = label if path.label is None else label.join(path.label)
    at = place(conversation) if conversation and path.route.sticky else 0.0
    plan = [way.name for way in path.plan(joined, mint, conversation, now, lambda: at)]
    considered: list[Considered] = []
    for tier, (stops, weights) in enumerate(zip(path.tiers, path.weights, strict=True), 1):
        allowed = [way.decision(joined, mint) for way in stops]
        total = sum(w for w, d in zip(weights, allowed, strict=True) if d.allowed)
        for stop, weight, decision in zip(stops, weights, allowed, strict=True):
            share = weight / total if decision.allowed and total else 0.0
            breaker = stop.health.breaker
            why = decision.reason
            if decision.allowed and not breaker.allows(now):
                why += f"; at rest ({breaker.reason or 'being probed'}), tried last"
            if decision.allowed and path.route.choose in LIVE:
                why += f"; a gateway orders the step by who is {path.route.choose}, from its own live figures"
            order = plan.index(stop.name) + 1 if stop.name in plan else 0
            considered.append(Considered(stop.name, tier, decision.allowed, share, order, why))
    chosen = plan[0] if plan else ""
    moved = _overlaid(table, joined, mint, conversation)
    return Explanation(path.name, str(joined), table.version, mint.version, chosen, tuple(considered), moved)


def _overlaid(table: RouteTable, label: Label, mint: Mint, conversation: str) -> tuple[Overlaid, ...]:
    found: list[Overlaid] = []
    for workflow, move in sorted(table.moves.items()):
        overlay, way = move.overlay, move.way
        if overlay is None or way is None:
            continue
        decision = way.decision(label, mint)
        into = drawn(overlay.salt, conversation) < overlay.share if conversation else None
        found.append(Overlaid(workflow, way.name, overlay.share, decision.allowed, into, decision.reason))
    return tuple(found)
