"""What plans are made from, over the management API: traffic as columns without content, and what is known of it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import msgspec
from fastapi import APIRouter, Depends, Query, Response

from freehold.ledger.meter import FREE
from freehold.moves import store as moves
from freehold.planner.contract import OwnPrice
from freehold.planner.observed import Observed, observed, served
from freehold.planner.store import from_ledger, from_records
from freehold.policy.vendors import Fact
from freehold.server.actors import Allowed, Served
from freehold.server.structs import answer, described
from freehold.settings import compile as compiled

router = APIRouter(prefix="/api/plans", tags=["plans"], dependencies=[Depends(Allowed("usage:read"))])


class Traffic(msgspec.Struct, frozen=True, kw_only=True):
    """Arrivals as columns; seconds from `begins_at` (Unix), tokens, and the index of each one's workflow."""

    t: list[float]
    input: list[int]
    output: list[int]
    cached: list[int]
    workflow: list[int]
    workflows: list[str]
    span_seconds: float
    begins_at: float
    source: str


class Sources(msgspec.Struct, frozen=True, kw_only=True):
    """Everything beside the traffic, on one day."""

    workflows: tuple[Observed, ...]
    papers: tuple[Fact, ...]
    """What is known of vendors: public rows and contracts."""
    prices: tuple[OwnPrice, ...]
    """What targets of the configuration cost here, where it says so itself."""
    day: str


FORMS = (Sources, Traffic)


@router.get("/traffic", responses=described(Traffic))
def traffic(
    instance: Served,
    since: Annotated[float | None, Query(description="Unix seconds.")] = None,
    until: Annotated[float | None, Query(description="Unix seconds, excluded.")] = None,
    recorded: Annotated[bool, Query(description="Recorded calls, imported ones too.")] = False,
) -> Response:
    """Arrivals and tokens of calls by workflow, without content."""
    with instance.reading() as connection:
        read = from_records if recorded else from_ledger
        found = read(connection, since=since, until=until)
    return answer(
        Traffic(
            t=found.t.tolist(),
            input=found.input.tolist(),
            output=found.output.tolist(),
            cached=found.cached.tolist(),
            workflow=found.workflow.tolist(),
            workflows=list(found.workflows),
            span_seconds=found.span_seconds,
            begins_at=found.begins_at,
            source=found.source,
        )
    )


@router.get("/sources", responses=described(Sources))
def sources(instance: Served) -> Response:
    """What is known of each workflow: label, maturity, who serves it, scorecards; and vendors' papers."""
    with instance.reading() as connection:
        routes = instance.publisher.routes(instance.settings, moves.active(connection))
        found = observed(connection, routes.targets)
    parties = compiled.offerings(instance.settings)
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
    day = datetime.fromtimestamp(instance.clock(), UTC).date().isoformat()
    return answer(Sources(workflows=found, papers=compiled.policy(instance.settings, ()).facts, prices=own, day=day))
