"""How long what routes lead to will last, and what could take its place, over the management API."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Annotated

import msgspec
from fastapi import APIRouter, Depends, Query, Response
from sqlalchemy import Connection

from freehold.assurance.lifecycle import Ending, Evaluated, endings, retirements
from freehold.evals import store as evals
from freehold.evals.scorecards import Scorecard
from freehold.gateway.routing.types import Routes
from freehold.identity.service import KEY_ID
from freehold.ledger.records import Filter, Sorting
from freehold.ledger.usage import store as usage_store
from freehold.server.actors import Allowed, Served
from freehold.server.structs import answer, described
from freehold.workflows.known import store as workflows

router = APIRouter(prefix="/api/lifecycle", tags=["lifecycle"], dependencies=[Depends(Allowed("routes:read"))])

FORMS = (Ending,)
LATELY_SECONDS = 30 * 86400.0
_SORTING = Sorting(own_keys=(KEY_ID,))


@router.get("", responses=described(list[Ending]))
def index(instance: Served, lead_days: Annotated[int, Query(ge=0, le=3650)] = 90) -> Response:
    """Every target with the end its vendor has announced, the routes and workflows it serves, and what was measured."""
    routes = instance.publisher.routes(instance.settings)
    now = instance.clock()
    today = datetime.fromtimestamp(now, UTC).date()
    found = endings(routes.targets, retirements(), today, lead_days)
    owned = {one.name for one in routes.targets if one.owned}
    with instance.reading() as connection:
        names = {one.id: one.name for one in workflows.everything(connection)}
        return answer([_with_use(one, routes, connection, names, owned, now) for one in found])


def _with_use(
    one: Ending, routes: Routes, connection: Connection, names: dict[str, str], owned: set[str], now: float
) -> Ending:
    used = usage_store.sums(connection, ("workflow",), Filter(target=one.target, since=now - LATELY_SECONDS), _SORTING)
    ids = [row.group[0] for row in used if row.group[0] in names and not row.own]
    measured = () if one.state == "own" else tuple(_best(connection, ids, names, owned, one.target))
    leads = tuple(
        route.name for route in routes.routes if any(arm.target == one.target for tier in route.tiers for arm in tier)
    )
    return msgspec.structs.replace(one, routes=leads, workflows=tuple(names[one] for one in ids), evaluated=measured)


def _best(
    connection: Connection, ids: list[str], names: dict[str, str], owned: set[str], incumbent: str
) -> Iterable[Evaluated]:
    """Of each workflow the candidate whose difference to the incumbent is least bad at its lower end."""
    for workflow in ids:
        cards = []
        for run in evals.list_runs(connection, workflow):
            text = evals.scorecard_of(connection, run.id)
            if text and run.plan.target != incumbent:
                cards.append(msgspec.json.decode(text, type=Scorecard))
        if not cards:
            continue
        best = max(cards, key=lambda card: card.difference.low)
        yield Evaluated(
            workflow=names[workflow],
            target=best.target,
            owned=best.target in owned,
            quality=best.quality,
            low=best.difference.low,
            pairs=best.pairs,
        )
