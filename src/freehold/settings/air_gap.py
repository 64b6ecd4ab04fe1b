"""An air-gapped instance's routes: rented targets are not merely refused, they do not exist. Pure.

What the data plane never hears of has no address in the egress's list, no head with a credential, and no health.
"""

from __future__ import annotations

from msgspec.structs import replace

from freehold.gateway.routing.types import Composite, Route, Routes


def without_rented(routes: Routes) -> Routes:
    """The same routes without every rented target, and without what leads to nothing then."""
    kept = {one.name for one in routes.targets if one.owned}
    composites = tuple(one for one in routes.composites if _whole(one, kept))
    ways = kept | {one.name for one in composites}
    left = tuple(route for one in routes.routes if (route := _route(one, ways, kept)) is not None)
    names = {one.name for one in left}
    gone = {one.name for one in routes.routes} - names
    return replace(
        routes,
        targets=tuple(one for one in routes.targets if one.owned),
        routes=left,
        composites=composites,
        overlays=tuple(one for one in routes.overlays if one.target in ways),
        aliases=tuple((alias, name) for alias, name in routes.aliases if name in names),
        gone=tuple(sorted(gone | {alias for alias, name in routes.aliases if name in gone})),
    )


def _whole(one: Composite, kept: set[str]) -> bool:
    """Without one of its members it is another policy than was asked for."""
    return {*one.members, one.escalate} <= kept


def _route(one: Route, ways: set[str], kept: set[str]) -> Route | None:
    tiers = tuple(found for tier in one.tiers if (found := tuple(arm for arm in tier if arm.target in ways)))
    return replace(one, tiers=tiers, baseline=one.baseline if one.baseline in kept else "") if tiers else None
