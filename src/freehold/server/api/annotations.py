"""People's judgements over the management API: import, list, export."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Connection

from freehold.core.ids import as_text
from freehold.evals import store
from freehold.evals.annotations import Annotations, Imported
from freehold.evals.contents import Contents
from freehold.server.actors import Actor, Allowed, Served
from freehold.server.instance import Instance
from freehold.server.structs import answer, described
from freehold.workflows.known import store as workflows

router = APIRouter(prefix="/api/annotations", tags=["annotations"])

READ = [Depends(Allowed("evals:read"))]
Writer = Annotated[Actor, Depends(Allowed("evals:write"))]
BodyReader = Annotated[Actor, Depends(Allowed("bodies:read"))]
FORMS = (Imported,)


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
def index(instance: Served, workflow: str = "", limit: Annotated[int, Query(ge=1, le=1000)] = 100) -> list[Judgement]:
    """Judgements, oldest first, without what they say is right."""
    with instance.reading() as connection:
        found = store.list_annotations(connection, _id(connection, workflow), limit=limit)
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


def _annotations(instance: Instance) -> Annotations:
    return Annotations(instance.engine, Contents(instance.engine, instance.bodies))
