"""Runs: a candidate asked about recorded calls, through the door, each answer graded and written down as it comes.

Invariant: a row is keyed by run, record and side, so a killed run goes on where it was and nothing counts twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal

import msgspec
from sqlalchemy import Engine

from freehold.core.clock import Clock
from freehold.core.db import reading, writing
from freehold.core.errors import FreeholdError, LeaseLost, RightsRefused, Unavailable
from freehold.core.money import from_pico, to_pico
from freehold.evals import store
from freehold.evals.contents import Content, Contents
from freehold.evals.datasets import Example, digest, examples, said
from freehold.evals.door import UNASKABLE, Door, Reply
from freehold.evals.duplicates import groups
from freehold.evals.errors import EvaluationBudget, NothingToEvaluate
from freehold.evals.proof.interval import interval
from freehold.evals.scorecards import LEVEL, About, Pair, Scorecard, class_of, scorecard
from freehold.evals.types import AGAIN, CANDIDATE, Plan, Row, Run
from freehold.grading.errors import GraderFailed
from freehold.grading.registry import GRADERS, grade, with_embedder
from freehold.grading.types import Answer, Grader, Spec
from freehold.policy.rights import Facts, Rules, gate, told
from freehold.workflows.shelf import Shelf
from freehold.workflows.store import Which

FLUSH = 8
"""Answers written down at a time: what a kill can lose, and have asked again."""
_RIGHTS = (
    "say who answered: freehold imports relabel IMPORT --vendor NAME; or what a contract allows: [[rights.overrides]] "
    "in freehold.toml"
)
_UNGRADED = "ungraded"
REFUSED = "terms do not let its recorded answer be compared with"

Gold = Callable[[bytes], Answer | None]
Progress = Callable[[int, int], None]
"""Told how many answers are in, of how many."""


class Parts(msgspec.Struct, frozen=True):
    """What a run works with."""

    engine: Engine
    shelf: Shelf
    contents: Contents
    door: Door
    gold: Callable[[str], Gold]
    """What people said is right, by workflow then record."""
    clock: Clock
    rights: Callable[[], Rules] = Rules
    """What recorded answers may be used for."""


class Chosen(msgspec.Struct, frozen=True):
    """The examples of a run, and how many answers nobody may be compared with."""

    examples: list[Example]
    refused: int


class Item(msgspec.Struct, frozen=True):
    """One answer to be asked for."""

    example: Example
    side: str
    target: str


def side_name(run: str, side: str) -> str:
    """Under which name a run's answers are kept beside their record."""
    return f"eval:{run}:{side}"


def evaluate(parts: Parts, run_id: str, progress: Progress | None = None) -> Scorecard:
    """Ask and grade what is not graded yet, and draw up the scorecard.

    Raises NothingToEvaluate, RightsRefused where no recorded answer may be compared with, EvaluationBudget where the
    money is spent, DoorClosed where the gateway is gone (what was graded is kept; run it again to go on), DoorRefused
    where it does not take our calls.
    """
    with reading(parts.engine) as connection:
        run = store.load_run(connection, run_id)
        done = {(one.record, one.side) for one in store.rows_of(connection, run_id)}
    try:
        picked = chosen(parts, run.plan, run.at)
        found = picked.examples
        run = msgspec.structs.replace(run, state="running", dataset=digest(found), examples=len(found), error="")
        _keep(parts, run)
        _ask(parts, run, [one for one in _items(run.plan, found) if (one.example.id, one.side) not in done], progress)
        card = _scorecard(parts, run, picked)
    except LeaseLost:  # another worker goes on with it
        raise
    except EvaluationBudget as error:
        _keep(parts, msgspec.structs.replace(run, state="stopped", ended_at=parts.clock(), error=error.message))
        raise
    except Unavailable as error:  # it goes on when the gateway is back
        _keep(parts, msgspec.structs.replace(run, state="waiting", error=error.message))
        raise
    except FreeholdError as error:
        _keep(parts, msgspec.structs.replace(run, state="failed", ended_at=parts.clock(), error=error.message))
        raise
    ended = msgspec.structs.replace(run, state="done", ended_at=parts.clock())
    with writing(parts.engine) as connection:
        store.keep_run(connection, ended, msgspec.json.encode(card).decode())
    return card


def chosen(parts: Parts, plan: Plan, began: float) -> Chosen:
    """The examples of a plan: the latest of its window, one of each group of near-duplicates.

    Raises NothingToEvaluate, and RightsRefused where the terms let none of the recorded answers be compared with.

    The window ends when the run `began` at the latest, so that a run that goes on later has the same examples. Calls
    that an owned model answered are no incumbent's. Memory: the workflow's answered calls in the window.
    """
    until = began if plan.until is None else min(plan.until, began)
    which = Which(workflow=plan.workflow, since=plan.since, until=until, answered=True)
    found = [one for one in examples(parts.shelf.records(which), parts.gold(plan.workflow)) if not one.owned]
    if plan.reference == "annotations":
        found = [one for one in found if one.gold is not None]
    if not found:
        what = "annotated call" if plan.reference == "annotations" else "recorded call with an answer"
        raise NothingToEvaluate(f"{plan.workflow} has no {what} in the window")
    today = datetime.fromtimestamp(began, UTC).date()
    # The incumbent's answers are graded also where people said what is right: its maker decides in both cases.
    gated = gate(((one, Facts(id=one.id.hex(), vendor=one.vendor)) for one in found), "evaluate", parts.rights(), today)
    found = list(gated.cleared)
    if not found:
        raise RightsRefused(told(gated), hint=_RIGHTS)
    alike = groups([said(one) for one in found])
    latest = dict(zip(alike, found, strict=True))  # of each group the last one stays
    return Chosen(sorted(latest.values(), key=lambda one: (one.at, one.id))[-plan.limit :], gated.refused)


def _items(plan: Plan, found: Sequence[Example]) -> Iterator[Item]:
    for one in found:
        yield Item(one, CANDIDATE, plan.target)
    if plan.incumbent:
        for one in found[: plan.noise]:
            yield Item(one, AGAIN, plan.incumbent)


def _ask(parts: Parts, run: Run, items: Sequence[Item], progress: Progress | None) -> None:
    plan = run.plan
    with reading(parts.engine) as connection:
        rows = store.rows_of(connection, run.id)
    spent = sum(one.cost or 0 for one in rows)
    differences = [one for row in rows if (one := _difference(row)) is not None]
    limit = to_pico(Decimal(plan.budget)) if plan.budget else None
    graders = _graders(parts.door, plan)

    def asked() -> Iterator[tuple[str, bytes, str, str]]:
        for one in items:
            if limit is not None and spent >= limit:
                return
            yield one.target, one.example.request, one.example.label, one.example.workflow

    waiting: list[tuple[Row, Content]] = []
    count = 0
    try:
        for item, reply in zip(items, parts.door.ask_all(asked(), timeout=plan.timeout), strict=False):
            row, content = graded(plan, item, reply, graders)
            waiting.append((row, content))
            spent += row.cost or 0
            count += 1
            if (difference := _difference(row)) is not None:
                differences.append(difference)
            if progress is not None:
                progress(count, len(items))
            if len(waiting) >= FLUSH:
                _flush(parts, run, waiting)
                if plan.hopeless is not None and interval(differences, LEVEL).high < plan.hopeless:
                    return
    finally:
        _flush(parts, run, waiting)
    if count < len(items):
        raise EvaluationBudget(f"${from_pico(spent):f} of ${plan.budget} is spent, {len(items) - count} answers short")


def _difference(row: Row) -> float | None:
    """Candidate minus incumbent, None where the call counts for neither."""
    if row.side != CANDIDATE or row.score is None:
        return None
    return row.score - _incumbent_score(row)


def _incumbent_score(row: Row) -> float:
    """Of the recorded answer: it is its own reference where nothing else is."""
    return 1.0 if row.reference_score is None else row.reference_score


def _flush(parts: Parts, run: Run, waiting: list[tuple[Row, Content]]) -> None:
    """Content first, then rows: a row that is there is never asked for again."""
    parts.contents.keep([(row.record, side_name(run.id, row.side), content) for row, content in waiting], parts.clock())
    with writing(parts.engine) as connection:
        store.add_rows(connection, run.id, [row for row, _ in waiting])
    waiting.clear()


def graded(plan: Plan, item: Item, reply: Reply, graders: tuple[Grader, ...] = GRADERS) -> tuple[Row, Content]:
    """One reply as a row. A candidate that fails scores 0; an incumbent that fails now says nothing about itself."""
    example = item.example
    reference = example.incumbent if item.side == AGAIN or plan.reference == "incumbent" else example.reference
    score, own, error, detail = None, None, _kind(reply), reply.error
    try:
        own = grade(plan.grader, example.incumbent, reference, graders).score
    except GraderFailed as failed:  # the reference is at fault, so nobody is
        error, detail = _UNGRADED, failed.message
    if error != _UNGRADED:
        if reply.answer is None:
            score = None if item.side == AGAIN or reply.error == UNASKABLE else 0.0
        else:
            score, error, detail = _score(plan.grader, reply.answer, reference, graders)
    row = Row(
        record=example.id,
        side=item.side,
        target=item.target,
        score=score,
        reference_score=own,
        status=reply.status,
        error=error,
        latency=reply.latency,
        cost=None if reply.cost is None else to_pico(reply.cost),
        input=reply.usage.input,
        output=reply.usage.output,
        composite=reply.composite,
    )
    return row, Content(reply.answer, detail)


def _score(spec: Spec, answer: Answer, reference: Answer, graders: tuple[Grader, ...]) -> tuple[float, str, str]:
    try:
        found = grade(spec, answer, reference, graders)
    except GraderFailed as failed:  # the reference grades well against itself, so the answer is at fault
        return 0.0, "grader", failed.message
    return found.score, "", found.detail


def _kind(reply: Reply) -> str:
    """What kind of failure; no text that could quote content."""
    return reply.error.partition(" ")[0].rstrip(":") if reply.answer is None else ""


def _graders(door: Door, plan: Plan) -> tuple[Grader, ...]:
    if not plan.embedder:
        return GRADERS
    return with_embedder(lambda text: door.embed(plan.embedder, text, "unknown"))


def _scorecard(parts: Parts, run: Run, found: Chosen) -> Scorecard:
    with reading(parts.engine) as connection:
        rows = store.rows_of(connection, run.id)
    return card_of(run, rows, found.examples, found.refused)


def card_of(run: Run, rows: Sequence[Row], found: Sequence[Example], refused: int = 0) -> Scorecard:
    """The scorecard of a run's rows. Pure."""
    plan = run.plan
    by_id = {one.id: one for one in found}
    pairs = [
        _pair(plan, row, by_id[row.record])
        for row in rows
        if row.side == CANDIDATE and row.score is not None and row.record in by_id
    ]
    asked_again = [one for one in rows if one.side == AGAIN]
    missing = {
        "the reference cannot be graded": sum(one.side == CANDIDATE and one.error == _UNGRADED for one in rows),
        "not asked, as the difference was plain": _not_asked(run, rows, found),
        REFUSED: refused,
        "the incumbent did not answer again": sum(one.score is None and one.error != _UNGRADED for one in asked_again),
    }
    about = About(
        workflow=plan.workflow,
        target=plan.target,
        grader=plan.grader.kind,
        reference=plan.reference,
        dataset=run.dataset,
        at=run.at,
        passes=plan.passes,
    )
    return scorecard(about, pairs, missing, [one.score for one in asked_again if one.score is not None])


def _not_asked(run: Run, rows: Sequence[Row], found: Sequence[Example]) -> int:
    """Calls left out by a run that stopped early."""
    if run.plan.hopeless is None:
        return 0
    return len(found) - sum(one.side == CANDIDATE for one in rows)


def _pair(plan: Plan, row: Row, example: Example) -> Pair:
    assert row.score is not None
    return Pair(
        record=row.record,
        at=example.at,
        candidate=row.score,
        incumbent=_incumbent_score(row),
        error=row.error,
        app=example.app,
        label=example.label,
        length=len(example.request),
        kind=class_of(example.reference.text) if plan.grader.kind == "label" else "",
        latency=None if row.error else row.latency,
        incumbent_latency=example.latency,
        cost=None if row.cost is None else from_pico(row.cost),
    )


def _keep(parts: Parts, run: Run) -> None:
    with writing(parts.engine) as connection:
        store.keep_run(connection, run)
