"""Who may ask the management API what."""

from __future__ import annotations

import re
import time

from docs.generate import endpoints
from freehold.server.token import admin_token

FILLED = {"{side}": "request", "{call}": "call_00", "{job}": "job_00", "{leaf}": "0"}


def test_the_instances_own_token_is_made_once_and_private(tmp_path):
    token = admin_token(tmp_path)
    assert admin_token(tmp_path) == token
    assert (tmp_path / "run" / "admin.token").stat().st_mode & 0o777 == 0o600


def test_no_endpoint_answers_without_a_token_nor_to_a_plain_key(client, client_of):
    plain = client_of(client.post("/api/keys", json={"name": "app"}).json()["secret"])
    nobody = client_of(None)
    for method, path, permission, _ in endpoints():
        if not permission:
            continue
        filled = re.sub(r"\{[^}]*\}", lambda one: FILLED.get(one[0], "app"), path)
        body = {"name": "x", "why": "y", "grace_seconds": 1} if method in ("POST", "PATCH") else None
        for who, expected in ((nobody, (401, "FH-KEY-001")), (plain, (403, "FH-POL-001"))):
            told = who.request(method, filled, json=body)
            assert (told.status_code, told.json()["error"]["code"]) == expected, (method, filled)


def test_a_wrong_token_is_refused(client_of):
    told = client_of("fh-" + "a" * 43).get("/api/keys")
    assert (told.status_code, told.json()["error"]["code"]) == (401, "FH-KEY-002")


def test_a_role_may_what_it_may_and_no_more(client, client_of):
    secret = client.post("/api/keys", json={"name": "books", "role": "finance"}).json()["secret"]
    books = client_of(secret)
    assert books.get("/api/usage").status_code == 200
    assert books.get("/api/keys").status_code == 403
    assert books.get("/api/calls").status_code == 403


def test_an_operator_cannot_make_itself_an_owner(client, client_of):
    secret = client.post("/api/keys", json={"name": "ops", "role": "operator"}).json()["secret"]
    ops = client_of(secret)
    assert ops.post("/api/keys", json={"name": "app"}).status_code == 201
    assert ops.post("/api/keys", json={"name": "me", "role": "owner"}).status_code == 403
    assert ops.patch("/api/keys/ops", json={"role": "owner"}).status_code == 403
    assert ops.post("/api/keys/ops/rotate", json={}).status_code == 403
    assert ops.patch("/api/keys/app", json={"role": "operator"}).status_code == 403


def test_a_revoked_an_expired_and_a_rotated_key_are_told_apart(client, client_of, instance):
    made = {}
    for name in ("gone", "old", "late"):
        body = {"name": name, "role": "auditor"}
        if name == "late":
            body["expires_at"] = time.time() + 60
        made[name] = client.post("/api/keys", json=body).json()["secret"]
    client.post("/api/keys/gone/revoke")
    client.post("/api/keys/old/rotate", json={"grace_seconds": 0})
    assert client_of(made["late"]).get("/api/keys").status_code == 200
    instance.clock = lambda: time.time() + 120
    codes = {name: client_of(secret).get("/api/keys").json()["error"]["code"] for name, secret in made.items()}
    assert codes == {"gone": "FH-KEY-003", "old": "FH-KEY-003", "late": "FH-KEY-004"}


def test_a_rotated_key_still_counts_in_its_grace(client, client_of):
    secret = client.post("/api/keys", json={"name": "a", "role": "auditor"}).json()["secret"]
    client.post("/api/keys/a/rotate", json={"grace_seconds": 60})
    assert client_of(secret).get("/api/keys").status_code == 200
