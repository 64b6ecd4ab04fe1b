"""The vault's keys over the management API."""

from __future__ import annotations

import os
import time

from freehold.core.db import reading
from freehold.guard.keys import VaultKeys
from freehold.ledger.audit import store as audit


def test_an_erased_key_is_gone_and_the_audit_says_why(client, instance):
    keys = VaultKeys(instance.home / "vault", os.urandom, time.time)
    before = keys.secret("search/eu")
    told = client.get("/api/vault")
    assert [one["tenant"] for one in told.json()] == ["search/eu"]
    assert before.hex() not in told.text
    assert client.post("/api/vault/search%2Feu/erase", json={"why": "contract ended"}).json() == {"tenant": "search/eu"}
    assert client.get("/api/vault").json() == []
    assert keys.secret("search/eu") != before
    with reading(instance.engine) as connection:
        told = {entry[2]: entry[4] for entry in audit.queued(connection, 10)}
    assert "contract ended" in told["vault.erase"]


def test_without_the_right_no_key_is_erased(client, client_of, instance):
    VaultKeys(instance.home / "vault", os.urandom, time.time).secret("search")
    operator = client.post("/api/keys", json={"name": "op", "role": "operator"}).json()["secret"]
    refused = client_of(operator).post("/api/vault/search/erase", json={"why": "x"})
    assert refused.status_code == 403
    assert len(client.get("/api/vault").json()) == 1


def test_a_tenant_without_a_key_is_not_found(client):
    assert client.post("/api/vault/search/erase", json={"why": "x"}).status_code == 404
