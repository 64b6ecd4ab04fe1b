"""The audit log's checkpoints, checked over the management API; and every change, to take along."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import text

from freehold.core.db import writing
from freehold.ledger.intake.loader import Keys, Loader


@pytest.fixture
def logged(instance, client):
    """Three checkpoints, an hour apart, over changes."""
    now = [1_790_000_000.0]
    loader = Loader(instance.home, instance.engine, Keys(instance.identity, instance.sealer), lambda: now[0])
    for number in range(3):
        for each in range(3):
            client.post("/api/keys", json={"name": f"k{number}{each}", "label": "public"})
        now[0] += 3600
        loader.tend(final=True)
    return instance


def test_a_log_that_only_grew_holds(logged, client):
    told = client.get("/api/audit/chain").json()
    assert told["good"] and [one["good"] for one in told["links"]] == [True] * 3
    assert [one["follows"] for one in told["links"]] == [told["links"][1]["size"], told["links"][2]["size"], 0]
    assert told["signed"] == told["leaves"] == told["links"][0]["size"] >= 9
    assert told["public_key"] == logged.identity.public.hex() and told["origin"].startswith("freehold/")
    newest = client.get("/api/audit/chain", params={"limit": 1}).json()
    assert len(newest["links"]) == 1 and newest["links"][0]["follows"] == told["links"][1]["size"]


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE checkpoints SET note = replace(note, 'freehold/', 'freehald/') WHERE size = :newest",
        "UPDATE checkpoints SET root = zeroblob(32) WHERE size = :newest",
        "UPDATE audit_tiles SET hashes = zeroblob(length(hashes)) WHERE level = 0",
        "DELETE FROM audit_tiles WHERE level = 0",
    ],
)
def test_what_was_changed_is_told(logged, client, change):
    newest = client.get("/api/audit/chain").json()["signed"]
    with writing(logged.engine) as connection:
        connection.execute(text(change), {"newest": newest} if ":newest" in change else {})
    told = client.get("/api/audit/chain").json()
    assert not told["good"] and any(one["problem"] for one in told["links"])


def test_a_log_without_a_checkpoint_is_not_called_good(client):
    told = client.get("/api/audit/chain").json()
    assert (told["good"], told["links"], told["signed"]) == (False, [], 0)


def test_every_change_is_exported_oldest_first(logged, client):
    lines = [json.loads(one) for one in client.get("/api/audit/export").text.splitlines()]
    assert [one["leaf"] for one in lines] == sorted(one["leaf"] for one in lines)
    assert [one["kind"] for one in lines].count("key.create") == 9
