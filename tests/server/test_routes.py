"""Routes and explanations over the management API."""

from __future__ import annotations

import pytest


def test_routes_and_targets_are_listed_without_secrets(client, monkeypatch):
    monkeypatch.setenv("V_KEY", "sk-secret-value")
    (route,) = client.get("/api/routes").json()
    assert (route["name"], route["aliases"]) == ("assistant", ["gpt-4o"])
    targets = client.get("/api/targets")
    assert {one["name"]: one["clearance"] for one in targets.json()} == {
        "mine": "restricted:GDPR",
        "rented": "internal",
    }
    assert "sk-secret-value" not in targets.text + client.get("/api/providers").text + client.get("/api/config").text


def test_a_route_is_shown_by_its_alias(client):
    assert client.get("/api/routes/gpt-4o").json()["name"] == "assistant"


def test_an_unknown_route_is_told_with_its_nearest_name(client):
    told = client.get("/api/routes/asistant")
    assert told.status_code == 404
    assert "assistant" in told.json()["error"]["hint"]


@pytest.mark.parametrize(
    ("label", "order"),
    [
        ("public", ["mine", "rented"]),
        ("internal", ["mine", "rented"]),
        ("confidential", ["mine"]),
        ("internal:GDPR", ["mine"]),
        ("internal:HIPAA", []),
        ("restricted:GDPR", ["mine"]),
        ("unknown", []),
    ],
)
def test_an_explanation_says_who_may_take_what(client, label, order):
    told = client.get("/api/routes/assistant/explain", params={"label": label}).json()
    tried = sorted((one["order"], one["target"]) for one in told["considered"] if one["order"])
    assert [name for _, name in tried] == order
    assert all(one["reason"] for one in told["considered"])


def test_without_a_label_nothing_is_assumed_harmless(client):
    assert client.get("/api/routes/assistant/explain").json()["label"] == "unknown"


def test_a_keys_label_and_scope_count(client):
    client.post("/api/keys", json={"name": "app", "label": "internal"})
    told = client.get("/api/routes/assistant/explain", params={"key": "app", "label": "public"}).json()
    assert told["label"] == "internal"
    client.post("/api/keys", json={"name": "other", "routes": ["assistant"]})
    assert client.get("/api/routes/assistant/explain", params={"key": "other"}).status_code == 200


def test_explaining_needs_no_secret_of_the_provider(client, monkeypatch):
    monkeypatch.delenv("V_KEY", raising=False)
    assert client.get("/api/routes/assistant/explain", params={"label": "public"}).status_code == 200


def test_a_broken_label_is_the_callers_mistake(client):
    assert client.get("/api/routes/assistant/explain", params={"label": "hush"}).status_code == 400
