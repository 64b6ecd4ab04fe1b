"""The owned models every instance has without configuration, by name."""

from __future__ import annotations

from freehold.gateway.routing.types import Arm, Route
from freehold.serving.deployments import CHAT, EMBED

OWNED_TARGETS = (CHAT, EMBED)
OWNED_ROUTES = OWNED_TARGETS


def owned_routes() -> tuple[Route, ...]:
    """One route to each embedded model, of the same name."""
    return tuple(Route(name=name, tiers=((Arm(name),),)) for name in OWNED_TARGETS)
