"""One look at the whole, over the management API: what is owned, what it costs, is it safe, what needs somebody."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated

import msgspec
from fastapi import APIRouter, Depends, Query, Response
from sqlalchemy import Connection

from freehold.assurance import attention
from freehold.assurance.attention import Need
from freehold.assurance.lifecycle import Ending, endings, retirements
from freehold.core.clock import iso
from freehold.core.money import ZERO
from freehold.identity import store as keys_store
from freehold.identity.people import break_glass
from freehold.identity.people import store as people
from freehold.identity.roles import permissions
from freehold.identity.service import KEY_ID
from freehold.ledger.findings import store as findings
from freehold.ledger.records import Filter, Sorting, UsageRow
from freehold.ledger.usage import store as usage_store
from freehold.moves import store as moves
from freehold.moves.types import ENDED
from freehold.policy.authority import standing
from freehold.registry import held
from freehold.registry.artefacts import Store
from freehold.server.actors import Actor, Allowed, Served
from freehold.server.api import errata
from freehold.server.api.moves import outline_of
from freehold.server.instance import Instance
from freehold.server.publish import key_budgets
from freehold.server.structs import answer, described
from freehold.settings import compile as compiled
from freehold.telemetry import store as telemetry
from freehold.workflows.known import store as workflows

router = APIRouter(prefix="/api/overview", tags=["overview"])

Reader = Annotated[Actor, Depends(Allowed("usage:read"))]
Anybody = Annotated[Actor, Depends(Allowed("self:read"))]
LEAD_DAYS = 90
MOST_REFUSALS = 10_000
_HOUR = 3600.0
_SORTING = Sorting(own_keys=(KEY_ID,))
_BY_DAY = Sorting(own_keys=(KEY_ID,), percentiles=False)


class Sums(msgspec.Struct, frozen=True, kw_only=True):
    """Of callers' calls. Money in US dollars, latencies in seconds."""

    calls: int = 0
    owned_calls: int = 0
    errors: int = 0
    cost: Decimal = ZERO
    owned_cost: Decimal = ZERO
    what_if: Decimal | None = None
    """What the calls with a baseline would have cost there; None where no call had one."""
    what_if_cost: Decimal = ZERO
    """What those same calls did cost."""
    what_if_calls: int = 0
    own_cost: Decimal = ZERO
    """Of Freehold's own calls (evaluations, shadows, judges): beside the others, in none of them."""
    p50: float = 0.0
    p95: float = 0.0


class Day(msgspec.Struct, frozen=True, kw_only=True):
    """One UTC day of callers' calls."""

    day: str
    calls: int
    owned_calls: int
    cost: Decimal
    what_if: Decimal | None
    errors: int


class Safety(msgspec.Struct, frozen=True, kw_only=True):
    """What guards and policy did."""

    looked_at: int
    """Calls a guard looked at."""
    findings: int
    stopped: int
    """Calls that a guard refused."""
    refused: dict[str, int]
    """Refused calls by error, of the newest 10,000."""


class Overview(msgspec.Struct, frozen=True, kw_only=True):
    """From `since` (Unix seconds) until now."""

    since: float
    until: float
    sums: Sums
    days: tuple[Day, ...]
    safety: Safety
    source: str = "the ledger: sums by the hour of every ended call"


class Waiting(msgspec.Struct, frozen=True):
    """What needs somebody, as far as the asker's role may see it."""

    needs: tuple[Need, ...]


FORMS = (Overview, Waiting)


@router.get("", responses=described(Overview))
def index(instance: Served, _actor: Reader, since: Annotated[float | None, Query(ge=0)] = None) -> Response:
    """What is owned, what it costs and would have cost, latencies, guards; from this month's start."""
    now = instance.clock()
    first = month_of(now) if since is None else since
    with instance.reading() as connection:
        wanted = Filter(since=first)
        by_day = [one for one in usage_store.sums(connection, ("day", "target"), wanted, _BY_DAY) if not one.own]
        every = usage_store.sums(connection, (), wanted, _SORTING)
        owned = telemetry.owned(connection, {one.group[1] for one in by_day if one.group[1]})
        safety = _safety(connection, first, now)
    told = Overview(since=first, until=now, sums=_sums(every, by_day, owned), days=_days(by_day, owned), safety=safety)
    return answer(told)


@router.get("/needs", responses=described(Waiting))
def needs(instance: Served, actor: Anybody) -> Response:
    """What waits for a person: approvals, holds, budgets near their end, advisories, retirements, reviews."""
    may, now = permissions(actor.role), instance.clock()
    found: list[Need] = []
    with instance.reading() as connection:
        if "moves:read" in may:
            found += _of_moves(instance, connection)
        if "people:read" in may:
            found += _of_people(connection, now)
        keys = keys_store.everything(connection) if "usage:read" in may else ()
    if "usage:read" in may:
        policy = compiled.policy(instance.settings, [one for key in keys for one in key_budgets(key)])
        stands = (standing(instance.engine, one, now) for one in policy.budgets)
        found += attention.of_budgets((one, iso(one.resets_at)) for one in stands)
    if "models:read" in may:
        found += attention.of_advisories(errata.standing(instance))
        found += attention.of_held(_held(instance))
    if "routes:read" in may:
        found += attention.of_endings(_endings(instance, now))
    if "config:read" in may:
        problems = len(instance.problems.problems) if instance.problems else 0
        found += attention.of_settings(problems, instance.restart_needed)
    return answer(Waiting(attention.sorted_needs(found)))


def month_of(now: float) -> float:
    """When the UTC month of a time began, in Unix seconds."""
    return datetime.fromtimestamp(now, UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0).timestamp()


def _sums(every: Iterable[UsageRow], by_day: Iterable[UsageRow], owned: dict[str, bool]) -> Sums:
    rows = {one.own: one for one in every}
    own = rows[True].cost if True in rows else ZERO
    if False not in rows:
        return Sums(own_cost=own)
    one, mine = rows[False], [each for each in by_day if owned.get(each.group[1])]
    return Sums(
        calls=one.calls,
        owned_calls=sum(each.calls for each in mine),
        errors=one.errors,
        cost=one.cost,
        owned_cost=sum((each.cost for each in mine), ZERO),
        what_if=one.what_if,
        what_if_cost=one.what_if_cost,
        what_if_calls=one.what_if_calls,
        own_cost=own,
        p50=one.p50,
        p95=one.p95,
    )


def _days(by_day: Iterable[UsageRow], owned: dict[str, bool]) -> tuple[Day, ...]:
    found: dict[str, list[UsageRow]] = {}
    for one in by_day:
        found.setdefault(one.group[0], []).append(one)
    return tuple(
        Day(
            day=day,
            calls=sum(one.calls for one in rows),
            owned_calls=sum(one.calls for one in rows if owned.get(one.group[1])),
            cost=sum((one.cost for one in rows), ZERO),
            what_if=_together(one.what_if for one in rows),
            errors=sum(one.errors for one in rows),
        )
        for day, rows in sorted(found.items())
    )


def _together(amounts: Iterable[Decimal | None]) -> Decimal | None:
    known = [one for one in amounts if one is not None]
    return sum(known, ZERO) if known else None


def _safety(connection: Connection, since: float, now: float) -> Safety:
    rows = findings.sums(connection, int(since // _HOUR), int(now // _HOUR) + 1)
    whole = [one for one in rows if not one.detector]
    return Safety(
        looked_at=sum(one.calls for one in whole if one.side == "request"),
        findings=sum(one.findings for one in whole),
        stopped=sum(one.refused for one in whole),
        refused=dict(telemetry.refusals(connection, int(since * 1000).to_bytes(6, "big"), MOST_REFUSALS)),
    )


def _of_moves(instance: Instance, connection: Connection) -> list[Need]:
    names = {one.id: one.name for one in workflows.everything(connection)}
    due = [one for one in moves.everything(connection) if one.stage not in ENDED and (one.waiting or one.held)]
    return attention.of_moves(outline_of(instance, connection, one, names) for one in due)


def _of_people(connection: Connection, now: float) -> list[Need]:
    every = people.every_break_glass(connection, now - break_glass.LONGEST_SECONDS)
    waiting = [one for one in every if break_glass.state(one, now) == "waiting"]
    known = {one.id: people.by_id(connection, one.asked_by).known_as for one in waiting}
    return attention.of_break_glass((one.id, one.right, known[one.id]) for one in waiting)


def _held(instance: Instance) -> list[str]:
    store = Store(instance.home / "store", instance.identity)
    return [one.offer.name for one in held.waiting(store.root, store.verifier)]


def _endings(instance: Instance, now: float) -> list[Ending]:
    routes = instance.publisher.routes(instance.settings)
    today = datetime.fromtimestamp(now, UTC).date()
    led = {arm.target for route in routes.routes for tier in route.tiers for arm in tier}
    found = endings(routes.targets, retirements(), today, LEAD_DAYS)
    return [msgspec.structs.replace(one, routes=(one.target,)) for one in found if one.target in led]
