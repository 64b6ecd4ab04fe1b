"""A sheet out of evaluation runs: what several candidates answered to the same calls, for a search among them."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Engine

from freehold.core.db import reading
from freehold.core.ids import as_text
from freehold.core.money import from_pico
from freehold.evals import store
from freehold.evals.cascades import Recorded, Sheet
from freehold.evals.contents import Contents
from freehold.evals.errors import NothingToEvaluate
from freehold.evals.runs import side_name
from freehold.evals.types import CANDIDATE, Row, Run
from freehold.grading.types import Spec
from freehold.workflows.exchange import answer_of
from freehold.workflows.shelf import Shelf
from freehold.workflows.store import Which

MOST_RUNS = 40
_AT_ONCE = 500


def comparable(engine: Engine, workflow: str) -> list[Run]:
    """The latest finished run of each candidate, of those with the grader and reference of the newest run."""
    with reading(engine) as connection:
        found = [one for one in store.list_runs(connection, workflow, limit=500) if one.state == "done"]
    if not found:
        raise NothingToEvaluate(
            f"{workflow} has no finished evaluation", hint=f"start one: freehold evals run {workflow} --target TARGET"
        )
    first = found[0].plan
    latest: dict[str, Run] = {}
    for one in found:
        if (one.plan.grader, one.plan.reference) == (first.grader, first.reference):
            latest.setdefault(one.plan.target, one)
    return list(latest.values())[:MOST_RUNS]


def sheet_of(engine: Engine, shelf: Shelf, contents: Contents, runs: Sequence[Run]) -> tuple[Sheet, Spec]:
    """What the runs' candidates answered, call by call, and the grader they share.

    Calls whose content was erased since are left out. Memory: every answer of every run. Raises NothingToEvaluate.
    """
    graded = [_graded(engine, one) for one in runs]
    ids = sorted({record for rows in graded for record in rows})
    incumbent: dict[bytes, Recorded] = {}
    for at in range(0, len(ids), _AT_ONCE):
        for record in shelf.records(Which(ids=tuple(ids[at : at + _AT_ONCE]))):
            score = next((rows[record.id].reference_score for rows in graded if record.id in rows), None)
            incumbent[record.id] = Recorded(
                score=1.0 if score is None else score, answer=answer_of(record.response), latency=record.latency
            )
    living = [one for one in ids if one in incumbent]
    if not living:
        raise NothingToEvaluate("no call of these evaluations is kept any more")
    models = {run.plan.target: _column(contents, run, rows, living) for run, rows in zip(runs, graded, strict=True)}
    calls = tuple(as_text("rec", one) for one in living)
    return Sheet(calls=calls, incumbent=tuple(incumbent[one] for one in living), models=models), runs[0].plan.grader


def _graded(engine: Engine, run: Run) -> dict[bytes, Row]:
    with reading(engine) as connection:
        rows = store.rows_of(connection, run.id)
    return {one.record: one for one in rows if one.side == CANDIDATE and one.score is not None}


def _column(contents: Contents, run: Run, rows: dict[bytes, Row], ids: Sequence[bytes]) -> tuple[Recorded | None, ...]:
    side = side_name(run.id, CANDIDATE)
    kept = contents.load([(one, side) for one in ids if one in rows])
    found: list[Recorded | None] = []
    for one in ids:
        row, content = rows.get(one), kept.get((one, side))
        if row is None or content is None:
            found.append(None)
            continue
        found.append(
            Recorded(
                score=row.score or 0.0,
                answer=content.answer,
                cost=None if row.cost is None else float(from_pico(row.cost)),
                latency=row.latency,
                failed=content.answer is None,
            )
        )
    return tuple(found)
