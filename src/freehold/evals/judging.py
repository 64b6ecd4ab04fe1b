"""A judge at work on a run: the candidate's kept answers, judged through the door and held against people's scores.

Invariant: without enough people who agree with the judge there is a refusal, never a number.
"""

from __future__ import annotations

from freehold.core.db import reading
from freehold.evals import store
from freehold.evals.errors import NothingToEvaluate
from freehold.evals.judges import Case, Judge, Measured, judge, measure
from freehold.evals.runs import Parts, side_name
from freehold.evals.types import CANDIDATE, Annotation, Run
from freehold.workflows.store import Which


def judge_run(parts: Parts, run_id: str, who: Judge, limit: int = 500) -> Measured:
    """What people would say of the candidate's answers, from the few they scored and the judge's word on the rest.

    Annotated answers come first, then the latest ones, `limit` in all; which answers people annotate must not depend
    on how good they are. Raises JudgeRefused with the reason, NothingToEvaluate, DoorClosed, DoorRefused.
    """
    with reading(parts.engine) as connection:
        run = store.load_run(connection, run_id)
        rows = [one.record for one in store.rows_of(connection, run_id) if one.side == CANDIDATE]
        said = store.list_annotations(connection, run.plan.workflow, "score")
    people = _scores(run, said)
    chosen = sorted(rows, key=lambda one: (one in people, one), reverse=True)[:limit]
    side = side_name(run.id, CANDIDATE)
    kept = parts.contents.load([(one, side) for one in chosen])
    cases: list[Case] = []
    scores: list[float | None] = []
    for record in parts.shelf.records(Which(ids=tuple(chosen))):
        content = kept.get((record.id, side))
        if content is None or content.answer is None:
            continue
        cases.append(
            Case(request=record.request, answer=content.answer, label=record.label, workflow=run.plan.workflow)
        )
        scores.append(people.get(record.id))
    if not cases:
        raise NothingToEvaluate(f"no answer of {run.id} is kept", hint=f"see it: freehold evals show {run.id}")
    return measure(who, judge(parts.door, who, cases), scores)


def _scores(run: Run, said: list[Annotation]) -> dict[bytes, float]:
    """People's mean score of the candidate's answer, by record."""
    found: dict[bytes, list[float]] = {}
    for one in said:
        if one.target == run.plan.target and one.score is not None:
            found.setdefault(one.record, []).append(one.score)
    return {record: sum(scores) / len(scores) for record, scores in found.items()}
