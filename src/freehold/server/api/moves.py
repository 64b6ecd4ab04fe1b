"""Moves over the management API: start, look, approve, promote, hold, roll back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

import msgspec
from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Connection

from freehold.core.ids import as_text
from freehold.identity.service import KEY_ID
from freehold.jobs import store as jobs
from freehold.ledger import store as ledger
from freehold.ledger.records import CallRecord, Filter, Sorting
from freehold.moves import desk, store
from freehold.moves.dossier import Evidence, make, opened
from freehold.moves.engines import take_up
from freehold.moves.machine import begin
from freehold.moves.measure import trajectory as grown
from freehold.moves.outline import Outline, among_all, outline
from freehold.moves.outset import SAMPLE, Given, judged, outset
from freehold.moves.page import page
from freehold.moves.savings import savings
from freehold.moves.types import Event, Move, Plan, Rule
from freehold.registry.artefacts import Store
from freehold.server.actors import Actor, Allowed, Served
from freehold.server.instance import Instance
from freehold.server.structs import answer, described
from freehold.workflows import store as records
from freehold.workflows.known import store as workflows
from freehold.workflows.shelf import Shelf
from freehold.workflows.store import Which

router = APIRouter(prefix="/api/moves", tags=["moves"])

READ = [Depends(Allowed("moves:read"))]
Mover = Annotated[Actor, Depends(Allowed("moves:write"))]
FORMS = (Outline, Event)
TRAJECTORY_POINTS = 400
DAY_SECONDS = 86400.0
_SORTING = Sorting(own_keys=(KEY_ID,))


class NewMove(BaseModel):
    """A move to be started; the rule's values that are left out come from [moves]."""

    model_config = ConfigDict(extra="forbid")

    workflow: str = Field(description="Id or name of the workflow.")
    recipe: Literal["auto", "classifier", "lora", "prompt", "none"] = Field(
        "auto", description="What makes the candidate; `none` takes `candidate` as it is."
    )
    candidate: str = Field("", description="Target or composite to move to.")
    incumbent: str = Field("", description="Target that serves it now; found from its calls where empty.")
    escalate: float | None = Field(None, ge=0, le=1, description="Confidence under which the incumbent is asked.")
    options: dict[str, Any] = Field(default_factory=dict, description="Of the recipe.")
    first_look: int | None = Field(
        None, ge=1, description="Most calls of the window a candidate is asked before later ones decide; see [moves]."
    )
    rule: dict[str, Any] = Field(default_factory=dict, description="Values of the rule that differ from [moves].")
    despite_immaturity: bool = Field(
        default=False, description="Start although the workflow's prompt has not settled; an exploratory one never is."
    )
    dry_run: bool = Field(default=False, description="Say what would be begun, and begin nothing.")


class Reason(BaseModel):
    """Why somebody does it; kept in the move's events and in the audit."""

    model_config = ConfigDict(extra="forbid")

    why: str = Field("", max_length=512)
    without_proof: bool = Field(default=False, description="Promote only: take the step whatever the evidence says.")


@router.get("", dependencies=READ, responses=described(list[Outline]))
def index(instance: Served) -> Response:
    """Every move, newest first."""
    with instance.reading() as connection:
        names = {one.id: one.name for one in workflows.everything(connection)}
        now = instance.clock()
        return answer(among_all([_outline(connection, one, now, names) for one in store.everything(connection)]))


@router.post("", status_code=201, responses=described(Outline))
def start(new: NewMove, instance: Served, actor: Mover) -> Response:
    """Start a move: its rule is written down now, before any outcome is read."""
    content: dict[str, object] = {"workflow": new.workflow}
    if new.dry_run:
        with instance.reading() as connection:
            plan, rule, _ = _outset(connection, instance, new)
            return answer(_outline(connection, begin("", instance.clock(), rule, plan), instance.clock()))
    with instance.changing(actor.name, "move.start", content) as connection:
        plan, rule, maturity = _outset(connection, instance, new)
        act = desk.Act(actor.name, instance.clock())
        move = desk.start(connection, instance.new_id(), rule, plan, act, maturity)
        _prepare(connection, instance, move)
        content |= {"move": move.id, "rule": rule.digest()}
        begun = _outline(connection, move, instance.clock())
    made = answer(begun)
    made.status_code = 201
    return made


@router.get("/{name}", dependencies=READ, responses=described(Outline))
def show(name: str, instance: Served) -> Response:
    """The newest move of a workflow, or the move of that id."""
    with instance.reading() as connection:
        move = _current(connection, name)
        return answer(_outline(connection, move, instance.clock()))


@router.get("/{name}/events", dependencies=READ, responses=described(list[Event]))
def events(name: str, instance: Served) -> Response:
    """Everything that happened to it, in order."""
    with instance.reading() as connection:
        return answer(store.events(connection, _current(connection, name).id))


@router.get("/{name}/trajectory", dependencies=READ, responses=described(list[dict[str, float]]))
def trajectory(name: str, instance: Served) -> Response:
    """How the evidence grew, in at most 400 points."""
    with instance.reading() as connection:
        move = _current(connection, name)
        pairs = store.pairs_of(connection, move.id)
    points = grown(move.rule, pairs, TRAJECTORY_POINTS)
    names = ("pairs", "evidence", "alarm", "difference")
    return answer([{name: float(getattr(one, name)) for name in names} for one in points])


@router.get("/{name}/wanted", dependencies=READ, responses=described(list[str]))
def wanted(name: str, instance: Served) -> Response:
    """Records that a person must annotate before comparing goes on: the two sides differ on them."""
    with instance.reading() as connection:
        found = store.wanted(connection, _current(connection, name).id)
    return answer([as_text("rec", one) for one in found])


@router.get("/{name}/dossier", dependencies=READ, response_model=None)
def dossier(name: str, instance: Served) -> Response:
    """The signed file that says why it was allowed."""
    return Response(_dossier(name, instance), media_type="application/json")


@router.get("/{name}/dossier.html", dependencies=READ, response_model=None)
def dossier_page(name: str, instance: Served) -> Response:
    """The same as a page for people."""
    content, key, _ = opened(_dossier(name, instance))
    return Response(page(content, key), media_type="text/html; charset=utf-8")


@router.post("/{name}/{verb}", responses=described(Outline))
def act(
    name: str, verb: Literal["approve", "promote", "hold", "rollback"], reason: Reason, instance: Served, actor: Mover
) -> Response:
    """Approve the step that waits, let a held move go on, hold it, or give the traffic back."""
    with instance.changing(actor.name, f"move.{verb}", {"move": name, "why": reason.why}) as connection:
        move = _current(connection, name)
        done = _done(connection, move, verb, reason, desk.Act(actor.name, instance.clock(), reason.why))
        if verb == "promote":
            take_up(instance.home, Store(instance.home / "store", instance.identity), done)
        if not done.ended and done.stage in ("observed", "evaluated", "tuned") and verb != "hold":
            _prepare(connection, instance, done)
        return answer(_outline(connection, done, instance.clock()))


def _dossier(name: str, instance: Instance) -> bytes:
    now = instance.clock()
    with instance.reading() as connection:
        move = _current(connection, name)
        pairs = store.pairs_of(connection, move.id)
        saved = savings(move, _served(connection, move), pairs, now)
        found = workflows.resolve(connection, move.plan.workflow)
        events = store.events(connection, move.id)
    artefact: dict[str, Any] = {}
    if move.artefact:
        artefact = msgspec.to_builtins(Store(instance.home / "store", instance.identity).show(move.artefact))
    evidence = Evidence(
        move=move, workflow_name=found.name, events=events, pairs=pairs, artefact=artefact, savings=saved
    )
    return make(evidence, instance.identity, now)


def _served(connection: Connection, move: Move) -> Iterator[CallRecord]:
    """Calls of the workflow since its cut-over, Freehold's own left out."""
    wanted = Filter(workflow=move.plan.workflow, since=move.cut_over)
    found = ledger.export_calls(connection, wanted) if move.cut_over is not None else ()
    return (one.call for one in found if one.call.key_id != KEY_ID)


def _outset(connection: Connection, instance: Instance, new: NewMove) -> tuple[Plan, Rule, dict[str, Any]]:
    """Plan and rule, from what the workflow's latest calls show, and its maturity."""
    found = workflows.resolve(connection, new.workflow)
    maturity = judged(found, despite=new.despite_immaturity)
    ids = records.latest(connection, Which(workflow=found.id, answered=True), SAMPLE)
    sample = [one for one in Shelf(instance.engine, instance.bodies).records(Which(ids=ids)) if not one.owned]
    wish = new.model_dump(exclude={"despite_immaturity", "dry_run"})
    given = Given(**{**wish, "workflow": found.id, "name": found.name})
    routes = instance.publisher.routes(instance.settings)
    return *outset(given, sample, routes, instance.settings.moves, instance.clock()), maturity


def _prepare(connection: Connection, instance: Instance, move: Move) -> None:
    """Have the trainer take it from here."""
    jobs.add(connection, instance.new_id(), "moves.prepare", {"move": move.id}, instance.clock())


def _outline(connection: Connection, move: Move, now: float, names: dict[str, str] | None = None) -> Outline:
    known = names or {one.id: one.name for one in workflows.everything(connection)}
    lately = ledger.usage(connection, (), Filter(workflow=move.plan.workflow, since=now - DAY_SECONDS), _SORTING)
    rate = sum(one.calls for one in lately if not one.own) / (DAY_SECONDS / 3600)
    name = known.get(move.plan.workflow, move.plan.workflow)
    return outline(move, store.pairs_of(connection, move.id), name, rate)


def _current(connection: Connection, name: str) -> Move:
    """By the move's own id, or by the workflow's id or name."""
    return desk.current(connection, name if name.startswith("mv_") else workflows.resolve(connection, name).id)


def _done(connection: Connection, move: Move, verb: str, reason: Reason, act: desk.Act) -> Move:
    if verb == "approve":
        return desk.approve(connection, move, act)
    if verb == "promote":
        return desk.promote(connection, move, act, without_proof=reason.without_proof)
    if verb == "hold":
        return desk.hold(connection, move, act)
    return desk.rollback(connection, move, act)
