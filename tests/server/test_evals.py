"""Evaluations and annotations over the management API."""

from __future__ import annotations

import json

import msgspec
import pytest

import freehold.evals.tables
import freehold.workflows.tables  # noqa: F401  all tables must be known before they are made
from freehold.core.db import writing
from freehold.evals import store
from freehold.evals.contents import Content, Contents
from freehold.evals.runs import side_name
from freehold.evals.scorecards import About, Pair, scorecard
from freehold.evals.types import CANDIDATE, Row
from freehold.grading.types import Answer
from freehold.jobs import store as jobs
from freehold.workflows import store as records
from freehold.workflows.known import store as known
from freehold.workflows.shelf import Shelf
from freehold.workflows.types import Workflow
from tests.evals.conftest import START, WORKFLOW, number_of, record


@pytest.fixture
def shelf(instance):
    made = Shelf(instance.engine, instance.bodies)
    found = [record(n, "yes" if n % 5 else "no") for n in range(400)]
    made.put(found, START, 1e9)
    with writing(instance.engine) as connection:
        records.assign(connection, [(one.id, WORKFLOW) for one in found])
        known.keep(connection, [Workflow(id=WORKFLOW, name="yes-or-no", made_at=START)])
    return found


def start(client, **more):
    return client.post("/api/evals", json={"workflow": WORKFLOW, "target": "mine", **more})


def finish(instance, run, answers):
    """Rows as a run would leave them: the candidate is right where it says what was recorded."""
    right = [answer == ("yes" if n % 5 else "no") for n, answer in enumerate(answers)]
    contents = Contents(instance.engine, instance.bodies)
    side = side_name(run, CANDIDATE)
    contents.keep([(number_of(n), side, Content(Answer(one))) for n, one in enumerate(answers)], START)
    rows = [
        Row(
            record=number_of(n),
            side=CANDIDATE,
            target="t",
            score=float(one),
            reference_score=1.0,
            latency=1.0,
            cost=10**9,
        )
        for n, one in enumerate(right)
    ]
    pairs = [Pair(record=one.record, at=START, candidate=one.score, incumbent=1.0) for one in rows]
    card = scorecard(About(workflow=WORKFLOW, target="t", grader="label"), pairs)
    with writing(instance.engine) as connection:
        store.add_rows(connection, run, rows)
        found = msgspec.structs.replace(store.load_run(connection, run), state="done", examples=len(rows))
        store.keep_run(connection, found, msgspec.json.encode(card).decode())


def test_an_evaluation_is_queued_with_the_grader_its_answers_ask_for(client, instance, shelf):
    told = start(client, budget="2.50", limit=50)
    body = told.json()
    assert body["run"]["plan"]["grader"]["kind"] == "label"
    assert (body["run"]["plan"]["budget"], body["run"]["state"], body["scorecard"]) == ("2.50", "waiting", None)
    with instance.reading() as connection:
        (job,) = jobs.list_jobs(connection)
    assert (job.kind, job.payload, job.id) == ("evals.run", {"run": body["run"]["id"]}, body["job"])
    assert client.get("/api/evals").json()[0]["id"] == body["run"]["id"]
    assert client.get("/api/evals", params={"workflow": "wf_else"}).status_code == 404


def test_a_workflow_may_be_named_and_an_unknown_one_is_refused(client, shelf):
    assert start(client, workflow="yes-or-no").json()["run"]["plan"]["workflow"] == WORKFLOW
    assert start(client, workflow="nonsense").status_code == 404


def test_a_grader_that_makes_no_sense_is_refused_before_anything_is_queued(client, shelf):
    assert start(client, grader="astrology").json()["error"]["code"] == "FH-GRD-001"
    assert start(client, grader="label", options={"feild": "x"}).json()["error"]["code"] == "FH-GRD-001"
    assert client.get("/api/evals").json() == []


def test_targets_that_are_not_there_are_refused_before_anything_is_queued(client, shelf):
    for more in ({"target": "nonsense"}, {"incumbent": "nonsense"}, {"embedder": "nonsense"}):
        told = start(client, **more)
        assert told.status_code == 404 and "'nonsense'" in told.text and "mine, rented" in told.text
    assert client.get("/api/evals").json() == []
    run = start(client).json()["run"]["id"]
    assert client.post(f"/api/evals/{run}/judge", json={"judge": "nonsense"}).status_code == 404


def test_a_scorecard_is_shown_and_drawn(client, instance, shelf):
    run = start(client).json()["run"]["id"]
    assert client.get(f"/api/evals/{run}/page").status_code == 404
    finish(instance, run, ["yes"] * 400)
    found = client.get(f"/api/evals/{run}").json()
    assert (found["graded"], found["scorecard"]["pairs"], found["scorecard"]["quality"]) == (400, 400, 0.8)
    drawn = client.get(f"/api/evals/{run}/page")
    assert drawn.headers["content-type"].startswith("text/html")
    assert "400 calls" in drawn.text
    assert client.get("/api/evals/ev_77").status_code == 404


def test_only_what_stopped_goes_on_and_with_a_new_budget(client, instance, shelf):
    run = start(client, budget="1").json()["run"]["id"]
    told = client.post(f"/api/evals/{run}/resume", json={"budget": "9"})
    assert told.json()["run"]["plan"]["budget"] == "9"
    finish(instance, run, ["yes"] * 10)
    assert client.post(f"/api/evals/{run}/resume", json={}).json()["error"]["code"] == "FH-CON-001"


def test_a_search_finds_the_pair_that_no_single_one_equals(client, instance, shelf):
    """Two that err on different calls: where they agree they are right."""
    right = ["yes" if n % 5 else "no" for n in range(400)]
    for target, flaw in (("mine", 0), ("rented", 7)):
        run = start(client, target=target).json()["run"]["id"]
        finish(instance, run, [f"odd {target} {n}" if n % 13 == flaw else one for n, one in enumerate(right)])
    told = client.post("/api/evals/search", json={"workflow": WORKFLOW}).json()
    assert sorted(told["best"]["policy"]["members"]) == ["mine", "rented"]
    assert told["best"]["delta"] == 0.0
    assert told["best"]["kept"] == pytest.approx(11 / 13, abs=0.01)
    assert told["considered"] == 4
    nothing = client.post("/api/evals/search", json={"workflow": "wf_none"})
    assert nothing.status_code == 404


def test_a_judge_is_queued_and_a_candidate_does_not_judge_itself(client, instance, shelf):
    run = start(client).json()["run"]["id"]
    told = client.post(f"/api/evals/{run}/judge", json={"judge": "rented"}).json()
    with instance.reading() as connection:
        job = jobs.find(connection, told["job"])
    assert (job.kind, job.payload["judge"], job.payload["run"]) == ("evals.judge", "rented", run)
    assert client.post(f"/api/evals/{run}/judge", json={"judge": "mine"}).status_code == 409


def test_judgements_go_in_and_out(client, instance, shelf):
    lines = "\n".join(json.dumps({"record": f"req_{n}", "answer": "no"}) for n in range(3))
    told = client.post("/api/annotations", json={"who": "ada", "lines": lines + "\n{"}).json()
    assert (told["new"], told["refused"]) == (3, 1)
    assert len(client.get("/api/annotations", params={"workflow": WORKFLOW}).json()) == 3
    exported = [json.loads(one) for one in client.get("/api/annotations/export").text.splitlines()]
    assert [one["answer"] for one in exported] == ["no"] * 3


def test_who_may_only_read_starts_nothing_and_reads_no_content(client, client_of, shelf):
    secret = client.post("/api/keys", json={"name": "look", "role": "auditor", "label": "internal"}).json()["secret"]
    auditor = client_of(secret)
    assert start(auditor).status_code == 403
    assert auditor.get("/api/evals").status_code == 200
    assert auditor.get("/api/annotations/export").status_code == 403
