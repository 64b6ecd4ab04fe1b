"""What pages about workflows and moves are shown: recorded calls, an evaluation of them, a move with its pairs."""

from __future__ import annotations

import html
import re
import time

import msgspec
import pytest

import freehold.evals.tables
import freehold.moves.tables  # noqa: F401  all tables must be known before they are made
from freehold.core.db import writing
from freehold.core.ids import as_text
from freehold.evals import store as evals
from freehold.evals.contents import Content, Contents
from freehold.evals.runs import side_name
from freehold.evals.scorecards import About, scorecard
from freehold.evals.scorecards import Pair as Compared
from freehold.evals.types import CANDIDATE, Plan, Row, Run
from freehold.grading.types import Answer, Spec
from freehold.moves import store as moves
from freehold.moves.types import Event
from freehold.moves.types import Plan as MovePlan
from freehold.workflows import store as records
from freehold.workflows.drift import Week
from freehold.workflows.known import store as known
from freehold.workflows.maturity import Measured, judge
from freehold.workflows.shelf import Shelf
from freehold.workflows.types import Shape, Workflow
from tests.evals.conftest import START, WORKFLOW, number_of, record
from tests.moves import sample
from tests.server.test_moves import add, pair

HOSTILE = '<script>alert(1)</script>"><img src=x onerror=alert(2)>'
MARKUP = re.compile(r"<script>alert|<img src=x|\"><img")
RUN = "ev_" + "7" * 32


def text_of(page):
    """What people read."""
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page.text)))


def maturity(**more):
    values = {"calls": 400, "days": 20.0, "likeness": 0.9, "regularity": 1.0, "agreement": None, "errors": 0.0}
    return judge(Measured(**{**values, "kind": "label", "chat": False, **more}))


def keep(instance, name, **more):
    weeks = tuple(Week(START + 604800.0 * n, 100, 0.9 if n else None) for n in range(3))
    values = {"id": WORKFLOW, "name": name, "made_at": START, "maturity": maturity(), "weeks": weeks}
    shape = Shape(kind="label", share=1.0, names=("yes", "no"))
    with writing(instance.engine) as connection:
        known.keep(connection, [Workflow(**{**values, "shape": shape, **more})])


@pytest.fixture
def flow(instance):
    """60 recorded calls of one workflow; every fifth was answered `no`."""
    found = [record(n, "yes" if n % 5 else "no") for n in range(60)]
    Shelf(instance.engine, instance.bodies).put(found, START, 1e9)
    with writing(instance.engine) as connection:
        records.assign(connection, [(one.id, WORKFLOW) for one in found])
    keep(instance, "yes-or-no", samples=tuple(one.id for one in found[:5]))
    return found


@pytest.fixture
def run(instance, flow):
    """An evaluation in which the candidate said `yes` to everything."""
    evaluate(instance, "mine", "yes")
    return RUN


def evaluate(instance, target, said):
    plan = Plan(workflow=WORKFLOW, target=target, grader=Spec("label"))
    rows = [
        Row(record=number_of(n), side=CANDIDATE, target=target, score=float(n % 5 > 0), reference_score=1.0)
        for n in range(40)
    ]
    sides = [(one.record, side_name(RUN, CANDIDATE), Content(Answer(said))) for one in rows]
    Contents(instance.engine, instance.bodies).keep(sides, START)
    pairs = [Compared(record=one.record, at=START, candidate=one.score, incumbent=1.0) for one in rows]
    card = scorecard(About(workflow=WORKFLOW, target=target, grader="label"), pairs)
    with writing(instance.engine) as connection:
        evals.add_run(connection, Run(id=RUN, at=START, plan=plan, actor="ann"))
        evals.add_rows(connection, RUN, rows)
        done = Run(id=RUN, at=START, plan=plan, actor="ann", state="done", examples=40)
        evals.keep_run(connection, done, msgspec.json.encode(card).decode())


@pytest.fixture
def move(instance, flow):
    """In canary, with 90 pairs on which both agree."""
    made = begin(instance)
    add(instance, made, [pair(number) for number in range(1, 91)])
    return made


def begin(instance, incumbent="rented", stages=("shadow", "canary")):
    plan = MovePlan(workflow=WORKFLOW, incumbent=incumbent, candidate="mine")
    rule = msgspec.structs.replace(sample.RULE, approvals=("owned",))
    made = sample.move("observed", rule=rule, plan=plan)
    with writing(instance.engine) as connection:
        moves.add(connection, made, "ann")
        made = moves.load(connection, made.id)
        for number, to in enumerate(stages):
            content = {
                "to": to,
                "share": 0.05 * number,
                "step": number - 1,
                "metric": "evidence",
                "value": 31.5,
                "bound": 20.0,
            }
            made = append(connection, made, "stage", content)
    return made


def append(connection, made, kind, content):
    return moves.append(connection, made, Event(made.events, time.time(), kind, "rollout", content))


def tell(instance, made, kind, **content):
    with writing(instance.engine) as connection:
        return append(connection, moves.load(connection, made.id), kind, content)


def name(number):
    return as_text("rec", number_of(number))
