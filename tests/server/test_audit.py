"""Holds and erasures over the management API."""

from __future__ import annotations

import pytest

from freehold.core.db import reading, writing
from freehold.core.ids import as_text
from freehold.identity import lifecycle
from freehold.identity.keys import Key
from freehold.jobs import store as jobs
from freehold.ledger.audit.store import queued
from freehold.ledger.intake.loader import Keys, Pace
from freehold.ledger.keeping.erasing import Order, erase_subject
from freehold.ledger.writer import load_once
from tests.ledger.sample import Home, body, call_id, closed, opened


class Written(Home):
    """Calls in the home of an instance that is there already."""

    def __init__(self, instance) -> None:
        self.path = instance.home
        self.engine = instance.engine
        self.keys = Keys(instance.identity, instance.sealer)
        self._locks = {}


@pytest.fixture
def written(instance):
    home = Written(instance)
    home.begin("e1")
    for number, subject in ((1, "ann"), (2, "ann"), (3, "bob")):
        sealed = body(number, "request", b"hello %d" % number, instance.sealer)
        home.write("e1", opened(number, subject=subject, team="blue", key_id="key_a"), sealed, closed(number))
    load_once(home.path, home.engine, home.keys, pace=Pace(retention_seconds=1e12))
    yield home
    home.end("e1")


def kinds(instance):
    with reading(instance.engine) as connection:
        return [(kind, actor, content) for _, _, kind, actor, content in queued(connection, 50)]


def test_a_hold_refuses_erasure_and_says_by_whom_and_why(client, instance, written) -> None:
    made = client.post("/api/audit/holds", json={"subject": "ann", "team": "blue", "why": "case 12"})
    assert made.status_code == 201
    hold = made.json()["id"]
    refused = client.post("/api/audit/erase", json={"subject": "ann", "team": "blue", "why": "asked to"})
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "FH-CON-013")
    assert hold in refused.json()["error"]["message"]
    assert "by owner (case 12)" in refused.json()["error"]["message"]
    call = as_text("call", call_id(1))
    for path, told in ((f"/api/calls/{call}/erase", {}), ("/api/audit/erase", {"call": call})):
        assert client.post(path, json={**told, "why": "asked to"}).status_code == 409
    assert (
        client.post("/api/audit/erase", json={"subject": "bob", "team": "blue", "why": "asked to"}).status_code == 202
    )
    found = kinds(instance)
    assert [one[0] for one in found if one[0].startswith(("hold", "erase"))] == [
        "hold.add",
        "erase.refused",
        "erase.refused",
        "erase.refused",
        "erase",
    ]
    assert "ann" not in "".join(one[2] for one in found), "no name of a person in the log"


def test_a_released_hold_holds_no_more(client, instance, written) -> None:
    hold = client.post("/api/audit/holds", json={"why": "all of it"}).json()["id"]
    assert client.post(f"/api/audit/holds/{hold}/release", json={"why": "settled"}).json()["released_by"] == "owner"
    assert client.post(f"/api/audit/holds/{hold}/release", json={"why": "again"}).status_code == 409
    assert client.post("/api/audit/holds/hold_00/release", json={"why": "x"}).status_code == 404
    assert client.get("/api/audit/holds").json() == []
    (told,) = client.get("/api/audit/holds", params={"released": True}).json()
    assert (told["scope"], told["released_why"]) == ("everything", "settled")
    assert client.post("/api/audit/erase", json={"call": as_text("call", call_id(1)), "why": "x"}).json()["bodies"] == 1


def test_an_erasure_is_queued_with_its_reason_and_done_by_the_worker(client, instance, written) -> None:
    (job,) = client.post("/api/audit/erase", json={"subject": "ann", "team": "blue", "why": "asked to"}).json()["jobs"]
    with writing(instance.engine) as connection:
        claimed = jobs.claim(connection, ("capture.erase",), b"token", instance.clock(), 60.0)
    assert claimed.id == job
    assert (claimed.payload["why"], claimed.payload["by"]) == ("asked to", "owner")
    order = Order(claimed.payload["subject"], claimed.payload["why"], claimed.payload["by"])
    assert erase_subject(instance.engine, instance.bodies, order, instance.clock()).calls == 2
    answer = client.get(f"/api/receipts/{as_text('call', call_id(1))}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "FH-NOT-010")
    assert client.get(f"/api/receipts/{as_text('call', call_id(3))}").status_code == 200


def test_a_key_is_erased_with_its_bodies(client, instance, written) -> None:
    with writing(instance.engine) as connection:
        lifecycle.create(connection, Key(id="", name="app"), instance.clock(), instance.random)
    made = client.post("/api/audit/erase", json={"key": "app", "why": "left"})
    assert (made.status_code, len(made.json()["jobs"])) == (202, 2)


@pytest.mark.parametrize("which", [{}, {"call": "x", "key": "y"}, {"call": "no id"}])
def test_what_is_not_one_thing_is_refused(client, which) -> None:
    assert client.post("/api/audit/erase", json={**which, "why": "x"}).status_code == 400


def test_only_who_may_erase_may_hold(client, client_of, instance) -> None:
    made = client.post("/api/keys", json={"name": "looks", "role": "auditor"}).json()["secret"]
    auditor = client_of(made)
    assert auditor.get("/api/audit/holds").status_code == 200
    assert auditor.get("/api/audit/checkpoints").status_code == 200
    assert auditor.post("/api/audit/holds", json={"why": "x"}).status_code == 403
    assert auditor.post("/api/audit/erase", json={"subject": "x", "why": "x"}).status_code == 403


def test_checkpoints_and_their_consistency_are_told(client, instance, written) -> None:
    (point,) = client.get("/api/audit/checkpoints").json()
    assert point["note"].startswith(f"freehold/{instance.identity.key_id}\n{point['size']}\n")
    assert client.get("/api/audit/consistency", params={"old": 1, "new": point["size"]}).json()["proof"]


def test_bodies_of_a_key_under_hold_are_not_even_queued(client, instance, written) -> None:
    with writing(instance.engine) as connection:
        key, _ = lifecycle.create(connection, Key(id="", name="app"), instance.clock(), instance.random)
    sealed = body(7, "request", b"hello", instance.sealer)
    written.write("e1", opened(7, key_id=key.id), sealed, closed(7))
    load_once(written.path, written.engine, written.keys, pace=Pace(retention_seconds=1e12))
    client.post("/api/audit/holds", json={"key": "app", "why": "case 12"})
    for path, told in (("/api/keys/app/erase", {}), ("/api/audit/erase", {"key": "app"})):
        assert client.post(path, json={**told, "why": "left"}).status_code == 409
    assert client.get("/api/jobs").json() == []
