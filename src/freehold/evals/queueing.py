"""What people are asked to annotate next. Two lists, because two things are learned from them.

`answer`: calls on which the two sides differ; what is right there decides between them (where they agree, whatever is
right, the difference is nothing). `score`: how good a candidate's answers are; drawn by chance, since a judge is only
measured by answers that were not picked for how good they are, out of those that it judges.
"""

from __future__ import annotations

import hashlib
from heapq import nsmallest
from typing import Literal

import msgspec
from sqlalchemy import Connection

from freehold.core.ids import as_text
from freehold.evals import store
from freehold.evals.judges import LEAST_LABELS
from freehold.evals.types import Run

Kind = Literal["answer", "score"]
POOL = 500
"""The latest answers that scores are drawn from: as many as a judge looks at, unless it is told otherwise."""


class Todo(msgspec.Struct, frozen=True, kw_only=True):
    """One call that waits for a person's word."""

    record: str
    kind: Kind
    workflow: str
    run: str = ""
    target: str = ""
    """Whose answer stands beside the recorded one, or is scored; empty where only the recorded one is kept."""
    move: str = ""
    """The move that waits for it."""
    why: str


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """How far one list is. `enough` is where its use begins; 0 where each word helps by itself."""

    done: int
    whole: int
    enough: int = 0


def runs_to_annotate(connection: Connection, workflow: str = "") -> list[Run]:
    """The newest evaluation of each workflow that ended with answers, newest first."""
    found: dict[str, Run] = {}
    for one in store.list_runs(connection, workflow):
        if one.state == "done" and one.examples:
            found.setdefault(one.plan.workflow, one)
    return list(found.values())


def differing(connection: Connection, run: Run, limit: int, skip: frozenset[bytes] = frozenset()) -> list[Todo]:
    """Calls of a run on which the sides differ and nobody said what is right."""
    found = store.undecided(connection, run.id, limit + len(skip))
    why = f"{run.plan.target} and the recorded answer score differently"
    return [
        Todo(
            record=as_text("rec", one),
            kind="answer",
            workflow=run.plan.workflow,
            run=run.id,
            target=run.plan.target,
            why=why,
        )
        for one in found
        if one not in skip
    ][:limit]


def by_chance(
    connection: Connection, run: Run, limit: int, skip: frozenset[bytes] = frozenset()
) -> tuple[list[Todo], Progress]:
    """Answers of a run's candidate to be scored, in an order fixed by their ids, whatever they say."""
    rows = store.scoreable(connection, run.id, run.plan.target, POOL)
    left = [record for record, scored in rows if not scored and record not in skip]
    drawn = nsmallest(limit, left, key=lambda one: hashlib.sha256(run.id.encode() + one).digest())
    done = store.scored(connection, run.id, run.plan.target)
    told = [
        Todo(
            record=as_text("rec", one),
            kind="score",
            workflow=run.plan.workflow,
            run=run.id,
            target=run.plan.target,
            why="drawn by chance: a judge is measured by it",
        )
        for one in drawn
    ]
    whole = max(len(rows), done)
    return told, Progress(done=done, whole=whole, enough=min(LEAST_LABELS, whole))


def decided(connection: Connection, run: Run) -> Progress:
    """Of the calls on which the sides differ: how many somebody decided."""
    return Progress(done=store.decided(connection, run.id), whole=store.tallies(connection, run.id)["differ"])
