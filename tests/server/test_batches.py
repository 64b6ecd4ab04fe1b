"""Callers' batches as those see them who run the instance."""

from __future__ import annotations

import os

import pytest

from freehold.batches import store
from freehold.batches.types import Batch, batch_text
from freehold.core.db import reading, writing
from freehold.ledger.audit import store as audit


@pytest.fixture
def batches(instance):
    """One of each status that tells them apart, oldest first."""
    made = []
    with writing(instance.engine) as connection:
        for number, status in enumerate(("completed", "in_progress", "validating")):
            one = Batch(
                id=bytes(15) + bytes([number + 1]),
                key_id=f"key_{number}",
                team="red",
                status=status,
                endpoint="/v1/chat/completions",
                label="internal",
                input_file=os.urandom(16),
                created_at=1_760_000_000.0,
                expires_at=1_760_086_400.0,
                total=4,
                completed=3,
            )
            store.add_batch(connection, one, b"sealed")
            made.append(batch_text(one.id))
    return made


def test_batches_of_all_keys_are_listed(client, batches):
    found = client.get("/api/batches").json()
    assert [one["id"] for one in found] == batches[::-1]
    assert (found[0]["key_id"], found[0]["total"], found[0]["completed"]) == ("key_2", 4, 3)
    assert found[0]["expires_at"].startswith("2025-10-10")
    assert [one["id"] for one in client.get("/api/batches?status=open").json()] == batches[:0:-1]
    assert [one["id"] for one in client.get("/api/batches?status=completed&limit=1").json()] == batches[:1]
    assert client.get("/api/batches?status=odd").status_code == 400
    assert client.get(f"/api/batches/{batches[1]}").json()["status"] == "in_progress"
    for name in ("batch_00", "x", batches[0].replace("batch_", "file-")):
        assert client.get(f"/api/batches/{name}").status_code == 404


def test_a_batch_is_cancelled_and_the_audit_says_by_whom(client, instance, batches):
    assert client.post(f"/api/batches/{batches[1]}/cancel").json()["status"] == "cancelling"
    assert client.post(f"/api/batches/{batches[1]}/cancel").json()["status"] == "cancelling"
    assert client.post(f"/api/batches/{batches[0]}/cancel").status_code == 409
    with reading(instance.engine) as connection:
        told = [entry[4] for entry in audit.queued(connection, 50) if entry[2] == "batch.cancel"]
    assert batches[1] in told[0]


def test_who_may_only_look_cancels_nothing(client, client_of, batches):
    looker = client_of(client.post("/api/keys", json={"name": "a", "role": "auditor"}).json()["secret"])
    assert looker.get("/api/batches").status_code == 200
    assert looker.post(f"/api/batches/{batches[1]}/cancel").status_code == 403
