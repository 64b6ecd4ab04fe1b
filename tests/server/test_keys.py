"""Keys over the management API, down to the snapshot the data plane reads."""

from __future__ import annotations

import json
import time

import pytest

from freehold.core.db import reading
from freehold.core.snapshot import read_snapshot
from freehold.identity.keys import digest_of
from freehold.identity.types import Keys
from freehold.ledger.audit import store as audit
from freehold.policy.types import Policy


def principals(instance):
    _, content = read_snapshot(instance.home / "snapshots", "keys", Keys, instance.identity)
    return {one.digest: one for one in content.principals}


def test_a_new_key_reaches_the_data_plane(client, instance):
    made = client.post(
        "/api/keys", json={"name": "app", "label": "internal", "team": "search", "routes": ["assistant"]}
    )
    assert made.status_code == 201
    told = principals(instance)[digest_of(made.json()["secret"])]
    assert (told.name, str(told.label), told.routes, told.budgets) == (
        "app",
        "internal",
        ("assistant",),
        ("team/search",),
    )


def test_the_secret_is_told_once(client):
    secret = client.post("/api/keys", json={"name": "app"}).json()["secret"]
    assert secret not in client.get("/api/keys").text
    assert secret not in client.get("/api/keys/app").text
    assert secret not in client.post("/api/keys/app/revoke").text


def test_without_a_label_content_counts_as_top_secret(client):
    assert client.post("/api/keys", json={"name": "app"}).json()["label"] == "unknown"


def test_a_budget_of_a_key_is_in_the_policy(client, instance):
    client.post("/api/keys", json={"name": "app", "budget": "2.50", "period": "day"})
    _, policy = read_snapshot(instance.home / "snapshots", "policy", Policy, instance.identity)
    assert {one.id: str(one.limit) for one in policy.budgets} == {"key/app": "2.50", "team/search": "5"}


def test_rotation_and_revocation_reach_the_data_plane(client, instance):
    old = client.post("/api/keys", json={"name": "app"}).json()["secret"]
    new = client.post("/api/keys/app/rotate", json={"grace_seconds": 3600}).json()["secret"]
    told = principals(instance)
    assert told[digest_of(old)].revoked_at > time.time() + 3500
    assert told[digest_of(new)].revoked_at is None
    client.post("/api/keys/app/revoke")
    assert {one.revoked_at <= time.time() for one in principals(instance).values()} == {True}


def test_a_change_leaves_the_rest_and_null_takes_a_limit_away(client):
    client.post("/api/keys", json={"name": "app", "team": "search", "requests_per_minute": 5})
    changed = client.patch("/api/keys/app", json={"requests_per_minute": None, "label": "public"}).json()
    assert (changed["requests_per_minute"], changed["label"], changed["team"]) == (None, "public", "search")


def test_every_change_is_in_the_audit_with_its_actor(client, instance):
    client.post("/api/keys", json={"name": "app"})
    client.post("/api/keys/app/revoke")
    with reading(instance.engine) as connection:
        queued = audit.queued(connection, 10)
    assert [(kind, actor) for _, _, kind, actor, _ in queued] == [("key.create", "owner"), ("key.revoke", "owner")]


def test_a_change_that_fails_is_neither_kept_nor_published_nor_audited(client, instance):
    client.post("/api/keys", json={"name": "app"})
    before = dict(instance.versions)
    assert client.post("/api/keys", json={"name": "app"}).status_code == 409
    with reading(instance.engine) as connection:
        assert len(audit.queued(connection, 10)) == 1
    assert instance.versions == before


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"name": "app", "routes": ["assistnt"]}, 422),
        ({"name": "app", "label": "secretish"}, 400),
        ({"name": "app", "role": "king"}, 400),
        ({"name": "app", "colour": "red"}, 400),
        ({"name": "app", "budget": -1}, 400),
        ({"name": "app", "requests_per_minute": 0}, 400),
        ({"name": "app", "expires_at": 5}, 400),
        ({"name": "no spaces"}, 400),
        ({}, 400),
    ],
    ids=str,
)
def test_nonsense_is_refused_in_words(client, body, status):
    told = client.post("/api/keys", json=body)
    assert told.status_code == status
    assert {"code", "message", "hint"} <= set(told.json()["error"])


def test_a_key_with_a_slash_in_its_name_is_reached(client):
    client.post("/api/keys", json={"name": "team/app"})
    assert client.get("/api/keys/team%2Fapp").json()["name"] == "team/app"
    assert client.post("/api/keys/team%2Fapp/revoke").json()["state"] == "revoked"


def test_erasing_a_keys_bodies_is_queued_as_a_job(client):
    key = client.post("/api/keys", json={"name": "app"}).json()
    queued = client.post("/api/keys/app/erase", json={"why": "asked for"})
    assert queued.status_code == 202
    job = client.get(f"/api/jobs/{queued.json()['job']}").json()
    assert (job["kind"], job["payload"]) == ("capture.erase", {"key": key["id"], "why": "asked for"})


def test_a_right_reaches_the_data_plane_and_the_audit_and_can_be_taken_away(client, instance):
    made = client.post("/api/keys", json={"name": "app", "rights": ["declassify"]}).json()
    assert made["rights"] == ["declassify"]
    assert principals(instance)[digest_of(made["secret"])].rights == ("declassify",)
    client.patch("/api/keys/app", json={"rights": []})
    assert principals(instance)[digest_of(made["secret"])].rights == ()
    with reading(instance.engine) as connection:
        told = [json.loads(entry[4])["rights"] for entry in audit.queued(connection, 10)]
    assert told == [["declassify"], []]


def test_only_an_owner_gives_a_right_or_touches_a_key_that_has_one(client, client_of):
    ops = client_of(client.post("/api/keys", json={"name": "ops", "role": "operator"}).json()["secret"])
    assert ops.post("/api/keys", json={"name": "app", "rights": ["declassify"]}).status_code == 403
    client.post("/api/keys", json={"name": "app"})
    assert ops.patch("/api/keys/app", json={"rights": ["declassify"]}).status_code == 403
    client.patch("/api/keys/app", json={"rights": ["declassify"]})
    for told in (
        ops.patch("/api/keys/app", json={"label": "public"}),
        ops.post("/api/keys/app/rotate", json={}),
        ops.post("/api/keys/app/revoke"),
    ):
        assert told.status_code == 403


def test_an_operator_raises_what_a_key_counts_as_and_only_an_owner_lowers_it(client, client_of):
    ops = client_of(client.post("/api/keys", json={"name": "ops", "role": "operator"}).json()["secret"])
    client.post("/api/keys", json={"name": "hr", "label": "internal"})
    assert ops.patch("/api/keys/hr", json={"label": "restricted:GDPR"}).status_code == 200
    for lower in ("public", "restricted", "confidential:GDPR"):
        assert ops.patch("/api/keys/hr", json={"label": lower}).status_code == 403
    assert client.get("/api/keys/hr").json()["label"] == "restricted:GDPR"
    assert client.patch("/api/keys/hr", json={"label": "internal"}).status_code == 200


def test_a_right_that_there_is_not_is_refused(client):
    told = client.post("/api/keys", json={"name": "app", "rights": ["fly"]})
    assert (told.status_code, told.json()["error"]["code"]) == (400, "FH-REQ-001")


def test_the_audit_says_what_a_keys_label_was(client, instance):
    client.post("/api/keys", json={"name": "hr", "label": "restricted:GDPR"})
    client.patch("/api/keys/hr", json={"label": "internal"})
    client.patch("/api/keys/hr", json={"team": "search"})
    with reading(instance.engine) as connection:
        told = [json.loads(entry[4]) for entry in audit.queued(connection, 10)]
    assert (told[1]["label_before"], told[1]["label"]) == ("restricted:GDPR", "internal")
    assert "label" not in told[2]
