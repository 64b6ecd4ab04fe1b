"""Answers side by side, and what to annotate next, over the management API."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from freehold.cli.annotations import annotations
from freehold.cli.evals import evals
from freehold.cli.place import Place
from freehold.core.db import writing
from freehold.core.ids import as_text
from freehold.evals.judges import LEAST_LABELS
from freehold.ledger.audit.store import queued
from freehold.moves import store as moves
from freehold.moves.types import Plan
from tests.evals.conftest import WORKFLOW, number_of
from tests.moves import sample
from tests.server.test_evals import finish, shelf, start  # noqa: F401  the fixture is used by its name

NOES = tuple(number for number in range(400) if number % 5 == 0)
"""Calls whose recorded answer is `no`."""


def name(number):
    return as_text("rec", number_of(number))


@pytest.fixture
def run(client, instance, shelf):  # noqa: F811
    made = start(client, target="mine").json()["run"]["id"]
    finish(instance, made, ["yes"] * 400)
    return made


def test_answers_that_differ_come_in_pages_with_words_and_counts(client, run):
    told = client.get(f"/api/evals/{run}/answers", params={"limit": 3}).json()
    assert told["counts"] == {"all": 400, "better": 0, "differ": 80, "failed": 0, "ungraded": 0, "worse": 80}
    assert [one["record"] for one in told["found"]] == [name(number) for number in NOES[:3]]
    one = told["found"][0]
    assert (one["recorded"]["text"], one["candidate"]["text"], one["score"], one["reference_score"]) == (
        "no",
        "yes",
        0,
        1,
    )
    assert one["asked"][0]["role"] == "user" and len(one["asked"][0]["said"]["text"]) > 20
    assert one["cost"] == "0.001" or float(one["cost"]) == 0.001
    seen, after = 3, told["next"]
    while after:
        told = client.get(f"/api/evals/{run}/answers", params={"limit": 20, "after": after}).json()
        seen, after = seen + len(told["found"]), told["next"]
    assert seen == len(NOES)


def test_words_are_for_who_may_read_bodies_and_reading_is_written_down(client, client_of, instance, run):
    client.get(f"/api/evals/{run}/answers")
    key = client.post("/api/keys", json={"name": "ops", "role": "operator"}).json()["secret"]
    path = f"/api/evals/{run}/answers/{name(0)}"
    seen = client_of(key).get(path)
    assert seen.status_code == 200
    assert seen.json()["readable"] is False and seen.json()["recorded"] == {
        "characters": 2,
        "text": None,
        "tool_calls": [],
    }
    assert client.get(path).json()["recorded"]["text"] == "no"
    with instance.reading() as connection:
        kinds = [kind for _, _, kind, _, _ in queued(connection, 1000)]
    assert kinds.count("record.read") == 2


def test_what_is_not_there_is_said(client, run):
    assert client.get("/api/evals/ev_77/answers").status_code == 404
    assert client.get(f"/api/evals/{run}/answers/rec_77").status_code == 404
    assert client.get(f"/api/evals/{run}/answers", params={"after": "nonsense"}).status_code == 400
    assert client.get("/api/annotations/records/nonsense").status_code == 404


def test_the_queue_of_answers_holds_what_differs_until_somebody_decides(client, run):
    told = client.get("/api/annotations/queue", params={"workflow": WORKFLOW}).json()
    assert told["progress"] == {"done": 0, "whole": 80, "enough": 0}
    assert [one["record"] for one in told["items"]] == [name(number) for number in NOES[:20]]
    assert {one["run"] for one in told["items"]} == {run}
    said = json.dumps({"record": name(0), "answer": "no"})
    client.post("/api/annotations", json={"who": "ann", "lines": said})
    told = client.get("/api/annotations/queue", params={"skip": [name(5)], "limit": 2}).json()
    assert told["progress"]["done"] == 1
    assert [one["record"] for one in told["items"]] == [name(10), name(15)]
    seen = client.get(f"/api/annotations/records/{name(0)}", params={"run": run}).json()
    assert [(one["who"], one["kind"], one["said"]["text"]) for one in seen["words"]] == [("ann", "answer", "no")]


def test_the_queue_of_scores_is_drawn_by_chance_whatever_answers_say(client, run):
    told = client.get("/api/annotations/queue", params={"kind": "score", "limit": 40}).json()
    assert told["progress"] == {"done": 0, "whole": 400, "enough": LEAST_LABELS}
    drawn = [one["record"] for one in told["items"]]
    assert drawn != sorted(drawn) and not {one["record"] for one in told["items"]} <= {name(n) for n in NOES}
    line = json.dumps({"record": drawn[0], "score": 0.75, "target": "mine"})
    assert client.post("/api/annotations", json={"who": "ann", "lines": line}).json()["new"] == 1
    after = client.get("/api/annotations/queue", params={"kind": "score", "limit": 39}).json()
    assert [one["record"] for one in after["items"]] == drawn[1:]
    assert after["progress"]["done"] == 1


def test_what_a_move_waits_for_comes_first(client, instance, run):
    with writing(instance.engine) as connection:
        plan = Plan(workflow=WORKFLOW, incumbent="rented", candidate="mine")
        moves.add(connection, sample.move("observed", plan=plan), "ann")
        moves.keep_wanted(connection, "mv_1", [number_of(7)])
    told = client.get("/api/annotations/queue").json()
    assert (told["items"][0]["record"], told["items"][0]["move"]) == (name(7), "mv_1")
    assert told["progress"]["whole"] == 81
    assert client.get(f"/api/annotations/records/{name(7)}").json()["candidate"] is None


def test_an_empty_install_has_an_empty_queue(client):
    told = client.get("/api/annotations/queue").json()
    assert (told["items"], told["runs"]) == ([], [])


def test_a_developer_may_look_but_who_may_not_is_refused(client, client_of, run):
    key = client.post("/api/keys", json={"name": "money", "role": "finance"}).json()["secret"]
    for path in ("/api/annotations/queue", f"/api/evals/{run}/answers"):
        assert client_of(key).get(path).status_code == 403


def test_judgements_are_listed_newest_first_where_that_is_asked(client, run):
    for at, number in ((5.0, 1), (9.0, 2), (7.0, 3)):
        line = json.dumps({"record": name(number), "answer": "yes", "at": at})
        client.post("/api/annotations", json={"who": "ann", "lines": line})
    told = client.get("/api/annotations", params={"newest": True, "limit": 2}).json()
    assert [one["record"] for one in told] == [name(2), name(3)]
    assert client.get("/api/annotations").json()[0]["record"] == name(1)


def test_a_scorecard_says_itself_in_a_sentence(client, run):
    told = client.get(f"/api/evals/{run}").json()
    assert told["says"].startswith("On 400 calls") and "worse than the incumbent" in told["says"]
    assert any("incumbent scores 1 by construction" in one for one in told["remarks"])


class Direct:
    """The API without a socket, as commands ask it."""

    def __init__(self, client):
        self._client = client

    def get(self, path, **query):
        return self._client.get(path, params={name: one for name, one in query.items() if one not in (None, "")}).json()


def told_by(group, client, monkeypatch, *arguments):
    monkeypatch.setattr(Place, "client", lambda _self: Direct(client))
    told = CliRunner().invoke(group, list(arguments), obj=Place(None, None), catch_exceptions=False)
    assert told.exit_code == 0, told.output
    return told.output


def test_commands_tell_what_is_to_be_judged_and_both_sides(client, run, monkeypatch):
    told = told_by(annotations, client, monkeypatch, "queue", "--limit", "3")
    assert all(name(number) in told for number in NOES[:3]) and name(15) not in told
    assert "0 of 80 done" in told
    told = json.loads(told_by(annotations, client, monkeypatch, "queue", "--kind", "score", "--json"))
    assert told["progress"]["enough"] == LEAST_LABELS
    told = told_by(evals, client, monkeypatch, "answers", run, "--limit", "2")
    assert f"--after {name(5)}" in told
    assert told.splitlines()[1].split()[0] == name(0) and told.splitlines()[1].split()[-2:] == ["no", "yes"]
