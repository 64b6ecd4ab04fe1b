"""Callers' batches over the management API: how far they are, and their end; nothing of what is in them."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Response
from sqlalchemy import Connection

from freehold.batches import store
from freehold.batches.operating import BatchStanding, cancel, named, standing
from freehold.batches.types import Batch
from freehold.server.actors import Actor, Allowed, Served
from freehold.server.structs import answer, described

router = APIRouter(prefix="/api/batches", tags=["batches"])

FORMS = (BatchStanding,)
READ = [Depends(Allowed("calls:read"))]
Stopper = Annotated[Actor, Depends(Allowed("keys:write"))]
Status = Literal[
    "", "open", "validating", "in_progress", "finalizing", "cancelling", "completed", "failed", "expired", "cancelled"
]


@router.get("", dependencies=READ, responses=described(list[BatchStanding]))
def index(instance: Served, status: Status = "", limit: Annotated[int, Query(ge=1, le=500)] = 50) -> Response:
    """Batches of all keys, newest first; `open` are those that have not ended."""
    with instance.reading() as connection:
        return answer([_shown(connection, one) for one in store.every_batch(connection, status, limit)])


@router.get("/{batch}", dependencies=READ, responses=described(BatchStanding))
def show(batch: str, instance: Served) -> Response:
    """One batch."""
    with instance.reading() as connection:
        return answer(_shown(connection, named(connection, batch)))


@router.post("/{batch}/cancel", responses=described(BatchStanding))
def stop(batch: str, instance: Served, actor: Stopper) -> Response:
    """Ask no further line of a batch; what was answered stays, and lines under way are answered."""
    with instance.noting(actor.name, "batch.cancel", {"batch": batch}) as connection:
        return answer(_shown(connection, cancel(connection, named(connection, batch), instance.clock())[0]))


def _shown(connection: Connection, batch: Batch) -> BatchStanding:
    return standing(batch, store.passage_of(connection, batch.id))
