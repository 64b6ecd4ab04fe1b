"""What happened, over the management API: calls, their attempts, and the bodies that were kept."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

import msgspec
from fastapi import APIRouter, Depends, Query, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Connection

from freehold.core.errors import NotFound
from freehold.core.ids import from_text
from freehold.ledger import store
from freehold.ledger.capture import erase_call
from freehold.ledger.errors import Held
from freehold.ledger.records import CallDetail, CallRecord, Filter, Page
from freehold.server.actors import Actor, Allowed, Served
from freehold.server.instance import Instance
from freehold.server.structs import answer, described
from freehold.workflows.known import store as workflows

router = APIRouter(prefix="/api/calls", tags=["calls"])

READ = [Depends(Allowed("calls:read"))]
BodyReader = Annotated[Actor, Depends(Allowed("bodies:read"))]
Eraser = Annotated[Actor, Depends(Allowed("bodies:erase"))]


class Tail(msgspec.Struct, frozen=True):
    """Calls that ended after a leaf, oldest first, and the leaf to ask with next."""

    calls: tuple[CallRecord, ...]
    leaf: int


FORMS = (CallDetail, Page, Tail)


class CallErasure(BaseModel):
    """Why bodies are erased; kept in the audit."""

    model_config = ConfigDict(extra="forbid")

    why: str = Field(min_length=1, max_length=128)


class Erased(BaseModel):
    """How many bodies are gone."""

    bodies: int


class Wanted(BaseModel):
    """Which calls; `workflow` is an id or a name. Times are Unix seconds, `until` excluded."""

    key: str = ""
    team: str = ""
    route: str = ""
    target: str = ""
    workflow: str = ""
    outcome: str = ""
    since: float | None = None
    until: float | None = None

    def filter(self, connection: Connection) -> Filter:
        """As the ledger takes it. Raises NotFound for a workflow that nobody knows."""
        workflow, same = _workflow(connection, self.workflow) if self.workflow else ("", ())
        return Filter(
            key_id=self.key,
            team=self.team,
            route=self.route,
            target=self.target,
            workflow=workflow,
            same=same,
            outcome=self.outcome,
            since=self.since,
            until=self.until,
        )


def _workflow(connection: Connection, name: str) -> tuple[str, tuple[str, ...]]:
    """Its id and what else its calls are recorded under; the name alone where callers use it and nothing was found."""
    try:
        return workflows.same_as(connection, name)
    except NotFound:
        if not store.any_call_of(connection, name):
            raise
        return name, ()


Limit = Annotated[int, Query(ge=1, le=500)]
Which = Annotated[Wanted, Depends()]


@router.get("", dependencies=READ, responses=described(Page))
def index(
    instance: Served, which: Which, cursor: str = "", limit: Annotated[int, Query(ge=1, le=500)] = 50
) -> Response:
    """Calls, newest first."""
    with instance.reading() as connection:
        return answer(store.list_calls(connection, which.filter(connection), cursor, limit))


@router.get("/tail", dependencies=READ, responses=described(Tail))
def tail(instance: Served, which: Which, leaf: int | None = None, last: Annotated[int, Query(ge=0)] = 0) -> Response:
    """Calls that ended after `leaf`; without one, the `last` calls and the leaf to go on from."""
    with instance.reading() as connection:
        wanted = which.filter(connection)
        if leaf is None:
            end = store.last_leaf(connection)
            recent = store.list_calls(connection, wanted, "", last).calls if last else ()
            return answer(Tail(tuple(sorted(recent, key=lambda one: one.leaf)), end))
        found = store.calls_after(connection, leaf, wanted)
        return answer(Tail(tuple(found), found[-1].leaf if found else leaf))


@router.get("/export", dependencies=READ)
def export(instance: Served, which: Which) -> StreamingResponse:
    """Every call that matches, oldest first, one JSON object a line."""
    with instance.reading() as connection:
        wanted = which.filter(connection)
    return StreamingResponse(_lines(instance, wanted), media_type="application/x-ndjson")


@router.get("/{call}", dependencies=READ, responses=described(CallDetail))
def show(call: str, instance: Served) -> Response:
    """One call with its attempts."""
    with instance.reading() as connection:
        return answer(store.show_call(connection, call))


@router.get("/{call}/bodies/{side}")
def body(call: str, side: Literal["request", "response"], instance: Served, actor: BodyReader) -> Response:
    """A body that was kept. Reading one is written into the audit."""
    with instance.reading() as connection:
        digest = store.body_digests(connection, call).get(side)
    if digest is None:
        raise NotFound(f"no {side} body of {call} is kept", hint="set capture on its route, for calls to come")
    data = instance.bodies.open(digest)
    instance.note(actor.name, "body.read", {"call": call, "side": side})
    return Response(data, media_type="application/octet-stream")


@router.post("/{call}/erase")
def erase(call: str, why: CallErasure, instance: Served, actor: Eraser) -> Erased:
    """Erase the bodies of a call; what it cost stays. A legal hold refuses it."""
    with instance.reading() as connection:
        store.show_call(connection, call)
    try:
        count = erase_call(instance.engine, instance.bodies, from_text(call), why.why, instance.clock())
    except Held as error:
        instance.note(actor.name, "erase.refused", {"call": call, "why": why.why, "reason": error.message})
        raise
    instance.note(actor.name, "body.erase", {"call": call, "why": why.why, "bodies": count})
    return Erased(bodies=count)


def _lines(instance: Instance, wanted: Filter) -> Iterator[bytes]:
    encode = msgspec.json.Encoder().encode
    with instance.reading() as connection:
        for one in store.export_calls(connection, wanted):
            yield encode(one) + b"\n"
