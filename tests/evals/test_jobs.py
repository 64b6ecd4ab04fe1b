"""Evaluation as the worker does it."""

from __future__ import annotations

import pytest

from freehold.core.db import reading, writing
from freehold.core.errors import LeaseLost
from freehold.evals import store
from freehold.evals.errors import DoorClosed
from freehold.evals.jobs import JUDGE, RUN, kinds
from freehold.evals.types import Plan, Run
from freehold.grading.types import Spec
from tests.evals.conftest import START, WORKFLOW, completion, record
from tests.postgres import EACH_DATABASE

pytestmark = EACH_DATABASE


@pytest.fixture
def job(parts, engine):
    with writing(engine) as connection:
        plan = Plan(workflow=WORKFLOW, target="mine", grader=Spec("label"))
        store.add_run(connection, Run(id="r", at=START + 1e6, plan=plan))
    return {one.name: one.run for one in kinds(lambda: parts)}


def test_a_run_ends_with_its_figures(fill, gateway, job):
    fill(record(n) for n in range(4))
    gateway.play = lambda target, request: (200, completion("yes"), {})
    told = job[RUN]({"run": "r"}, lambda _: None)
    assert told == {"run": "r", "state": "done", "pairs": 4, "quality": 1.0}


def test_an_end_that_would_come_again_is_told_and_an_outage_is_tried_again(fill, gateway, job, engine):
    assert job[RUN]({"run": "r"}, lambda _: None)["state"] == "failed"
    fill([record(0)])
    gateway.play = lambda target, request: (401, {}, {"x-freehold-error": "FH-KEY-002"})
    assert "FH-EVL-003" in job[RUN]({"run": "r"}, lambda _: None)["why"]
    gateway.play = lambda target, request: (503, {}, {"x-freehold-error": "FH-AVA-001"})
    with pytest.raises(DoorClosed):
        job[RUN]({"run": "r"}, lambda _: None)
    with reading(engine) as connection:
        assert store.load_run(connection, "r").state == "waiting"


def test_a_lost_lease_changes_nothing(fill, gateway, job, engine, monkeypatch):
    fill(record(n) for n in range(4))
    monkeypatch.setattr("freehold.evals.jobs._BEAT_SECONDS", 0.0)

    def lost(_):
        raise LeaseLost("not ours")

    with pytest.raises(LeaseLost):
        job[RUN]({"run": "r"}, lost)
    with reading(engine) as connection:
        assert store.load_run(connection, "r").state == "running"


def test_a_judge_that_is_refused_is_an_answer(fill, gateway, job):
    fill(record(n) for n in range(4))
    gateway.play = lambda target, request: (200, completion("yes"), {})
    job[RUN]({"run": "r"}, lambda _: None)
    assert "FH-EVL-001" in job[JUDGE]({"run": "r", "judge": "oracle"}, lambda _: None)["refused"]
