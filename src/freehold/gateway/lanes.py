"""A lane: everything about a caller on a route that does not change from call to call, decided once.

Label, scope, permitted targets and budgets for the key's default label; a header that raises the label makes a
lane of its own for that call.
"""

from __future__ import annotations

from freehold.core.errors import BadRequest, NoPermittedTarget, RouteNotInScope
from freehold.core.label import Label
from freehold.gateway.callers import Caller
from freehold.gateway.routing.table import PIN, Path, RouteTable, Stop
from freehold.policy.permits import Mint
from freehold.policy.types import ANY


class Lane:
    """Made under one policy (`mint.base`) and one route table (`path`); both are compared by identity before use."""

    __slots__ = ("budgets", "key_id", "label", "label_text", "limited", "mint", "only", "path", "team")

    def __init__(
        self, caller: Caller, path: Path, mint: Mint, raised: Label | None = None, label: Label | None = None
    ) -> None:
        """`label` is the call's, where more decides on it than key, route and header. Raises RouteNotInScope, or
        NoPermittedTarget with the reason for each target.
        """
        if caller.routes is not None and path.name not in caller.routes:
            raise RouteNotInScope(f"this key may not use {path.name!r}", param="model")
        label = label or label_of(caller, path, raised)
        self.path = path
        self.mint = mint = scope_of(caller, path, mint)
        self.label = label
        self.label_text = str(label)
        self.budgets = caller.budgets + path.route.budgets
        self.key_id = caller.principal.key_id
        self.team = caller.principal.team
        self.limited = caller.requests is not None or caller.tokens is not None
        tiers = path.permitted(label, mint)
        if not tiers:
            reasons = {way.decision(label, mint).reason for tier in path.tiers for way in tier}
            raise NoPermittedTarget("; ".join(sorted(reasons)))
        sole = len(tiers) == 1 and len(tiers[0][0]) == 1 and not path.joint
        self.only: tuple[Stop, ...] | None = tiers[0][0] if sole else None  # type: ignore[assignment]


def scope_of(caller: Caller, path: Path, mint: Mint) -> Mint:
    """The policy as it holds for what the caller sends on the route.

    A service key sends other people's content, so whatever holds for any team and any route holds for it.
    """
    if caller.service:
        return mint.scoped(ANY, ANY)
    return mint.scoped(caller.principal.team, path.name)


def label_of(caller: Caller, path: Path, raised: Label | None) -> Label:
    """The join of what the key, the route and a header say of a call's content."""
    label = caller.label if path.label is None else caller.label.join(path.label)
    return label if raised is None else label.join(raised)


def lane_of(caller: Caller, path: Path, mint: Mint) -> Lane:
    """A lane for the key's own label, remembered with the caller. Raises what `Lane` raises.

    A service key has no label of its own to fall back on: what it sends is other people's content.
    """
    if caller.service:
        raise BadRequest("a service key must state its content's label", hint="send the header x-freehold-label")
    lane = Lane(caller, path, mint)
    if not caller.lowers:  # whose headers must be read each time
        caller.lanes[path.name] = lane
    return lane


def path_of(table: RouteTable, caller: Caller, model: str, now: float) -> Path:
    """What a model's name leads to that is no route: a target, for Freehold's own rooms. Raises UnknownModel."""
    return table.pin(model, now) if caller.service and model.startswith(PIN) else table.path(model)
