"""Calls, usage, receipts and bodies over the management API, loaded from a journal as the writer does."""

from __future__ import annotations

import json

import msgspec
import pytest
from starlette.testclient import TestClient

from freehold.core.db import reading, writing
from freehold.ledger.audit import store as audit
from freehold.ledger.audit.store import append
from freehold.ledger.receipts import Receipt, verify
from freehold.ledger.writer import load_once
from freehold.server.app import create_app, guarded
from freehold.server.instance import Instance
from freehold.server.publish import Facts, Publisher
from freehold.settings.load import parse
from freehold.workflows.known import store as workflows
from freehold.workflows.types import Workflow
from tests.ledger.sample import START, Home, body, call_id, closed, opened, refused

CALLS = 5


@pytest.fixture
def home(tmp_path):
    made = Home(tmp_path / "home")
    made.begin("0a")
    frames = [frame for number in range(1, CALLS) for frame in (opened(number), closed(number))]
    frames.insert(1, body(1, "request", b'{"hello": "world"}', made.keys.sealer))
    made.write("0a", *frames, refused(CALLS))
    made.end("0a")
    load_once(made.path, made.engine, made.keys, clock=lambda: START + 60)
    yield made
    made.close()


@pytest.fixture
def client(home):
    loaded = parse(b"[serving]\nenabled = false\n", None, {}, str(home.path))
    publisher = Publisher(home.engine, home.path, home.keys.identity, lambda: START, Facts(owned=tuple))
    instance = Instance(home.engine, home.keys.identity, loaded, publisher, append, lambda: START + 61)
    headers = {"authorization": "Bearer t"}
    with TestClient(guarded(create_app(instance, "t"), ("testserver",)), headers=headers) as made:
        yield made


def id_of(number):
    return f"call_{call_id(number).hex()}"


def test_calls_are_listed_newest_first_in_pages(client):
    first = client.get("/api/calls", params={"limit": 3}).json()
    rest = client.get("/api/calls", params={"limit": 3, "cursor": first["cursor"]}).json()
    assert [one["id"] for one in first["calls"] + rest["calls"]] == [id_of(number) for number in range(CALLS, 0, -1)]
    assert rest["cursor"] == ""


def test_tail_begins_with_the_last_and_goes_on_without_repeating(client):
    first = client.get("/api/calls/tail", params={"last": 2}).json()
    assert [one["id"] for one in first["calls"]] == [id_of(CALLS - 1), id_of(CALLS)]
    assert client.get("/api/calls/tail", params={"leaf": first["leaf"]}).json() == {"calls": [], "leaf": first["leaf"]}
    assert len(client.get("/api/calls/tail", params={"leaf": -1}).json()["calls"]) == CALLS


def test_export_gives_every_call_oldest_first(client):
    lines = client.get("/api/calls/export").text.splitlines()
    assert [json.loads(one)["call"]["id"] for one in lines] == [id_of(number) for number in range(1, CALLS + 1)]


def test_filters_hold_everywhere(client):
    for path in ("/api/calls", "/api/calls/tail"):
        found = client.get(path, params={"outcome": "refused", "last": 50}).json()["calls"]
        assert [one["id"] for one in found] == [id_of(CALLS)]
    assert len(client.get("/api/calls/export", params={"outcome": "ok"}).text.splitlines()) == CALLS - 1
    assert client.get("/api/usage", params={"outcome": "refused"}).json()[0]["calls"] == 1


def test_one_call_has_its_attempts_and_an_unknown_one_is_not_found(client):
    assert len(client.get(f"/api/calls/{id_of(1)}").json()["attempts"]) == 1
    assert client.get(f"/api/calls/{id_of(99)}").status_code == 404
    assert client.get("/api/calls/nonsense").status_code == 404


def test_usage_is_grouped_as_asked_with_money_as_text(client):
    rows = client.get("/api/usage", params={"by": ["team", "route"]}).json()
    assert sum(one["calls"] for one in rows) == CALLS
    assert all(len(one["group"]) == 2 and isinstance(one["cost"], str) for one in rows)
    assert client.get("/api/usage", params={"by": "colour"}).status_code == 400


def test_a_workflow_is_named_by_its_id_or_name_and_an_unknown_one_is_not_found(client, home):
    by_raw = client.get("/api/usage", params={"by": ["workflow"], "workflow": "w1"}).json()
    assert [(one["group"], one["calls"]) for one in by_raw] == [(["w1"], 1)], "callers name it, nothing was found yet"
    with writing(home.engine) as connection:
        workflows.keep(connection, [_known("w1", "tickets"), _known("w2", "old", "w1")])
    for name in ("tickets", "w1", "old"):
        for path in ("/api/calls", "/api/calls/tail"):
            found = client.get(path, params={"workflow": name, "last": 50}).json()["calls"]
            assert {one["workflow"] for one in found} == {"w1", "w2"}
        assert len(client.get("/api/calls/export", params={"workflow": name}).text.splitlines()) == 2
    (row,) = client.get("/api/usage", params={"by": ["workflow"], "workflow": "tickets"}).json()
    assert (row["group"], row["names"], row["calls"], row["own"]) == (["w1"], ["tickets"], 2, False)
    for path in ("usage", "calls", "calls/tail", "calls/export", "annotations", "annotations/export", "evals"):
        told = client.get(f"/api/{path}", params={"workflow": "tikets"})
        assert (told.status_code, "tikets" in told.text) == (404, True), path
        assert client.get(f"/api/{path}", params={"workflow": "tickets"}).status_code == 200, path


def test_a_receipt_can_be_checked_without_the_instance(client, home):
    told = client.get(f"/api/receipts/{id_of(2)}")
    receipt = msgspec.json.decode(told.content, type=Receipt)
    assert len(verify(receipt, home.keys.identity.public)) == 2
    assert receipt.statement["call"] == id_of(2)


def test_a_body_is_read_once_asked_and_reading_it_is_audited(client, home):
    assert client.get(f"/api/calls/{id_of(1)}/bodies/request").content == b'{"hello": "world"}'
    with reading(home.engine) as connection:
        ((_, _, kind, actor, content),) = audit.queued(connection, 5)
    assert (kind, actor, json.loads(content)) == ("body.read", "owner", {"call": id_of(1), "side": "request"})
    assert client.get(f"/api/calls/{id_of(1)}/bodies/response").status_code == 404
    assert client.get(f"/api/calls/{id_of(1)}/bodies/inside").status_code == 400


def test_an_erased_body_is_gone_and_the_call_stays(client):
    assert client.post(f"/api/calls/{id_of(1)}/erase", json={"why": "asked for"}).json() == {"bodies": 1}
    assert client.get(f"/api/calls/{id_of(1)}/bodies/request").status_code == 404
    assert client.get(f"/api/calls/{id_of(1)}").json()["call"]["outcome"] == "ok"
    assert client.post(f"/api/calls/{id_of(1)}/erase", json={"why": ""}).status_code == 400


def _known(id, name, into=""):  # noqa: A002
    return Workflow(id=id, name=name, into=into, made_at=START)
