"""Guards over the management API: profiles in force, what they found, and a text they are tried on."""

from __future__ import annotations

import pytest

from freehold.core.db import writing
from freehold.guard.profile import compile_profile
from freehold.guard.settings import profiles
from freehold.ledger.findings import store
from freehold.settings.load import parse

GUARDED = """\
[policy]
guard = "bank"
[guard.bank]
rules = [
  { detector = "pii", kinds = ["IBAN"], action = "block", sources = ["user"] },
  { detector = "pii", action = "redact" },
]
[routes.open]
targets = ["v"]
guard = ""
[routes.shut]
targets = ["v"]
[targets.v]
provider = "v"
[providers.v]
base_url = "http://127.0.0.1:9/v1"
owned = true
[serving]
enabled = false
"""
NOW = 1_790_000_000.0
HOUR = int(NOW // 3600)


@pytest.fixture
def guarded(instance):
    instance.adopt(parse(GUARDED.encode(), None, {}, str(instance.home)), "test")
    instance.clock = lambda: NOW
    return instance


def digest_of(instance):
    made = {one.name: one for one in profiles(instance.settings.guard)}
    return compile_profile(made["bank"]).digest


def row(hour, detector, kind, calls=0, findings=0, failed=0, **more):
    found = {"hour": hour, "guard": "bank", "digest": "old", "route": "shut", "side": "request"}
    return {**found, "detector": detector, "kind": kind, "calls": calls, "findings": findings, "failed": failed,
            "refused": 0, **more}  # fmt: skip


def test_profiles_are_told_with_their_rules_and_routes(guarded, client):
    told = client.get("/api/guard").json()
    assert (told["default"], told["unguarded"]) == ("bank", ["open"])
    bank = next(one for one in told["profiles"] if one["name"] == "bank")
    assert (bank["routes"], bank["in_use"], bank["digest"]) == (["shut"], True, digest_of(guarded))
    assert bank["rules"][0] == {
        "detector": "pii", "kinds": ["IBAN"], "directions": ["in", "out"], "sources": ["user"], "action": "block",
        "label": "", "at_least": 0.5,
    }  # fmt: skip
    watch = next(one for one in told["profiles"] if one["name"] == "watch")
    assert (watch["routes"], watch["in_use"]) == ([], False)


def test_findings_are_told_by_window_with_what_they_lead_to(guarded, client):
    digest = digest_of(guarded)
    with writing(guarded.engine) as connection:
        store.add(connection, [
            row(HOUR, "", "", 10, 4, 1), row(HOUR - 1, "pii", "IBAN", 2, 3, digest=digest),
            row(HOUR, "pii", "IBAN", 1, 1, digest=digest), row(HOUR, "pii", "EMAIL", 1, 1), row(HOUR, "names", "", 1, 0, 1),
            row(HOUR - 24 * 8, "pii", "IBAN", 100, 100),
        ])  # fmt: skip
    told = client.get("/api/guard/findings").json()
    assert (told["until"] - told["since"], told["step_seconds"]) == (7 * 86400, 86400)
    assert [(one["calls"], one["findings"], one["failed"]) for one in told["looked"]] == [(10, 4, 1)]
    assert {(one["kind"], one["findings"], tuple(one["actions"])) for one in told["found"]} == {
        ("EMAIL", 1, ()), ("IBAN", 4, ("block", "redact")),
    }  # fmt: skip
    assert [(one["detector"], one["failed"]) for one in told["failed"]] == [("names", 1)]
    hourly = client.get("/api/guard/findings", params={"since": NOW - 3600}).json()
    assert hourly["step_seconds"] == 3600
    assert sum(one["count"] for one in hourly["over"] if one["detector"] == "pii") == 5
    assert client.get("/api/guard/findings", params={"route": "open"}).json()["found"] == []
    for wrong in (NOW + 7200, "nan", "inf", -1):
        assert client.get("/api/guard/findings", params={"since": wrong}).status_code == 400


def test_calls_with_a_finding_are_listed(guarded, client):
    assert client.get("/api/guard/findings/calls", params={"detector": "pii", "kind": "IBAN"}).json()["calls"] == []


def test_a_text_is_tried_and_kept_nowhere(guarded, client):
    text = "write to a@b.de, my IBAN is DE89 3704 0044 0532 0130 00"
    told = client.post("/api/guard/try", json={"profile": "bank", "text": text}).json()
    assert (told["blocked"], told["text"]) == ("IBAN", None)
    assert [(one["kind"], one["action"]) for one in told["findings"]] == [("EMAIL", "redact"), ("IBAN", "block")]
    assert [text[one["start"] : one["end"]] for one in told["findings"]] == [one["found"] for one in told["findings"]]
    answered = client.post("/api/guard/try", json={"profile": "bank", "text": text, "side": "answer"}).json()
    assert (answered["blocked"], answered["text"]) == ("", "write to [EMAIL], my IBAN is [IBAN]")
    assert client.get("/api/audit").json() == [] or "try" not in client.get("/api/audit").text
    refused = client.post("/api/guard/try", json={"profile": "bnak", "text": "x"})
    assert refused.status_code == 400 and "bank" in refused.json()["error"]["hint"]
    assert client.post("/api/guard/try", json={"text": "x" * 200_001}).status_code == 400
