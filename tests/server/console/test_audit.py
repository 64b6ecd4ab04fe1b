"""The page of audit: changes under a chain that is checked, holds that are made and released, all of it exported."""

from __future__ import annotations

import json

import pytest

from freehold.ledger.intake.loader import Keys, Loader


@pytest.fixture
def sign(instance):
    loader = Loader(instance.home, instance.engine, Keys(instance.identity, instance.sealer), instance.clock)
    return lambda: loader.tend(final=True)


def test_changes_are_told_under_a_chain_that_holds(signed_in, client, sign):
    client.post("/api/keys", json={"name": "app", "team": "search"})
    sign()
    page = signed_in.get("/audit").text
    assert ">hold<" in page and "key.create" in page and "console.sign_in" in page
    only = signed_in.get("/audit?kind=key.create").text
    assert "console.sign_in" not in only and "freehold audit show --kind key.create" in only
    assert "No change of that kind" in signed_in.get("/audit?kind=nonsense").text


def test_an_empty_log_says_so(signed_in):
    page = signed_in.get("/audit").text
    assert "No checkpoint yet" in page and "No change yet" in page and "Nothing is held" in page


def test_changes_are_exported(signed_in, client, sign):
    client.post("/api/keys", json={"name": "app"})
    sign()
    told = signed_in.get("/audit/export")
    assert "audit.jsonl" in told.headers["content-disposition"]
    assert "key.create" in [json.loads(one)["kind"] for one in told.text.splitlines()]


def test_a_change_has_its_receipt(signed_in, client, sign):
    client.post("/api/keys", json={"name": "app"})
    sign()
    leaf = client.get("/api/audit?kind=key.create").json()[0]["leaf"]
    assert f"/console/audit/{leaf}/receipt" in signed_in.get("/audit").text
    told = signed_in.get(f"/audit/{leaf}/receipt")
    assert told.status_code == 200 and "key.create" in told.text


def test_pages_go_back(signed_in, client, sign):
    for number in range(60):
        client.post("/api/keys", json={"name": f"k{number}"})
    sign()
    page = signed_in.get("/audit?kind=key.create").text
    older = page.partition('rel="next" href="')[2].partition('"')[0].replace("&amp;", "&")
    assert page.count(">key.create</a>") == 50
    assert signed_in.get("/audit" + older).text.count(">key.create</a>") == 10


def test_a_hold_is_made_and_released(signed_in, client):
    done = signed_in.send("/audit/holds", {"team": "search", "why": "case <b>12</b>"}, page="/audit")
    assert "Held: team search." in done.text and "case &lt;b&gt;12" in done.text
    (hold,) = client.get("/api/audit/holds").json()
    done = signed_in.send(f"/audit/holds/{hold['id']}/release", {"why": "over"}, page="/audit")
    assert "Released: team search" in done.text and client.get("/api/audit/holds").json() == []
    assert signed_in.send("/audit/holds", {"team": "search"}, page="/audit").status_code == 400, "a hold has a reason"


def test_who_may_only_look_sees_no_forms(signed_in, browser_of, client):
    auditor = browser_of("auditor")
    assert "Hold something" not in auditor.get("/audit").text
    assert auditor.send("/audit/holds", {"why": "x"}, page="/audit").status_code == 403
    assert signed_in.client.post("/console/audit/holds", data={"why": "x", "form": "1"}).status_code == 403
    assert client.get("/api/audit/holds").json() == []
    finance = browser_of("finance").get("/audit").text
    assert "Not for your role" in finance
