"""Workflows over the management API: what was found, how settled it is, what it costs; finding, naming, merging."""

from __future__ import annotations

from collections import Counter
from typing import Annotated

import msgspec
from fastapi import APIRouter, Depends, Query, Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Connection

from freehold.core.errors import Conflict, Forbidden
from freehold.core.ids import as_text
from freehold.identity.roles import permissions
from freehold.jobs import store as jobs
from freehold.ledger.prices import rented_price
from freehold.moves import store as moves
from freehold.server.actors import Actor, Allowed, Served
from freehold.server.structs import answer, described
from freehold.workflows import edits
from freehold.workflows.exchange import exchange
from freehold.workflows.figures import Figures, figures
from freehold.workflows.known import store
from freehold.workflows.records import Record
from freehold.workflows.shelf import Shelf
from freehold.workflows.store import Which
from freehold.workflows.sums import store as record_sums
from freehold.workflows.types import Workflow

router = APIRouter(prefix="/api/workflows", tags=["workflows"])

READ = [Depends(Allowed("workflows:read"))]
Writer = Annotated[Actor, Depends(Allowed("workflows:write"))]
Reader = Annotated[Actor, Depends(Allowed("workflows:read"))]
DISCOVER = "workflows.discover"


class TemplateView(msgspec.Struct, frozen=True, kw_only=True):
    """One prompt that a workflow's callers use. `system` and `user` are how many word 5-grams of it are kept."""

    number: int
    system: int
    user: int
    tools: tuple[str, ...]
    keys: tuple[str, ...]
    requests: int
    pinned: bool


class WorkflowView(msgspec.Struct, frozen=True, kw_only=True):
    """A workflow with its figures; templates, labels and merged names only where one is shown."""

    workflow: Workflow
    figures: Figures
    templates: tuple[TemplateView, ...] = ()
    labels: dict[str, int] = {}
    """Calls by sensitivity label."""
    merged: tuple[str, ...] = ()
    """Names of workflows that were merged into it, and names it had before."""


class SampleView(msgspec.Struct, frozen=True, kw_only=True):
    """One recorded call in words."""

    id: str
    at: float
    model: str
    system: str
    turns: tuple[tuple[str, str], ...]
    answer: str
    tool_calls: tuple[tuple[str, str], ...]


class Queued(msgspec.Struct, frozen=True):
    """Work the worker does next."""

    job: str


FORMS = (Queued, SampleView, Workflow, WorkflowView)


class Name(BaseModel):
    """A name that a person chose."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1, max_length=64)


class Merge(BaseModel):
    """What to merge into."""

    model_config = ConfigDict(extra="forbid")

    into: str = Field(min_length=1, description="Id or name of the workflow that stays.")


class Split(BaseModel):
    """What to make a workflow of its own."""

    model_config = ConfigDict(extra="forbid")

    templates: list[int] = Field(min_length=1, description="Numbers of templates, from 1, as the workflow lists them.")
    name: str = Field("", max_length=64, description="Name of the new workflow.")


@router.get("", dependencies=READ, responses=described(list[WorkflowView]))
def index(instance: Served) -> Response:
    """Every workflow that stands for itself, the dearest first."""
    with instance.reading() as connection:
        known = store.everything(connection)
        sums = _figures(connection)
    found = [WorkflowView(workflow=one, figures=sums.get(one.id, Figures())) for one in known if not one.into]
    found = [one for one in found if one.figures.calls or one.workflow.renamed]
    return answer(sorted(found, key=lambda one: (-one.figures.cost, -one.figures.calls, one.workflow.id)))


@router.post("/discover", status_code=202, responses=described(Queued))
def discover(instance: Served, actor: Writer) -> Response:
    """Have the worker find workflows in all recorded calls; the job's result counts them. `GET /api/jobs/JOB`."""
    content: dict[str, object] = {}
    with instance.changing(actor.name, "workflows.discover", content) as connection:
        job = jobs.add(connection, instance.new_id(), DISCOVER, {}, instance.clock())
        content["job"] = job
    return _with(answer(Queued(job)), 202)


@router.get("/{name:path}/samples", responses=described(list[SampleView]))
def samples(
    name: str,
    instance: Served,
    actor: Reader,
    limit: Annotated[int, Query(ge=1, le=20)] = 5,
) -> Response:
    """A few of its recorded calls, the same each time. Content, so only for roles that may read bodies."""
    if "bodies:read" not in permissions(actor.role):
        raise Forbidden(f"the role {actor.role!r} may not read what calls hold", hint="use a key with the role owner")
    with instance.reading() as connection:
        found = store.resolve(connection, name)
    instance.note(actor.name, "workflow.samples", {"workflow": found.id})
    records = Shelf(instance.engine, instance.bodies).records(Which(ids=found.samples[:limit]))
    return answer([_sample(one) for one in records] if found.samples else [])


@router.post("/{name:path}/rename", responses=described(Workflow))
def rename(name: str, new: Name, instance: Served, actor: Writer) -> Response:
    """Give it another name; its id stays, the old name leads to it too, and a move under way goes with it."""
    content: dict[str, object] = {"workflow": name, "name": new.name}
    with instance.changing(actor.name, "workflow.rename", content) as connection:
        found = edits.rename(connection, store.resolve(connection, name), new.name)
        content["workflow"] = found.id
    return answer(found)


@router.post("/{name:path}/merge", responses=described(Workflow))
def merge(name: str, other: Merge, instance: Served, actor: Writer) -> Response:
    """Make it part of another, now and after every discovery to come. Refused while either of them moves."""
    content: dict[str, object] = {}
    with instance.changing(actor.name, "workflow.merge", content) as connection:
        gone, into = store.resolve(connection, name), store.resolve(connection, other.into)
        _not_moving(connection, "merged", gone, into)
        content |= {"workflow": gone.id, "into": into.id}
        found = edits.merge(connection, gone, into)
    return answer(found)


@router.post("/{name:path}/split", status_code=201, responses=described(Workflow))
def split(name: str, some: Split, instance: Served, actor: Writer) -> Response:
    """Make a workflow of its own out of some of its templates. Records follow at the next discovery.

    Refused while it moves.
    """
    content: dict[str, object] = {}
    with instance.changing(actor.name, "workflow.split", content) as connection:
        found = store.resolve(connection, name)
        _not_moving(connection, "split", found)
        made = edits.split(connection, found, tuple(some.templates), some.name, instance.clock())
        content |= {"workflow": found.id, "made": made.id}
    return _with(answer(made), 201)


@router.get("/{name:path}", dependencies=READ, responses=described(WorkflowView))
def show(name: str, instance: Served) -> Response:
    """One workflow, by id or name, with its templates and every term of its maturity."""
    with instance.reading() as connection:
        found = store.resolve(connection, name)
        known = store.everything(connection)
        view = WorkflowView(
            workflow=found,
            figures=_figures(connection, found.id).get(found.id, Figures()),
            templates=tuple(_template(*one) for one in enumerate(store.templates(connection, found.id), 1)),
            labels=_labels(connection, found.id),
            merged=tuple(one.name for one in known if one.into == found.id),
        )
    return answer(view)


def _not_moving(connection: Connection, verb: str, *found: Workflow) -> None:
    """What was measured of a workflow is true of its calls as they are. Raises Conflict while one of them moves."""
    for one in found:
        move = moves.under_way(connection, one.id)
        if move is not None:
            hint = f"end that move first: freehold moves rollback {one.name}"
            raise Conflict(f"{one.name} cannot be {verb} while its move {move.id} is {move.stage}", hint=hint)


def _with(told: Response, status: int) -> Response:
    told.status_code = status
    return told


def _figures(connection: Connection, workflow: str = "") -> dict[str, Figures]:
    return figures(record_sums.sums(connection, workflow), rented_price)


def _labels(connection: Connection, workflow: str) -> dict[str, int]:
    """Calls by sensitivity label."""
    found: Counter[str] = Counter()
    for one in record_sums.sums(connection, workflow):
        found[one.label] += one.calls
    return dict(found)


def _template(number: int, one: store.Pinned) -> TemplateView:
    template = one.template
    return TemplateView(
        number=number,
        system=len(template.system) // 8,
        user=len(template.user) // 8,
        tools=template.tools,
        keys=template.keys,
        requests=template.count,
        pinned=one.pinned,
    )


def _sample(one: Record) -> SampleView:
    said = exchange(one)
    return SampleView(
        id=as_text("rec", one.id),
        at=one.at,
        model=one.model,
        system=said.system,
        turns=said.turns,
        answer=said.answer.text,
        tool_calls=tuple((call.name, call.arguments) for call in said.answer.tool_calls),
    )
