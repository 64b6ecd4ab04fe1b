"""Moves over the management API: start, look, approve, promote, hold, roll back."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Annotated, Any, Literal

import msgspec
from fastapi import APIRouter, Depends, Query, Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Connection

from freehold.core.ids import as_text
from freehold.core.money import from_pico
from freehold.evals.proof.validity import Health
from freehold.identity.service import KEY_ID
from freehold.jobs import store as jobs
from freehold.ledger import store as ledger
from freehold.ledger.records import CallRecord, Filter, Sorting
from freehold.ledger.usage import store as usage_store
from freehold.moves import desk, store
from freehold.moves.dossier import Evidence, make, opened
from freehold.moves.engines import take_up
from freehold.moves.machine import begin
from freehold.moves.measure import Point, measure
from freehold.moves.outline import Outline, among_all, outline, paired_share
from freehold.moves.outset import SAMPLE, Given, judged, outset
from freehold.moves.page import page
from freehold.moves.savings import savings
from freehold.moves.types import SERVING, Event, Move, Pair, Plan, Rule
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
    sweep: dict[str, list[Any]] = Field(
        default_factory=dict,
        description="Options of the recipe `lora` with several values each: every combination is trained, at most 64, "
        "and the one with the least loss on the lessons held out is taken.",
    )
    first_look: int | None = Field(
        None, ge=1, description="Most calls of the window a candidate is asked before later ones decide; see [moves]."
    )
    rule: dict[str, Any] = Field(default_factory=dict, description="Values of the rule that differ from [moves].")
    despite_immaturity: bool = Field(
        default=False, description="Start although the workflow's prompt has not settled; an exploratory one never is."
    )
    dry_run: bool = Field(default=False, description="Say what would be begun, and begin nothing.")


class PairView(msgspec.Struct, frozen=True, kw_only=True):
    """One call that both sides answered. Scores lie in [0, 1]; `at` is Unix seconds."""

    number: int
    record: str
    call: str
    """Its id among the calls."""
    at: float
    stage: str
    served: str
    """Who answered the caller."""
    candidate: float
    incumbent: float
    valid: bool
    gold: bool
    cost: Decimal
    """US dollars that asking the other side cost."""


class Pairs(msgspec.Struct, frozen=True, kw_only=True):
    """Some pairs of a move; `next` leads on, as `before`; None at the end."""

    pairs: tuple[PairView, ...]
    next: int | None


class Reason(BaseModel):
    """Why somebody does it; kept in the move's events and in the audit."""

    model_config = ConfigDict(extra="forbid")

    why: str = Field("", max_length=512)
    without_proof: bool = Field(default=False, description="Promote only: take the step whatever the evidence says.")


FORMS = (Outline, Event, Pairs, Point)


@router.get("", dependencies=READ, responses=described(list[Outline]))
def index(instance: Served) -> Response:
    """Every move, newest first."""
    with instance.reading() as connection:
        names = {one.id: one.name for one in workflows.everything(connection)}
        return answer(among_all([outline_of(instance, connection, one, names) for one in store.everything(connection)]))


@router.post("", status_code=201, responses=described(Outline))
def start(new: NewMove, instance: Served, actor: Mover) -> Response:
    """Start a move: its rule is written down now, before any outcome is read."""
    content: dict[str, object] = {"workflow": new.workflow}
    if new.dry_run:
        with instance.reading() as connection:
            plan, rule, _ = _outset(connection, instance, new)
            name = workflows.resolve(connection, plan.workflow).name
            return answer(outline(begin("", instance.clock(), rule, plan), measure(rule, ()), name, Health()))
    with instance.changing(actor.name, "move.start", content) as connection:
        plan, rule, maturity = _outset(connection, instance, new)
        act = desk.Act(actor.name, instance.clock())
        move = desk.start(connection, instance.new_id(), rule, plan, act, maturity)
        _prepare(connection, instance, move)
        content |= {"move": move.id, "rule": rule.digest()}
        begun = outline_of(instance, connection, move)
    made = answer(begun)
    made.status_code = 201
    return made


@router.get("/{name}", dependencies=READ, responses=described(Outline))
def show(name: str, instance: Served) -> Response:
    """The newest move of a workflow, or the move of that id."""
    with instance.reading() as connection:
        move = _current(connection, name)
        return answer(outline_of(instance, connection, move))


@router.get("/{name}/events", dependencies=READ, responses=described(list[Event]))
def events(name: str, instance: Served) -> Response:
    """Everything that happened to it, in order."""
    with instance.reading() as connection:
        return answer(store.events(connection, _current(connection, name).id))


@router.get("/{name}/trajectory", dependencies=READ, responses=described(list[Point]))
def trajectory(name: str, instance: Served) -> Response:
    """How the evidence grew, in at most 400 points and the last."""
    with instance.reading() as connection:
        return answer(instance.remembered.trajectory(connection, _current(connection, name), TRAJECTORY_POINTS))


@router.get("/{name}/pairs", dependencies=READ, responses=described(Pairs))
def pairs(
    name: str,
    instance: Served,
    which: Literal["all", "better", "differ", "invalid", "worse"] = "all",
    before: Annotated[int | None, Query(ge=0)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> Response:
    """Calls that both sides answered, newest first, each with its two scores."""
    with instance.reading() as connection:
        move = _current(connection, name)
        found = store.page_of(connection, move.id, which, before, limit + 1)
    more = len(found) > limit
    told = tuple(_shown(number, one) for number, one in found[:limit])
    return answer(Pairs(pairs=told, next=told[-1].number if more else None))


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
        return answer(outline_of(instance, connection, done))


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


def outline_of(instance: Instance, connection: Connection, move: Move, names: dict[str, str] | None = None) -> Outline:
    """A move as it stands now."""
    known = names or {one.id: one.name for one in workflows.everything(connection)}
    name = known.get(move.plan.workflow, move.plan.workflow)
    measured = instance.remembered.measured(connection, move)
    health = store.health(connection, move.id)
    if move.stage not in SERVING:
        return outline(move, measured, name, health)
    lately = Filter(workflow=move.plan.workflow, since=instance.clock() - DAY_SECONDS)
    calls = sum(one.calls for one in usage_store.sums(connection, (), lately, _SORTING) if not one.own)
    delay = instance.remembered.delay(connection, move, paired_share(move))
    return outline(move, measured, name, health, delay, calls / (DAY_SECONDS / 3600))


def _shown(number: int, one: Pair) -> PairView:
    same = ("at", "stage", "served", "candidate", "incumbent", "valid", "gold")
    values: dict[str, Any] = {name: getattr(one, name) for name in same}
    record, call = as_text("rec", one.record), as_text("call", one.record)
    return PairView(number=number, record=record, call=call, cost=from_pico(one.cost), **values)


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
