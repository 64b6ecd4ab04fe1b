"""Plans over the management API: what they are made from, those that are kept, their reports, and levers to pull.

Traffic goes out as columns without content.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Annotated, Literal

import msgspec
from fastapi import APIRouter, Depends, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from freehold.core.canonical import exact
from freehold.jobs import store as jobs
from freehold.planner.contract import OwnPrice
from freehold.planner.jobs import MAKE
from freehold.planner.kept import Card, Kept
from freehold.planner.levers import Lever, levers, pulled
from freehold.planner.observed import Observed
from freehold.planner.orders import Order, check
from freehold.planner.plan import Plan
from freehold.planner.report.registry import report as drawn
from freehold.planner.settings import Rate, Rising
from freehold.planner.solving import solved
from freehold.planner.store import from_ledger, from_records
from freehold.planner.types import Precision
from freehold.policy.vendors import Fact
from freehold.server.actors import Actor, Allowed, Served
from freehold.server.instance import Instance
from freehold.server.planning import known
from freehold.server.structs import answer, described

router = APIRouter(prefix="/api/plans", tags=["plans"], dependencies=[Depends(Allowed("usage:read"))])

Planner = Annotated[Actor, Depends(Allowed("plans:write"))]
Reader = Literal["cfo", "ciso", "cto"]
_TYPES = {"html": "text/html; charset=utf-8", "json": "application/json", "md": "text/markdown; charset=utf-8"}


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


class Asked(msgspec.Struct, frozen=True):
    """The job that makes a plan; its result names it. `GET /api/jobs/JOB`."""

    job: str


class NewPlan(BaseModel):
    """A plan of this instance's traffic. What is left out is as [plan] of freehold.toml says."""

    model_config = ConfigDict(extra="forbid")

    recorded: bool = Field(False, description="Recorded calls, imported ones too, in place of the ledger's.")
    since: float | None = Field(None, description="Unix seconds: only calls from then on.", allow_inf_nan=False)
    until: float | None = Field(None, description="Unix seconds, excluded; now without it.", allow_inf_nan=False)
    now: str = Field("", max_length=200, description="What serves it now, as provider/model.")
    closed: tuple[str, ...] = Field((), max_length=8, description="Other closed models, as provider/model.")
    hosted: tuple[str, ...] = Field((), max_length=8, description="Open models at hosts, as provider/model.")
    model: str = Field("", max_length=200, description="Open model to own: a public name.")
    gpu: str = Field("", max_length=60, description="Accelerator to own it on.")
    gpus: int | None = Field(None, ge=0, le=64, description="Accelerators of one replica; 0 for the fewest.")
    precision: Precision | None = Field(None, description="Of its weights.")
    months: int | None = Field(None, ge=1, le=120, description="Months to look ahead.")
    day: date | None = Field(None, description="Day whose prices count; today without it.")
    currency: str = Field("", pattern=r"^([A-Z]{3})?$", description="Of the plan's figures.")
    usd_per_unit: Rate | None = Field(None, description="US dollars for one unit of it: low, base, high.")
    skills: bool | None = Field(None, description="Whether there are people who can run models.")
    label: str = Field("", max_length=200, description="Of workflows of whose calls none told a label.")
    assumptions: dict[str, Rising] = Field(default_factory=dict, description="Low, base and high, by name.")


class Otherwise(BaseModel):
    """What of a plan is said otherwise."""

    model_config = ConfigDict(extra="forbid")

    levers: dict[str, float] = Field(default_factory=dict, description="Values of levers, by name.")
    assumptions: dict[str, Rising] = Field(default_factory=dict, description="Low, base and high, by name.")


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """A plan that is kept, whole, with its card and the levers there are."""

    card: Card
    levers: tuple[Lever, ...]
    plan: Plan


class Answered(msgspec.Struct, frozen=True, kw_only=True):
    """A plan decided anew. Nothing of it is kept."""

    draws: int
    """On so many draws it rests."""
    changed: bool
    """False where nothing was said otherwise: then it is the plan itself."""
    levers: tuple[Lever, ...]
    plan: Plan


FORMS = (Answered, Asked, Card, Shown, Sources, Traffic)


@router.get("", responses=described(list[Card]))
def index(instance: Served) -> Response:
    """Every plan that is kept, in short, the newest first."""
    return answer(kept(instance).list())


@router.post("", status_code=202, responses=described(Asked))
def make(new: NewPlan, instance: Served, actor: Planner) -> Response:
    """Have the trainer make a plan of the traffic seen here. The same order over the same calls is the same file."""
    now = instance.clock()
    given = new.model_dump(exclude={"day", "until"})
    day = datetime.fromtimestamp(now, UTC).date() if new.day is None else new.day
    order = Order(day=day.isoformat(), until=now if new.until is None else new.until, **given)
    check(order)
    return _queued(instance, actor, "plan.make", {"order": msgspec.to_builtins(order)})


@router.get("/sources", responses=described(Sources))
def sources(instance: Served) -> Response:
    """What is known of each workflow: label, maturity, who serves it, scorecards; and vendors' papers."""
    with instance.reading() as connection:
        found = known(connection, instance.settings, instance.publisher)
    day = datetime.fromtimestamp(instance.clock(), UTC).date().isoformat()
    return answer(Sources(workflows=found.workflows, papers=found.papers, prices=tuple(found.prices), day=day))


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


@router.get("/{plan}", responses=described(Shown))
def show(plan: str, instance: Served) -> Response:
    """One plan, with the levers that can be pulled."""
    every = kept(instance)
    found, _ = every.plan(plan)
    return answer(Shown(card=every.card(plan), levers=levers(found.inputs), plan=found))


@router.get("/{plan}/file", response_model=None)
def file(plan: str, instance: Served) -> Response:
    """The frozen file, byte for byte: `freehold plan show` reads it anywhere."""
    return Response(kept(instance).data(plan), media_type="application/json", headers={"cache-control": "no-store"})


@router.post("/{plan}/keep", status_code=202, responses=described(Asked))
def keep(plan: str, new: Otherwise, instance: Served, actor: Planner) -> Response:
    """Have the trainer decide a plan anew, on all its draws, and keep it as a plan of its own."""
    found, _ = kept(instance).plan(plan)
    pulled(found.inputs, new.levers, new.assumptions)  # what cannot be done is told now
    return _queued(instance, actor, "plan.keep", {"plan": plan, **new.model_dump(mode="json")})


@router.get("/{plan}/report/{reader}.{form}", response_model=None)
def report(plan: str, reader: Reader, form: Literal["html", "json", "md"], instance: Served) -> Response:
    """A plan as one reader needs it: a file that opens offline."""
    found, digest = kept(instance).plan(plan)
    return Response(drawn(found, digest, reader, form), media_type=_TYPES[form], headers={"cache-control": "no-store"})


@router.post("/{plan}/solve", responses=described(Answered))
def solve(plan: str, new: Otherwise, instance: Served) -> Response:
    """Decide a plan anew with levers pulled: on fewer draws, without simulating a fleet again. Nothing is kept."""
    found, _ = kept(instance).plan(plan)
    made = solved(found, new.levers, new.assumptions)
    return answer(Answered(draws=made.draws, changed=made.changed, levers=levers(made.plan.inputs), plan=made.plan))


def kept(instance: Instance) -> Kept:
    """The plans of an instance."""
    return Kept(instance.home / "plans")


def _queued(instance: Instance, actor: Actor, kind: str, payload: dict[str, object]) -> Response:
    content: dict[str, object] = {"said": exact(payload).decode()}  # figures have fractions, and entries take none
    with instance.noting(actor.name, kind, content) as connection:
        job = jobs.add(connection, instance.new_id(), MAKE, payload | {"by": actor.name}, instance.clock())
        content["job"] = job
    told = answer(Asked(job))
    told.status_code = 202
    return told
