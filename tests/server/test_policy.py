"""What may go where, over the management API: the same decisions as on the hot path, and nobody without leave to read."""

from __future__ import annotations

import io
import os

import pytest

from freehold.core.log import Log
from freehold.server.watch import Watch
from tests.server.conftest import CONFIG


def test_the_policy_in_force_is_shown_with_what_to_look_at(client):
    found = client.get("/api/policy").json()
    assert (found["air_gapped"], found["closed"], found["rules"], found["contracts"]) == (False, "", [], [])
    assert found["remarks"] == []


def test_a_decision_is_explained_rule_by_rule(client):
    asked = {"target": "rented", "label": "confidential:GDPR"}
    found = client.get("/api/policy/explain", params=asked).json()
    assert not found["allowed"] and "cleared for internal" in found["reason"]
    verdicts = {one["rule"]: one["passes"] for one in found["steps"]}
    assert verdicts == {
        "air_gap": True, "closed": True, "clearance": False, "unknown": True, "narrowed": True, "vendor": False,
    }  # fmt: skip
    assert any("trains_by_default" in one for one in found["rows"])
    assert client.get("/api/policy/explain", params={"target": "mine", "label": "internal"}).json()["allowed"]


def test_the_table_holds_every_label_and_target(client):
    found = client.get("/api/policy/table").json()
    cells = {(one["label"], one["target"]): one["allowed"] for one in found}
    assert cells["internal", "rented"] and not cells["confidential", "rented"] and cells["restricted:GDPR", "mine"]
    assert {label for label, _ in cells} >= {"public", "unknown", "restricted:CLASSIFIED", "internal:HIPAA"}
    assert len(cells) == len(found) and all(one["allowed"] == (one["rule"] == "") for one in found)


def test_expectations_are_held_against_it(client):
    cases = [
        {"label": "internal", "target": "rented", "expect": "allow"},
        {"label": "restricted", "target": "rented", "expect": "allow", "team": "search"},
    ]
    found = client.post("/api/policy/test", json={"cases": cases}).json()
    assert [one["passed"] for one in found] == [True, False] and found[1]["got"] == "deny"


@pytest.mark.parametrize(
    "case",
    [
        {"label": "internal", "target": "nowhere", "expect": "allow"},
        {"label": "secret", "target": "rented", "expect": "allow"},
        {"label": "internal", "target": "rented", "expect": "maybe"},
        {"label": "internal", "target": "rented", "expect": "allow", "tem": "x"},
    ],
)
def test_what_is_no_expectation_is_refused(client, case):
    assert client.post("/api/policy/test", json={"cases": [case]}).status_code in (400, 422)


def test_addresses_are_told_with_their_targets(client):
    (found,) = client.get("/api/policy/origins").json()
    assert found == {"scheme": "http", "host": "127.0.0.1", "port": 9, "targets": ["mine", "rented"]}


def test_facts_are_told_with_source_and_date(client):
    found = client.get("/api/policy/facts", params={"party": "openai-api"}).json()
    assert found and all(one["party"] == "openai-api" and one["source"] and one["as_of"] for one in found)


def test_an_air_gap_leaves_no_trace_of_rented_targets(instance, client, tmp_path):
    file = tmp_path / "freehold.toml"
    file.write_text(CONFIG + "[policy]\nair_gapped = true\n")
    client.post("/api/config/reload")
    assert [one["name"] for one in client.get("/api/targets").json()] == ["mine"]
    assert client.get("/api/policy/origins").json()[0]["targets"] == ["mine"]
    assert b"rented" not in (instance.home / "snapshots" / "routes.snapshot").read_bytes()


@pytest.mark.parametrize("path", ["", "/facts", "/table", "/explain?target=mine", "/origins"])
def test_only_who_may_read_the_configuration_may_ask(client_of, path):
    assert client_of(None).get(f"/api/policy{path}").status_code == 401


def test_rules_that_break_while_it_runs_leave_those_in_force(instance, client, tmp_path):
    file, rules = tmp_path / "freehold.toml", tmp_path / "rules.cedar"
    rules.write_text("permit(principal, action, resource);")
    file.write_text(CONFIG + '[policy]\ncedar = "rules.cedar"\n')
    out = io.StringIO()
    watch = Watch(instance, str(file), Log("test", out))
    watch.check()
    before = client.get("/api/policy").json()
    assert "permit" in before["cedar"]

    rules.write_text("permit(principal, action, resource) when { resource.ownd };")
    os.utime(rules, ns=(1, 1))
    watch.check()
    assert client.get("/api/policy").json() == before and "FH-CFG-020" in out.getvalue()
    (problem,) = client.get("/api/config").json()["problems"]
    assert "ownd" in problem["message"] and problem["where"].startswith("freehold.toml:")

    rules.write_text("permit(principal, action, resource) when { resource.owned };")
    os.utime(rules, ns=(2, 2))
    watch.check()
    after = client.get("/api/policy").json()
    assert after["version"] == before["version"] + 1 and "owned" in after["cedar"]
    asked = {"target": "rented", "label": "public"}
    assert "do not permit" in client.get("/api/policy/explain", params=asked).json()["reason"]
