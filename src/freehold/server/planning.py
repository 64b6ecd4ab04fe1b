"""What an instance knows beside the traffic, for plans: its workflows, papers of vendors, and prices of its targets."""

from __future__ import annotations

from sqlalchemy import Connection

from freehold.ledger.meter import FREE
from freehold.moves import store as moves
from freehold.planner.contract import OwnPrice
from freehold.planner.jobs import Known
from freehold.planner.observed import observed, served
from freehold.server.publish import Publisher
from freehold.settings import compile as compiled
from freehold.settings.tree import Settings


def known(connection: Connection, settings: Settings, publisher: Publisher) -> Known:
    """By the settings in force, and the moves under way."""
    routes = publisher.routes(settings, moves.active(connection))
    parties = compiled.offerings(settings)
    own = tuple(
        OwnPrice(
            model=served(parties.get(one.name, ""), one.model),
            input=float(one.price.input),
            output=float(one.price.output),
            cached=None if one.price.cached is None else float(one.price.cached),
            source=f"target {one.name}: {one.price.source}",
            as_of=one.price.as_of,
        )
        for one in routes.targets
        if not one.owned and one.price != FREE and not one.price.source.startswith("genai-prices")
    )
    found = observed(connection, routes.targets)
    return Known(workflows=found, papers=compiled.policy(settings, ()).facts, prices=own)
