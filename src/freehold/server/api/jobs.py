"""Background jobs, over the management API."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Response

from freehold.core.errors import NotFound
from freehold.jobs import store
from freehold.jobs.types import Job
from freehold.server.actors import Allowed, Served
from freehold.server.structs import answer, described

router = APIRouter(prefix="/api/jobs", tags=["jobs"], dependencies=[Depends(Allowed("status:read"))])

FORMS = (Job,)
State = Literal["", "ready", "running", "done", "failed"]


@router.get("", responses=described(list[Job]))
def index(instance: Served, state: State = "", limit: Annotated[int, Query(ge=1, le=500)] = 50) -> Response:
    """Jobs, newest first; done ones stay for a week, failed ones for good."""
    with instance.reading() as connection:
        return answer(store.list_jobs(connection, state, limit))


@router.get("/{job}", responses=described(Job))
def show(job: str, instance: Served) -> Response:
    """One job with its result."""
    with instance.reading() as connection:
        try:
            found = store.find(connection, job)
        except ValueError:
            found = None
    if found is None:
        raise NotFound(f"there is no job {job!r}")
    return answer(found)
