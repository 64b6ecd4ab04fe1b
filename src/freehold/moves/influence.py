"""What moves under way ask of the data plane: whose calls go where, whose are kept for comparing. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

import msgspec

from freehold.gateway.routing.types import Composite, Overlay, Routes, Watch
from freehold.moves.types import PAIRING, SERVING, Move


class HasMembers(Protocol):
    """A composite as configured."""

    @property
    def members(self) -> Sequence[str]:
        """Targets that answer first."""


def composite_of(move: Move) -> Composite | None:
    """The policy a recipe's model is wrapped in: below the stated confidence the incumbent is asked."""
    if not move.member or move.plan.escalate is None:
        return None
    return Composite(
        name=move.candidate,
        kind="confidence",
        members=(move.member,),
        escalate=move.plan.incumbent,
        threshold=move.plan.escalate,
    )


def influenced(routes: Routes, moves: Iterable[Move]) -> Routes:
    """The routes with every move's overlay, watch and composite. What names a target that is gone is left out."""
    known = {one.name for one in routes.targets} | {one.name for one in routes.composites}
    composites, overlays, watches = list(routes.composites), list(routes.overlays), list(routes.watches)
    for move in moves:
        made = composite_of(move)
        if made is not None and made.name not in known and {*made.members, made.escalate} <= known:
            composites.append(made)
            known.add(made.name)
        if move.stage in PAIRING:
            watches.append(Watch(workflow=move.plan.workflow))
        if move.stage in SERVING and move.candidate in known:
            overlays.append(Overlay(workflow=move.plan.workflow, target=move.candidate, share=move.share, salt=move.id))
    return msgspec.structs.replace(
        routes,
        composites=tuple(sorted(composites, key=lambda one: one.name)),
        overlays=tuple(sorted(overlays, key=lambda one: one.workflow)),
        watches=tuple(sorted(watches, key=lambda one: one.workflow)),
    )


def members_of(move: Move, composites: Mapping[str, HasMembers]) -> tuple[str, ...]:
    """Targets that speak for the candidate alone: the member of its own composite, a named one's, or itself."""
    if move.member:
        return (move.member,)
    named = composites.get(move.candidate)
    return tuple(named.members) if named is not None else (move.candidate,)
