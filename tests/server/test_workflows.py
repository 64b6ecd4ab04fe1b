"""Workflows over the management API, down to the snapshot the data plane reads, and as commands print them."""

from __future__ import annotations

import time

import pytest
from msgspec.structs import replace

import freehold.cli.workflows as commands
from freehold.cli.place import Place
from freehold.core.db import reading, writing
from freehold.core.snapshot import read_snapshot
from freehold.gateway.assign import Assigner, Workflows
from freehold.gateway.prompt import prompt_of
from freehold.grading.types import Spec
from freehold.jobs.worker import Worker
from freehold.ledger.audit import store as audit
from freehold.moves import store as moves
from freehold.moves.machine import begin
from freehold.moves.types import Plan, Rule
from freehold.workflows.discovery import kinds
from freehold.workflows.known import store as workflows
from freehold.workflows.shelf import Shelf
from tests.workflows.traffic import traffic

TASKS = {"classify", "extract", "reply"}


@pytest.fixture
def shelf(instance):
    return Shelf(instance.engine, instance.bodies)


@pytest.fixture
def worker(instance, shelf):
    def publish():
        instance.publisher.publish(instance.settings)

    return Worker(instance.engine, kinds(instance.engine, shelf, time.time, publish), (), time.time)


@pytest.fixture
def found(client, shelf, worker):
    records, truth = traffic(60)
    shelf.put(records, time.time(), 1e9)
    queued = client.post("/api/workflows/discover")
    assert queued.status_code == 202
    assert worker.once()
    job = client.get(f"/api/jobs/{queued.json()['job']}").json()
    assert job["state"] == "done", job
    assert job["result"] == {"workflows": 3, "records": 180, "assigned": 180, "mature": job["result"]["mature"]}
    return records, truth


def names(client):
    return [one["workflow"]["name"] for one in client.get("/api/workflows").json()]


def test_each_workflow_shows_volume_cost_and_maturity(client, found):
    listed = client.get("/api/workflows").json()
    assert [one["figures"]["calls"] for one in listed] == [60, 60, 60]
    for one in listed:
        # 60 calls of 100 tokens in and 10 out, at gpt-4o's 2.50 and 10 dollars a million
        assert one["figures"]["cost"] == "0.0210" or float(one["figures"]["cost"]) == pytest.approx(0.021)
        assert one["figures"]["owned"] == 0
        assert one["workflow"]["maturity"]["verdict"] == "young"
        shown = client.get(f"/api/workflows/{one['workflow']['name']}").json()
        assert shown["workflow"] == one["workflow"]
        assert sum(each["requests"] for each in shown["templates"]) > 0
        assert shown["labels"] == {"unknown": 60}


def test_what_is_found_reaches_the_data_plane(found, instance):
    _, content = read_snapshot(instance.home / "snapshots", "workflows", Workflows, instance.identity)
    assigner = Assigner(content)
    records, truth = found
    owners = {}
    for one in records:
        owners.setdefault(truth[one.id], set()).add(assigner.match(prompt_of(one.request)).workflow)
    assert {name: len(one) for name, one in owners.items()} == dict.fromkeys(TASKS, 1)
    assert "" not in set.union(*owners.values())


def test_edits_are_audited_and_reach_the_data_plane(client, found, instance):
    first, second, _ = names(client)
    assert client.post(f"/api/workflows/{first}/rename", json={"name": "letters"}).json()["name"] == "letters"
    merged = client.post(f"/api/workflows/{second}/merge", json={"into": "letters"}).json()
    assert merged["requests"] == 120
    made = client.post("/api/workflows/letters/split", json={"templates": [1], "name": "part"})
    assert made.status_code == 201
    assert client.get(f"/api/workflows/{second}").json()["workflow"]["name"] == "letters"
    _, content = read_snapshot(instance.home / "snapshots", "workflows", Workflows, instance.identity)
    assert dict(content.names)[second] == dict(content.names)["letters"] != dict(content.names)["part"]
    with reading(instance.engine) as connection:
        kinds_seen = [kind for _, _, kind, _, _ in audit.queued(connection, 50)]
    assert kinds_seen == ["workflows.discover", "workflow.rename", "workflow.merge", "workflow.split"]


def test_what_moves_is_neither_merged_nor_split_and_is_renamed_with_its_move(client, found, instance):
    first, second, third = names(client)
    with writing(instance.engine) as connection:
        workflow = workflows.resolve(connection, first).id
        move = begin(
            "mv_1", 1.0, Rule(grader=Spec("label"), window_until=1.0), Plan(workflow=workflow, incumbent="mine")
        )
        moves.add(connection, move, "ann")
    for path, body in (
        (f"{first}/merge", {"into": second}),
        (f"{second}/merge", {"into": first}),
        (f"{first}/split", {"templates": [1]}),
    ):
        told = client.post(f"/api/workflows/{path}", json=body)
        error = told.json()["error"]
        assert told.status_code == 409
        assert "mv_1" in error["message"] and f"freehold moves rollback {first}" in told.text
    assert client.post(f"/api/workflows/{third}/merge", json={"into": second}).status_code == 200
    assert client.post(f"/api/workflows/{first}/rename", json={"name": "letters"}).status_code == 200
    for name in ("letters", first):
        assert client.get(f"/api/moves/{name}").json()["id"] == "mv_1"
    assert client.post(f"/api/moves/{first}/rollback", json={"why": "done"}).status_code == 200
    assert client.post(f"/api/workflows/{first}/merge", json={"into": second}).status_code == 200


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        ("nothing/rename", {"name": "x"}, 404, "FH-NOT-001"),
        ("{}/rename", {"name": "wf_x"}, 400, "FH-REQ-001"),
        ("{}/rename", {"name": ""}, 400, None),
        ("{}/merge", {"into": "{}"}, 400, "FH-REQ-001"),
        ("{}/split", {"templates": [9]}, 404, "FH-NOT-001"),
        ("{}/split", {"templates": []}, 400, None),
    ],
)
def test_edits_that_make_no_sense_are_refused(client, found, path, body, status, code):
    name = names(client)[0]
    body = {key: value.format(name) if isinstance(value, str) else value for key, value in body.items()}
    told = client.post(f"/api/workflows/{path.format(name)}", json=body)
    assert told.status_code in ((status,) if code else (400, 422))
    if code:
        assert told.json()["error"]["code"] == code


def test_reading_content_takes_the_right_and_leaves_a_mark(client, client_of, found, instance):
    name = names(client)[0]
    secret = client.post("/api/keys", json={"name": "a", "role": "auditor"}).json()["secret"]
    auditor = client_of(secret)
    assert auditor.get(f"/api/workflows/{name}").status_code == 200
    assert auditor.get(f"/api/workflows/{name}/samples").status_code == 403
    assert auditor.post("/api/workflows/discover").status_code == 403
    some = client.get(f"/api/workflows/{name}/samples?limit=3").json()
    assert len(some) == 3 and all(one["answer"] for one in some)
    assert client.get(f"/api/workflows/{name}/samples?limit=3").json() == some
    with reading(instance.engine) as connection:
        assert audit.queued(connection, 50)[-1][2] == "workflow.samples"


class Direct:
    """The API without a socket, as commands ask it; the worker does its work whenever a job is looked at."""

    def __init__(self, client, worker):
        self._client = client
        self._worker = worker

    def get(self, path, **query):
        if path.startswith("/api/jobs/"):
            self._worker.once()
        return self._client.get(path, params=query).json()

    def post(self, path, body=None):
        return self._client.post(path, json=body).json()


@pytest.fixture
def command(client, worker, monkeypatch):
    """Run a command; what it prints."""
    from click.testing import CliRunner

    monkeypatch.setattr(Place, "client", lambda _self: Direct(client, worker))

    def run(*arguments):
        told = CliRunner().invoke(commands.workflows, list(arguments), obj=Place(None, None), catch_exceptions=False)
        assert told.exit_code == 0, told.output
        return told.output

    return run


def test_commands(command, shelf):
    records, _ = traffic(60)
    shelf.put(records, time.time(), 1e9)
    told = command("discover")
    assert "180 calls, 3 workflows" in told
    listed = command("list")
    assert listed.count("[young]") == 3 and "$0.021" in listed
    name = listed.splitlines()[1].split()[0]
    shown = command("show", name)
    assert "stability" in shown and "gradability" in shown and "template" in shown
    assert "is now offices" in command("rename", name, "offices")
    other = next(line.split()[0] for line in command("list").splitlines()[1:] if not line.startswith("offices"))
    assert "part of offices" in command("merge", other, "offices")
    assert "made half" in command("split", "offices", "--template", "1", "--name", "half")
    assert command("samples", "offices", "--limit", "2").count("rec_") == 2
    assert command("list", "--json").lstrip().startswith("[")


def test_calls_without_a_time_do_not_set_when_a_workflow_began(command, client, shelf):
    records, _ = traffic(60)
    strays = [replace(one, at=5.0, id=bytes(6) + one.id[6:]) for one in records[:9]]
    shelf.put([*strays, *records[9:]], time.time(), 1e9)
    command("discover")
    timed = min(one.at for one in records[9:])
    assert all(one["figures"]["first"] >= timed for one in client.get("/api/workflows").json())
    assert "1970" not in command("show", names(client)[0])
    assert max(map(len, command("list").splitlines())) < 200
