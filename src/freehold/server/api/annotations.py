"""People's judgements over the management API: import, list, export; and what to judge next.

What a call holds is for who may read bodies, and reading it is written into the audit.
"""

from __future__ import annotations

import contextlib
from typing import Annotated, Any, Literal

import msgspec
from fastapi import APIRouter, Depends, Query, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Connection

from freehold.core.ids import as_text, from_text
from freehold.evals import store
from freehold.evals.annotations import Annotations, Imported
from freehold.evals.beside import Beside, one_beside
from freehold.evals.contents import Contents
from freehold.evals.queueing import Progress, Todo, by_chance, decided, differing, runs_to_annotate
from freehold.evals.types import Run
from freehold.moves import store as moves
from freehold.server.actors import Actor, Allowed, Served
from freehold.server.api.answers import reader_of
from freehold.server.instance import Instance
from freehold.server.structs import answer, described
from freehold.workflows.known import store as workflows

router = APIRouter(prefix="/api/annotations", tags=["annotations"])

READ = [Depends(Allowed("evals:read"))]
Writer = Annotated[Actor, Depends(Allowed("evals:write"))]
Looker = Annotated[Actor, Depends(Allowed("evals:read"))]
BodyReader = Annotated[Actor, Depends(Allowed("bodies:read"))]
MOST_SKIPPED = 500


class Queue(msgspec.Struct, frozen=True, kw_only=True):
    """Calls that wait for a person's word, the most urgent first, and how far the list is."""

    kind: Literal["answer", "score"]
    workflow: str
    """Id; empty where all workflows were asked for."""
    items: tuple[Todo, ...]
    progress: Progress
    runs: tuple[Run, ...]
    """The evaluations it is made from: the newest of each workflow, or the one that was named."""


FORMS = (Beside, Imported, Queue)


class Lines(BaseModel):
    """Judgements, one JSON object a line."""

    model_config = ConfigDict(extra="forbid")

    who: str = Field(min_length=1, max_length=128, description="Whose judgements they are, where a line does not say.")
    lines: str = Field(description='Such as {"record": "rec_...", "answer": "refund"}, one a line.')


class Judgement(BaseModel):
    """One judgement without its content. Times are Unix seconds."""

    record: str
    kind: str
    target: str
    score: float | None
    who: str
    at: float


@router.get("", dependencies=READ)
def index(
    instance: Served,
    workflow: str = "",
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    newest: bool = False,
) -> list[Judgement]:
    """Judgements, oldest (or `newest`) first, without what they say is right."""
    with instance.reading() as connection:
        found = store.list_annotations(connection, _id(connection, workflow), limit=limit, newest=newest)
    return [
        Judgement(
            record=as_text("rec", one.record), kind=one.kind, target=one.target, score=one.score, who=one.who, at=one.at
        )
        for one in found
    ]


@router.post("", responses=described(Imported))
def add(given: Lines, instance: Served, actor: Writer) -> Response:
    """Take judgements in; what is known already stays as it is, bad lines are told and left out."""
    found = _annotations(instance).add((one.encode() for one in given.lines.splitlines()), given.who, instance.clock())
    told: dict[str, Any] = {"who": given.who, "new": found.new, "refused": found.refused}
    instance.note(actor.name, "annotation.import", told)
    return answer(found)


@router.get("/queue", dependencies=READ, responses=described(Queue))
def queue(
    instance: Served,
    kind: Literal["answer", "score"] = "answer",
    workflow: str = "",
    run: str = "",
    skip: Annotated[list[str] | None, Query(max_length=MOST_SKIPPED)] = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> Response:
    """What to judge next: what is right where answers differ, or how good answers are that were drawn by chance.

    First what a move waits for, then what the newest evaluations left open.
    """
    passed = frozenset(_numbers(skip or []))
    with instance.reading() as connection:
        wanted = _id(connection, workflow)
        runs = [store.load_run(connection, run)] if run else runs_to_annotate(connection, wanted)
        items = _held_up(connection, wanted, passed) if kind == "answer" and not run else []
        done, whole, enough = 0, len(items), 0
        for one in runs:
            room = max(limit - len(items), 0)
            if kind == "answer":
                known = frozenset(each.record for each in items)
                items += [each for each in differing(connection, one, room, passed) if each.record not in known]
                far = decided(connection, one)
            else:
                drawn, far = by_chance(connection, one, room, passed)
                items += drawn
            done, whole, enough = done + far.done, whole + far.whole, enough + far.enough
    progress = Progress(done=done, whole=whole, enough=enough)
    told = Queue(kind=kind, workflow=wanted, items=tuple(items[:limit]), progress=progress, runs=tuple(runs))
    return answer(told)


@router.get("/records/{record}", responses=described(Beside))
def record(record: str, instance: Served, actor: Looker, run: str = "") -> Response:
    """One call to be judged: what was asked, what was recorded, a run's answer to it, and what people said already."""
    if run:
        with instance.reading() as connection:
            run = store.load_run(connection, run).id
    return answer(one_beside(reader_of(instance, actor, record), record, run))


@router.get("/export")
def export(instance: Served, actor: BodyReader, workflow: str = "") -> StreamingResponse:
    """Every judgement with its content, one JSON object a line. Reading them is written into the audit."""
    with instance.reading() as connection:
        found = _id(connection, workflow)
    instance.note(actor.name, "annotation.export", {"workflow": found})
    return StreamingResponse(_annotations(instance).lines(found), media_type="application/x-ndjson")


def _id(connection: Connection, workflow: str) -> str:
    """Of a workflow's id or name; empty for all. Raises NotFound."""
    return workflows.resolve(connection, workflow).id if workflow else ""


def _held_up(connection: Connection, workflow: str, skip: frozenset[bytes]) -> list[Todo]:
    """What moves under way wait for."""
    return [
        Todo(
            record=as_text("rec", each),
            kind="answer",
            workflow=one.plan.workflow,
            move=one.id,
            why=f"the move {one.id} compares no further until somebody says what is right",
        )
        for one in moves.active(connection)
        if not workflow or one.plan.workflow == workflow
        for each in moves.wanted(connection, one.id)
        if each not in skip
    ]


def _numbers(names: list[str]) -> list[bytes]:
    found = []
    for one in names:
        with contextlib.suppress(ValueError):
            found.append(from_text(one))
    return found


def _annotations(instance: Instance) -> Annotations:
    return Annotations(instance.engine, Contents(instance.engine, instance.bodies))
