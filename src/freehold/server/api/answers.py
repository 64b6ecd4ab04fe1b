"""Answers of an evaluation over the management API: candidate and incumbent side by side on the same calls.

Scores are for who may read evaluations; words only for who may read bodies, and reading them is written into the audit.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from fastapi import APIRouter, Depends, Query, Response

from freehold.core.errors import BadRequest
from freehold.core.ids import as_text, from_text
from freehold.evals import store
from freehold.evals.beside import Beside, Reader, beside, one_beside
from freehold.evals.contents import Contents
from freehold.identity.roles import permissions
from freehold.server.actors import Actor, Allowed, Served
from freehold.server.instance import Instance
from freehold.server.structs import answer, described
from freehold.workflows.shelf import Shelf

router = APIRouter(prefix="/api/evals", tags=["evals"])

Looker = Annotated[Actor, Depends(Allowed("evals:read"))]
Which = Literal["all", "better", "differ", "failed", "ungraded", "worse"]
_FIRST = bytes(16)


class Answers(msgspec.Struct, frozen=True, kw_only=True):
    """Some of a run's answers. `next` leads on, as `after`; empty at the end."""

    run: str
    target: str
    counts: dict[str, int]
    """How many there are of each kind."""
    found: tuple[Beside, ...]
    next: str


FORMS = (Answers, Beside)


@router.get("/{run}/answers", responses=described(Answers))
def answers(
    run: str,
    instance: Served,
    actor: Looker,
    which: Which = "differ",
    after: str = "",
    limit: Annotated[int, Query(ge=1, le=20)] = 5,
) -> Response:
    """Both sides of a run's calls, in order of the calls: all, or those that differ, are worse, failed and so on."""
    with instance.reading() as connection:
        found = store.load_run(connection, run)
        rows = store.page_of(connection, run, which, _after(after), limit + 1)
        counts = store.tallies(connection, run)
    more, rows = len(rows) > limit, rows[:limit]
    told = beside(reader_of(instance, actor, found.id), [one.record for one in rows], found.id, rows)
    last = as_text("rec", rows[-1].record) if more else ""
    return answer(Answers(run=found.id, target=found.plan.target, counts=counts, found=tuple(told), next=last))


@router.get("/{run}/answers/{record}", responses=described(Beside))
def one_answer(run: str, record: str, instance: Served, actor: Looker) -> Response:
    """Both sides of one call of a run."""
    with instance.reading() as connection:
        found = store.load_run(connection, run)
    return answer(one_beside(reader_of(instance, actor, record), record, found.id))


def reader_of(instance: Instance, actor: Actor, what: str) -> Reader:
    """Who reads, as the role allows; that words of `what` are read is written into the audit."""
    readable = "bodies:read" in permissions(actor.role)
    if readable:
        instance.note(actor.name, "record.read", {"of": what})
    contents = Contents(instance.engine, instance.bodies)
    return Reader(instance.engine, Shelf(instance.engine, instance.bodies), contents, readable)


def _after(text: str) -> bytes:
    try:
        return from_text(text) if text else _FIRST
    except ValueError:
        raise BadRequest(
            f"{text[:60]!r} is no record", param="after", hint="take `next` of the answer before"
        ) from None
