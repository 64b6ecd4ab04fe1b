"""Moves over the management API: how the evidence grew, which calls were compared, and what is remembered of them."""

from __future__ import annotations

import time

import pytest
from msgspec.structs import replace

from freehold.cli.moves import moves as commands
from freehold.core.db import writing
from freehold.core.ids import as_text
from freehold.evals.proof import validity
from freehold.moves import store
from freehold.moves.measure import fold, measure
from freehold.moves.types import Event, Pair, Plan
from freehold.workflows.known import store as workflows
from freehold.workflows.types import Workflow
from tests.moves import sample
from tests.server.test_answers import told_by

WORKFLOW = "wf_0123456789ab"
PLAN = Plan(workflow=WORKFLOW, incumbent="rented", candidate="mine")


def pair(number, candidate=1.0, **more):
    return Pair(
        record=number.to_bytes(16, "big"),
        at=2000.0 + number,
        stage="canary",
        served="incumbent",
        candidate=candidate,
        incumbent=1.0,
        valid=True,
        cost=10**9,
        **more,
    )


@pytest.fixture
def move(instance):
    return begun(instance)


def begun(instance):
    made = sample.move("observed", plan=PLAN)
    now = time.time()
    with writing(instance.engine) as connection:
        workflows.keep(connection, [Workflow(id=WORKFLOW, name="yes-or-no", made_at=1.0)])
        store.add(connection, made, "ann")
        made = store.load(connection, made.id)
        for to, more in (("shadow", {}), ("canary", {"share": 0.05, "step": 0})):
            event = Event(made.events, now, "stage", "worker", {"to": to, "pairs": 0, **more})
            made = store.append(connection, made, event)
    return made


def add(instance, move, found):
    with writing(instance.engine) as connection:
        store.add_pairs(connection, move.id, found, found[-1].record)


def test_how_the_evidence_grew_ends_where_it_stands(client, instance, move):
    add(instance, move, [pair(number, float(number % 10 > 0)) for number in range(1, 901)])
    points = client.get("/api/moves/yes-or-no/trajectory").json()
    shown = client.get("/api/moves/yes-or-no").json()
    assert 200 <= len(points) <= 401 and points[-1]["pairs"] == shown["measured"]["pairs"] == 900
    assert points[-1]["difference"] == pytest.approx(-0.1)
    for name in ("evidence", "futility", "alarm", "difference"):
        assert points[-1][name] == shown["measured"][name]
    assert [one["pairs"] for one in points] == sorted(one["pairs"] for one in points)


def test_what_is_remembered_is_what_all_pairs_say(client, instance, move):
    found = [pair(number, float(number % 7 > 0)) for number in range(1, 61)]
    for part in (found[:10], found[10:11], found[11:]):
        add(instance, move, part)
        shown = client.get("/api/moves").json()[0]
    whole = measure(move.rule, found)
    assert shown["measured"]["pairs"] == 60
    assert shown["measured"]["evidence"] == pytest.approx(whole.evidence)
    assert shown["measured"]["low"] == pytest.approx(whole.low)
    assert shown["detection_calls"] == client.get("/api/moves/mv_1").json()["detection_calls"] > 0
    assert fold(move.rule, instance.remembered._known["mv_1"].found, ()).proof.pairs == 60


def test_a_trajectory_that_grows_is_the_one_from_the_start(client, instance, move):
    found = [pair(number, float(number % 9 > 0)) for number in range(1, 1001)]
    for first, end in ((0, 3), (3, 390), (390, 399), (399, 402), (402, 1000)):
        add(instance, move, found[first:end])
        points = client.get("/api/moves/mv_1/trajectory").json()
        assert points[-1]["pairs"] == end and len(points) <= 401
    for one in (points[10], points[100], points[-1]):
        whole = measure(move.rule, found[: one["pairs"]])
        assert one["evidence"] == pytest.approx(whole.evidence)
        assert one["alarm"] == pytest.approx(whole.alarm)
    assert [one["pairs"] for one in points] == [*range(4, 1001, 4)]


def test_pairs_are_listed_newest_first_by_what_they_say(client, instance, move):
    found = [replace(pair(n, float(n % 2)), valid=n != 4, gold=n == 5) for n in range(1, 8)]
    add(instance, move, found)
    told = client.get("/api/moves/mv_1/pairs", params={"limit": 4}).json()
    assert [one["number"] for one in told["pairs"]] == [6, 5, 4, 3]
    assert told["pairs"][0]["call"] == as_text("call", (7).to_bytes(16, "big"))
    assert float(told["pairs"][0]["cost"]) == 0.001
    rest = client.get("/api/moves/mv_1/pairs", params={"limit": 4, "before": told["next"]}).json()
    assert ([one["number"] for one in rest["pairs"]], rest["next"]) == ([2, 1, 0], None)
    for which, count in (("worse", 3), ("differ", 3), ("better", 0), ("invalid", 1)):
        assert len(client.get("/api/moves/mv_1/pairs", params={"which": which}).json()["pairs"]) == count
    assert client.get("/api/moves/mv_1/pairs", params={"which": "odd"}).status_code in (400, 422)
    assert client.get("/api/moves/mv_9/pairs").status_code == 404


def test_a_move_without_pairs_has_no_trajectory(client, move):
    assert client.get("/api/moves/mv_1/trajectory").json() == []
    assert client.get("/api/moves/mv_1/pairs").json() == {"pairs": [], "next": None}


def test_a_command_lists_pairs(client, instance, move, monkeypatch):
    add(instance, move, [pair(number, float(number != 2)) for number in range(1, 4)])
    told = told_by(commands, client, monkeypatch, "pairs", "yes-or-no", "--limit", "2")
    assert "--before 1" in told and as_text("call", (3).to_bytes(16, "big")) in told
    assert len(told_by(commands, client, monkeypatch, "pairs", "mv_1", "--which", "worse").splitlines()) == 2


def test_what_the_form_of_answers_came_to_is_shown_beside_its_bound(client, instance, move):
    assert client.get("/api/moves/mv_1").json()["looked_at"] == 0
    seen = validity.note(validity.Baseline(), validity.Health(), ["schema", None, "timeout", "schema"])
    with writing(instance.engine) as connection:
        store.keep_health(connection, "mv_1", seen)
    told = client.get("/api/moves/mv_1").json()
    assert (told["looked_at"], told["faults"]) == (4, {"schema": 2, "timeout": 1})
    (bound,) = [one for one in told["bounds"] if one["metric"] == "validity"]
    assert bound["value"] == pytest.approx(seen.level) and bound["value"] > 1
