"""Discovery over the shelf: find workflows, keep their identities, assign every record. Jobs that may be run again.

What is found is written in one transaction, so a run that is killed leaves the last one's result.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext

import numpy as np
from sqlalchemy import Connection, Engine

from freehold.core.clock import Clock
from freehold.core.db import reading, writing
from freehold.gateway.assign import Assigner
from freehold.gateway.prompt import prompt_of
from freehold.jobs.pool import InProcess, Pool
from freehold.jobs.types import Beat, Kind, Payload
from freehold.workflows import store as records
from freehold.workflows.described import described
from freehold.workflows.grouping import Found, group
from freehold.workflows.identities import Known, Settled, settle
from freehold.workflows.known import store
from freehold.workflows.outlines import outlines, part_outlines
from freehold.workflows.publish import content
from freehold.workflows.records import Record
from freehold.workflows.shelf import Shelf
from freehold.workflows.store import Which
from freehold.workflows.types import Workflow

_AT_ONCE = 500


class ShelfSource:
    """The shelf as discovery reads it. What comes in between the passes is found in the second and counts."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf

    def records(self) -> Iterator[Record]:
        """Every record."""
        return self._shelf.records(Which())

    def some(self, ids: Iterable[bytes]) -> Iterator[Record]:
        """The records of these ids whose content is still there."""
        wanted = sorted(ids)
        for at in range(0, len(wanted), _AT_ONCE):
            yield from self._shelf.records(Which(ids=tuple(wanted[at : at + _AT_ONCE])))


Moving = Callable[[Connection], frozenset[str]]
"""Ids of workflows that are being moved: what was proven of one stays true only while it stays what it is."""


def nothing_moves(_connection: Connection) -> frozenset[str]:
    """Where there are no moves."""
    return frozenset()


def discover(
    engine: Engine,
    shelf: Shelf,
    clock: Clock,
    beat: Beat = lambda _progress: None,
    moving: Moving = nothing_moves,
    pool: Pool | None = None,
) -> Payload:
    """Find the workflows in all records. The result counts workflows, records, and those newly assigned.

    Workflows that are `moving` keep their templates, as if a person had pinned them, and are absorbed by none. `pool`
    reads texts; without one that is done here.
    """
    now = clock()
    found = group(ShelfSource(shelf), beat=lambda what, done: beat({"step": what, "done": done}), pool=pool)
    beat({"step": "identities", "done": len(found.groups)})
    outline, parts = outlines(found), part_outlines(found)
    with writing(engine) as connection:
        stored = store.everything(connection)
        still = moving(connection)
        held = store.templates(connection)
        templates = tuple((one.template, one.pinned or one.template.workflow in still) for one in held)
        settled = settle(found, outline, parts, Known(workflows=stored, templates=templates, still=still))
        kept = described(found, settled, stored, now)
        changed = _write(connection, found, settled, kept, still)
    verdicts = [one.maturity.verdict for one in kept if one.maturity is not None and one.found_at == now]
    return {
        "workflows": len(settled.ids),
        "records": len(found.mined.at),
        "assigned": changed,
        "mature": verdicts.count("mature"),
    }


def _write(connection: Connection, found: Found, settled: Settled, kept: list[Workflow], still: frozenset[str]) -> int:
    store.keep(connection, kept)
    store.keep_templates(connection, settled.templates, still)
    places = {name: place for place, name in enumerate(found.mined.names)}
    wanted = np.array([places.get(one, -1) for one in settled.ids], np.int64)
    moved: list[int] = []
    if len(settled.label):
        moved = np.flatnonzero(wanted[settled.label] != found.mined.before).tolist()
    pairs = [(found.mined.id(one), settled.ids[int(settled.label[one])]) for one in moved]
    records.assign(connection, pairs)
    return len(pairs)


def assign_new(engine: Engine, shelf: Shelf, beat: Beat = lambda _progress: None) -> int:
    """Assign records of no workflow as the gateway would; how many found theirs. The others wait for `discover`."""
    with reading(engine) as connection:
        assigner = Assigner(content(connection))
        ids = {one.id for one in store.everything(connection)}
    done = 0
    batch: list[tuple[bytes, str]] = []

    def flush() -> int:
        with writing(engine) as connection:
            records.assign(connection, batch)
        count = len(batch)
        batch.clear()
        return count

    for one in shelf.records(Which(unassigned=True)):
        owner = assigner.named(one.workflow) if one.workflow else assigner.match(prompt_of(one.request)).workflow
        if owner in ids:
            batch.append((one.id, owner))
        if len(batch) >= _AT_ONCE:
            done += flush()
            beat({"step": "assigned", "done": done})
    return done + flush()


def kinds(
    engine: Engine,
    shelf: Shelf,
    clock: Clock,
    publish: Callable[[], None] = lambda: None,
    moving: Moving = nothing_moves,
    pool: Callable[[], AbstractContextManager[Pool]] = lambda: nullcontext(InProcess()),
) -> tuple[Kind, ...]:
    """The worker's jobs: `workflows.assign` for what came in lately, `workflows.discover` for everything.

    `publish` has the data plane go by what was found.
    """

    def assign(_payload: Payload, beat: Beat) -> Payload:
        return {"assigned": assign_new(engine, shelf, beat)}

    def find(_payload: Payload, beat: Beat) -> Payload:
        with pool() as readers:
            result = discover(engine, shelf, clock, beat, moving, readers)
        publish()
        return result

    return (
        Kind("workflows.assign", assign, lease_seconds=300.0),
        Kind("workflows.discover", find, lease_seconds=300.0),
    )
