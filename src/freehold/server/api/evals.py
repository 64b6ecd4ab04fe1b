"""Evaluations over the management API: start, look, go on, draw, and search among what was measured."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from fastapi import APIRouter, Depends, Query, Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Connection

from freehold.core.errors import Conflict, NotFound
from freehold.core.ids import as_text
from freehold.core.section import Money
from freehold.evals import store
from freehold.evals.contents import Contents
from freehold.evals.drawing import page, remarks, sentence
from freehold.evals.jobs import JUDGE, RUN
from freehold.evals.proof.noninferiority import Rule
from freehold.evals.scorecards import Scorecard
from freehold.evals.search import Bounds, Searched, policies, search
from freehold.evals.sheets import comparable, sheet_of
from freehold.evals.types import Plan, Run
from freehold.grading.choose import MOST, spec_for
from freehold.grading.registry import check
from freehold.grading.types import Spec
from freehold.jobs import store as jobs
from freehold.moves import store as moves
from freehold.server.actors import Actor, Allowed, Served
from freehold.server.instance import Instance
from freehold.server.structs import answer, described
from freehold.workflows.exchange import exchange
from freehold.workflows.known import store as workflows
from freehold.workflows.shelf import Shelf
from freehold.workflows.store import Which

router = APIRouter(prefix="/api/evals", tags=["evals"])

READ = [Depends(Allowed("evals:read"))]
Writer = Annotated[Actor, Depends(Allowed("evals:write"))]


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """A run with what came of it so far."""

    run: Run
    graded: int
    scorecard: Scorecard | None
    job: str = ""
    """The job that does it, where one was queued just now."""
    says: str = ""
    """The scorecard in one sentence; empty while there is none."""
    remarks: tuple[str, ...] = ()
    """What to know beside it: what failed, what counts for neither side, what is not priced."""


FORMS = (Run, Shown, Searched)


class NewRun(BaseModel):
    """An evaluation to be started. Times are Unix seconds."""

    model_config = ConfigDict(extra="forbid")

    workflow: str = Field(min_length=1, description="Id or name of the workflow.")
    target: str = Field(min_length=1, description="Target or composite to evaluate.")
    grader: str = Field("", description="Name of the grader; chosen from the answers' shape where empty.")
    options: dict[str, Any] = Field(default_factory=dict, description="Of the grader.")
    reference: Literal["incumbent", "annotations"] = Field("incumbent", description="What answers are graded against.")
    since: float | None = None
    until: float | None = None
    limit: int = Field(1000, ge=1, le=100_000, description="Most calls, the latest ones.")
    incumbent: str = Field("", description="Target asked once more about some calls, to measure its own noise.")
    noise: int = Field(100, ge=0, le=10_000, description="How many calls those are.")
    timeout: float = Field(120.0, gt=0, le=3600, description="Seconds until an answer counts as none.")
    budget: Money | None = Field(None, description="US dollars it may spend.")
    embedder: str = Field("", description="Target that embeds, for the grader `embedding`.")


class Resumption(BaseModel):
    """How a run goes on."""

    model_config = ConfigDict(extra="forbid")

    budget: Money | None = Field(None, description="US dollars it may spend in all; as before where left out.")


class NewJudging(BaseModel):
    """A model judge to be put to work on an evaluation, and measured against people's scores."""

    model_config = ConfigDict(extra="forbid")

    judge: str = Field(min_length=1, description="Target that judges; not the candidate.")
    rubric: str = Field("", max_length=2000, description="What it judges by; correctness and form where empty.")
    limit: int = Field(500, ge=30, le=10_000, description="Most answers it judges.")


class Queued(BaseModel):
    """The job that does it; see /api/jobs."""

    job: str


class NewSearch(BaseModel):
    """A search among the candidates that were evaluated."""

    model_config = ConfigDict(extra="forbid")

    workflow: str = Field(min_length=1)
    kinds: tuple[Literal["single", "agreement", "confidence"], ...] = ("agreement", "single")
    thresholds: tuple[float, ...] = Field((0.5, 0.7, 0.8, 0.9, 0.95, 0.99), description="Of `confidence`.")
    margin: float = Field(0.03, gt=0, lt=1, description="Greatest acceptable loss of mean score.")
    alpha: float = Field(0.05, gt=0, lt=1, description="Of the whole search.")
    cost: float | None = Field(None, ge=0, description="US dollars a call may cost on average.")
    latency: float | None = Field(None, ge=0, description="Seconds, 95th percentile.")


@router.get("", dependencies=READ, responses=described(list[Run]))
def index(instance: Served, workflow: str = "", limit: Annotated[int, Query(ge=1, le=500)] = 50) -> Response:
    """Evaluations, newest first."""
    with instance.reading() as connection:
        wanted = workflows.resolve(connection, workflow).id if workflow else ""
        return answer(store.list_runs(connection, wanted, limit))


@router.post("", responses=described(Shown))
def start(new: NewRun, instance: Served, actor: Writer) -> Response:
    """Start an evaluation; the worker does it."""
    with instance.reading() as connection:
        workflow = workflows.resolve(connection, new.workflow).id
        _must_be_there(connection, instance, new.target, new.incumbent, new.embedder)
    spec = Spec(new.grader, new.options) if new.grader else _proposed(instance, workflow)
    check(spec)
    plan = Plan(
        grader=spec,
        budget="" if new.budget is None else str(new.budget),
        **{**new.model_dump(exclude={"grader", "options", "budget"}), "workflow": workflow},
    )
    run = Run(id=as_text("ev", instance.new_id()), at=instance.clock(), plan=plan, actor=actor.name)
    content: dict[str, object] = {"run": run.id, "workflow": plan.workflow, "target": plan.target}
    with instance.changing(actor.name, "eval.start", content) as connection:
        store.add_run(connection, run)
        job = _queue(connection, instance, run.id)
    return answer(Shown(run=run, graded=0, scorecard=None, job=job))


@router.post("/search", dependencies=READ, responses=described(Searched))
def find(wanted: NewSearch, instance: Served) -> Response:
    """The best single model or pair among the evaluated candidates of a workflow, with the search paid for."""
    with instance.reading() as connection:
        workflow = workflows.resolve(connection, wanted.workflow).id
    runs = comparable(instance.engine, workflow)
    sheet, spec = sheet_of(instance.engine, _shelf(instance), Contents(instance.engine, instance.bodies), runs)
    tried = policies(sorted(sheet.models), wanted.kinds, wanted.thresholds)
    bounds = Bounds(cost=wanted.cost, latency=wanted.latency)
    return answer(search(sheet, spec, tried, Rule(margin=wanted.margin, alpha=wanted.alpha), bounds))


@router.get("/{run}", dependencies=READ, responses=described(Shown))
def show(run: str, instance: Served) -> Response:
    """One evaluation with its scorecard."""
    with instance.reading() as connection:
        found = store.load_run(connection, run)
        graded = store.graded(connection, run)
        card = _card(connection, run)
    if card is None:
        return answer(Shown(run=found, graded=graded, scorecard=None))
    notes = tuple(remarks(card))
    return answer(Shown(run=found, graded=graded, scorecard=card, says=sentence(card), remarks=notes))


@router.get("/{run}/page", dependencies=READ)
def drawn(run: str, instance: Served) -> Response:
    """The scorecard as one HTML file that loads nothing."""
    with instance.reading() as connection:
        card = _card(connection, run)
    if card is None:
        raise NotFound(f"{run} has no scorecard yet", hint=f"see how far it is: freehold evals show {run}")
    return Response(page(card), media_type="text/html; charset=utf-8", headers={"cache-control": "no-store"})


@router.post("/{run}/resume", responses=described(Shown))
def resume(run: str, how: Resumption, instance: Served, actor: Writer) -> Response:
    """Go on with an evaluation that stopped or failed; nothing that was graded is asked again."""
    content: dict[str, object] = {"run": run}
    with instance.changing(actor.name, "eval.resume", content) as connection:
        found = store.load_run(connection, run)
        if found.state in ("done", "running"):
            raise Conflict(f"{run} is {found.state}", hint=f"see it: freehold evals show {run}")
        if how.budget is not None:
            found = msgspec.structs.replace(found, plan=msgspec.structs.replace(found.plan, budget=str(how.budget)))
        found = msgspec.structs.replace(found, state="waiting", error="", ended_at=None)
        store.keep_run(connection, found)
        job = _queue(connection, instance, run)
        graded = store.graded(connection, run)
    return answer(Shown(run=found, graded=graded, scorecard=None, job=job))


@router.post("/{run}/judge")
def judge(run: str, how: NewJudging, instance: Served, actor: Writer) -> Queued:
    """Have a judge score the candidate's answers. Its job ends with a number, or with why the judge is refused."""
    content: dict[str, object] = {"run": run, "judge": how.judge}
    with instance.changing(actor.name, "eval.judge", content) as connection:
        found = store.load_run(connection, run)
        _must_be_there(connection, instance, how.judge)
        if how.judge == found.plan.target:
            raise Conflict("a candidate does not judge itself", hint="name another target")
        payload = {"run": found.id, **how.model_dump()}
        return Queued(job=jobs.add(connection, instance.new_id(), JUDGE, payload, instance.clock()))


def _must_be_there(connection: Connection, instance: Instance, *names: str) -> None:
    """Raises NotFound for a name that is no target and no composite; empty ones are passed over."""
    routes = instance.publisher.routes(instance.settings, moves.active(connection))
    known = {one.name for one in routes.targets} | {one.name for one in routes.composites}
    for name in names:
        if name and name not in known:
            raise NotFound(f"there is no target or composite {name!r}", hint=f"there are {', '.join(sorted(known))}")


def _queue(connection: Connection, instance: Instance, run: str) -> str:
    return jobs.add(connection, instance.new_id(), RUN, {"run": run}, instance.clock())


def _card(connection: Connection, run: str) -> Scorecard | None:
    text = store.scorecard_of(connection, run)
    return msgspec.json.decode(text, type=Scorecard) if text else None


def _shelf(instance: Instance) -> Shelf:
    return Shelf(instance.engine, instance.bodies)


def _proposed(instance: Instance, workflow: str) -> Spec:
    found = _shelf(instance).records(Which(workflow=workflow, answered=True))
    return spec_for(exchange(one) for one, _ in zip(found, range(MOST), strict=False))
