"""Routes and explanations over the management API."""

from __future__ import annotations

import pytest

from tests.server.conftest import CONFIG


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


def test_a_teams_rule_and_a_contract_count_for_the_key_that_is_named(client, tmp_path):
    file = tmp_path / "freehold.toml"
    paper = 'attribute = "trains_by_default"\nvalue = "no"\nreason = "r"\nby = "b"\nsince = 2026-01-01\n'
    text = CONFIG.replace("[targets.rented]\n", '[targets.rented]\nclearance = "confidential"\nregion = "US"\n')
    text = text.replace("budget = 5\n", 'budget = 5\nregions = ["EU"]\n')
    file.write_text(f'{text}\n[[policy.contracts]]\nparty = "provider/v"\n{paper}')
    assert client.post("/api/config/reload").status_code == 200
    for team, tried in (("search", []), ("other", ["mine", "rented"])):
        client.post("/api/keys", json={"name": team, "label": "confidential", "team": team})
        told = client.get("/api/routes/assistant/explain", params={"key": team}).json()
        assert sorted(one["target"] for one in told["considered"] if one["order"]) == tried
