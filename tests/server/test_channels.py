"""Channels over the management API: deployments follow, the way back leads to the same bytes, all of it is audited."""

from __future__ import annotations

import hashlib
import json

import pytest

from freehold.assurance.errata import csaf
from freehold.assurance.errata.types import Advisory, Affected
from freehold.core.crypto import Identity
from freehold.ledger.audit.store import queued
from freehold.registry.artefacts import Store
from freehold.registry.gate.types import Report
from freehold.serving.wanted import listed
from tests.serving.tiny import admit_classifier

TEXTS = {"billing": "invoice", "access": "password", "other": "parcel"}


@pytest.fixture
def store(instance):
    return Store(instance.home / "store", instance.identity)


@pytest.fixture
def first(store, tmp_path):
    return admit_classifier(store, tmp_path)


@pytest.fixture
def verdicts(monkeypatch):
    """What the gate says of files: its own rules are tested with it."""
    said = ["allow"]
    monkeypatch.setattr("freehold.server.releases.gate", lambda: lambda _folder: Report(said[0], (), "rules"))
    return said


def post(client, path, **body):
    return client.post(f"/api/channels/{path}", json=body)


def promoted(client, channel, **body):
    made = post(client, f"{channel}/tickets/promote", **{"word": "the test says so", **body})
    assert made.status_code == 200, made.text
    return made.json()


def both(client):
    """In candidate and in stable."""
    promoted(client, "candidate", release="tickets-1")
    return promoted(client, "stable")


def test_a_deployment_follows_its_channel_there_and_back_to_the_same_bytes(client, instance, store, first, tmp_path):
    both(client)
    made = client.post("/api/models/tickets@stable/deploy", json={"target": "owned-tickets"})
    assert (made.status_code, made.json()["sha256"]) == (200, first.files[0].sha256)
    before, _ = listed(instance.home)["owned-tickets"]
    second = admit_classifier(store, tmp_path, texts=TEXTS)
    promoted(client, "candidate", release="tickets-1")
    assert listed(instance.home)["owned-tickets"][0] == before
    assert promoted(client, "stable")["targets"] == ["owned-tickets"]
    then, _ = listed(instance.home)["owned-tickets"]
    assert (then.sha256, then.follows) == (second.files[0].sha256, "tickets@stable")
    assert store.open_verified(then.model).name == second.files[0].sha256
    assert client.post("/api/models/gc").status_code == 200
    gone = post(client, "stable/tickets/back", word="the new one is worse")
    assert gone.json()["targets"] == ["owned-tickets"]
    assert listed(instance.home)["owned-tickets"][0] == before
    assert store.open_verified(before.model).name == first.files[0].sha256
    with instance.reading() as connection:
        told = [(kind, json.loads(content)) for _, _, kind, _, content in queued(connection, 100)]
    kinds = [kind for kind, _ in told if kind.startswith("channel.")]
    assert kinds == [*["channel.promote"] * 4, "channel.back"]
    last = told[-1][1]
    assert (last["word"], last["targets"]) == ("the new one is worse", ["owned-tickets"])
    assert last["digest"] == before.model.partition("@")[2]


def test_what_nothing_scanned_takes_a_persons_word_and_it_is_kept(client, first):
    refused = post(client, "candidate/tickets/promote", release="tickets-1")
    assert (refused.status_code, refused.json()["error"]["code"]) == (422, "FH-ART-004")
    assert all(not one["entries"] for one in client.get("/api/channels").json())
    entry = promoted(client, "candidate", release="tickets-1", word="measured by hand")["entry"]
    assert (entry["word"], entry["by"], entry["kind"]) == ("measured by hand", "owner", "model")


def test_an_advisory_about_the_bytes_asks_for_a_word_at_every_step(client, first):
    both(client)
    notice = Advisory(
        id="FHSA-2026-0001", subject="model", title="poisoned", kind="code execution",
        affected=(Affected(digests=(first.files[0].sha256,)),), published="2026-11-23T00:00:00Z",
    )  # fmt: skip
    content = json.dumps(csaf.document(notice, "2026-11-23T00:00:00Z"))
    taken = client.post("/api/errata/documents", json={"name": "one.json", "content": content})
    assert taken.status_code == 200, taken.text
    refused = post(client, "lts/tickets/promote")
    assert "FHSA-2026-0001" in refused.json()["error"]["message"]
    promoted(client, "lts")


def test_a_share_of_the_targets_changes_over_and_a_frozen_name_does_not(client, instance, store, first, tmp_path):
    both(client)
    names = [f"owned-t{number}" for number in range(40)]
    for name in names:
        client.post("/api/models/tickets@stable/deploy", json={"target": name})
    admit_classifier(store, tmp_path, texts=TEXTS)
    promoted(client, "candidate", release="tickets-1")
    assert 0 < len(promoted(client, "stable", percent=30)["targets"]) < 25
    assert post(client, "stable/tickets/freeze").json()["entry"]["frozen"]
    assert post(client, "stable/tickets/stage", percent=100, word="on").status_code == 409
    post(client, "stable/tickets/freeze", on=False)
    post(client, "stable/tickets/stage", percent=100, word="on")
    served = {wish.sha256 for wish, _ in listed(instance.home).values()}
    assert served == {store.show("tickets-1").files[0].sha256}
    pinned = post(client, "stable/tickets/pin", digest=store.record("tickets-1").image[:12], word="on")
    assert pinned.json()["entry"]["pinned"]
    assert post(client, "stable/tickets/back", word="on").status_code == 409


def test_guard_rules_come_back_byte_for_byte_and_are_signed_or_vouched_for(client, tmp_path, verdicts):
    key = Identity.load(tmp_path / "maker.key")
    texts = ["[guards.a]\r\n", "[guards.b]\n"]
    for text in texts:
        file = {"name": "rules.toml", "kind": "guard", "content": text}
        assert post(client, "candidate/house/promote", file=file).status_code == 422
        wrong = {**file, "key": key.public.hex(), "signature": key.sign(b"other").hex()}
        assert post(client, "candidate/house/promote", file=wrong).status_code != 200
        good = {**file, "key": key.public.hex(), "signature": key.sign(text.encode()).hex()}
        assert post(client, "candidate/house/promote", file=good).json()["entry"]["word"] == ""
        assert post(client, "stable/house/promote").status_code == 200
    assert client.get("/api/channels/stable/house/bytes").content == texts[1].encode()
    entry = post(client, "stable/house/back").json()["entry"]
    assert entry["release"]["digest"] == hashlib.sha256(texts[0].encode()).hexdigest()
    assert client.get("/api/channels/stable/house/bytes").content == texts[0].encode()
    assert client.post("/api/models/house@stable/deploy", json={"target": "owned-x"}).status_code == 400
    verdicts[:] = ["block"]
    file = {"name": "rules.toml", "kind": "guard", "content": "[guards.c]\n"}
    assert post(client, "candidate/house/promote", file=file, word="please").json()["error"]["code"] == "FH-ART-003"


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("candidate/tickets/promote", {}, 400),
        ("candidate/tickets/promote", {"release": "nobody"}, 404),
        ("stable/tickets/promote", {"release": "tickets-1"}, 400),
        ("stable/tickets/promote", {}, 404),
        ("nowhere/tickets/promote", {}, 400),
        ("candidate/Tickets%20/promote", {"release": "tickets-1"}, 400),
        ("candidate/x/promote", {"file": {"name": "../x", "kind": "guard", "content": ""}}, 400),
        ("candidate/x/promote", {"file": {"name": "x", "kind": "model", "content": ""}}, 400),
        ("stable/tickets/back", {}, 404),
    ],
)
def test_what_cannot_be_promoted_changes_nothing(client, first, path, body, status):
    assert post(client, path, **body).status_code == status
    assert all(one["version"] == 0 for one in client.get("/api/channels").json())
