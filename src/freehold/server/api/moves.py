"""Moves over the management API: start, look, approve, promote, hold, roll back."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Connection

from freehold.moves import desk, store
from freehold.moves.measure import measure
from freehold.moves.outline import Outline, outline
from freehold.moves.outset import outset
from freehold.moves.types import Event, Move, Pair
from freehold.server.actors import Actor, Allowed, Served

router = APIRouter(prefix="/api/moves", tags=["moves"])

READ = [Depends(Allowed("moves:read"))]
Mover = Annotated[Actor, Depends(Allowed("moves:write"))]
FORMS = (Outline, Event, Pair)
TRAJECTORY_POINTS = 400


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
    rule: dict[str, Any] = Field(default_factory=dict, description="Values of the rule that differ from [moves].")


class Reason(BaseModel):
    """Why somebody does it; kept in the move's events and in the audit."""

    model_config = ConfigDict(extra="forbid")

    why: str = Field("", max_length=512)
    without_proof: bool = Field(default=False, description="Promote only: take the step whatever the evidence says.")


@router.get("", dependencies=READ, response_model=None)
def index(instance: Served) -> list[Outline]:
    """Every move, newest first."""
    with instance.reading() as connection:
        return [outline(one, store.pairs_of(connection, one.id)) for one in store.everything(connection)]


@router.post("", status_code=201, response_model=None)
def start(new: NewMove, instance: Served, actor: Mover) -> Outline:
    """Start a move: its rule is written down now, before any outcome is read."""
    content: dict[str, object] = {"workflow": new.workflow}
    with instance.changing(actor.name, "move.start", content) as connection:
        plan, rule = outset(connection, instance, new.model_dump())
        move = desk.start(connection, instance.new_id(), rule, plan, desk.Act(actor.name, instance.clock()))
        content |= {"move": move.id, "rule": rule.digest()}
    return outline(move, [])


@router.get("/{name}", dependencies=READ, response_model=None)
def show(name: str, instance: Served) -> Outline:
    """The newest move of a workflow, or the move of that id."""
    with instance.reading() as connection:
        move = desk.current(connection, name)
        return outline(move, store.pairs_of(connection, move.id))


@router.get("/{name}/events", dependencies=READ, response_model=None)
def events(name: str, instance: Served) -> list[Event]:
    """Everything that happened to it, in order."""
    with instance.reading() as connection:
        return store.events(connection, desk.current(connection, name).id)


@router.get("/{name}/trajectory", dependencies=READ, response_model=None)
def trajectory(name: str, instance: Served) -> list[dict[str, float]]:
    """How the evidence grew, in at most 400 points."""
    with instance.reading() as connection:
        move = desk.current(connection, name)
        pairs = store.pairs_of(connection, move.id)
    every = max(len(pairs) // TRAJECTORY_POINTS, 1)
    at = [*range(every, len(pairs), every), len(pairs)] if pairs else []
    found = [(count, measure(move, pairs[:count])) for count in at]
    return [
        {"pairs": n, "evidence": one.evidence, "alarm": one.alarm, "difference": one.difference} for n, one in found
    ]


@router.post("/{name}/{verb}", response_model=None)
def act(
    name: str, verb: Literal["approve", "promote", "hold", "rollback"], reason: Reason, instance: Served, actor: Mover
) -> Outline:
    """Approve the step that waits, let a held move go on, hold it, or give the traffic back."""
    with instance.changing(actor.name, f"move.{verb}", {"move": name, "why": reason.why}) as connection:
        move = desk.current(connection, name)
        done = _done(connection, move, verb, reason, desk.Act(actor.name, instance.clock(), reason.why))
        return outline(done, store.pairs_of(connection, done.id))


def _done(connection: Connection, move: Move, verb: str, reason: Reason, act: desk.Act) -> Move:
    if verb == "approve":
        return desk.approve(connection, move, act)
    if verb == "promote":
        return desk.promote(connection, move, act, without_proof=reason.without_proof)
    if verb == "hold":
        return desk.hold(connection, move, act)
    return desk.rollback(connection, move, act)
