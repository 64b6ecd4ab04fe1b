"""The page of policy: the compiled table, one decision explained, and the rows it rests on."""

from __future__ import annotations


def test_every_decision_is_drawn(signed_in):
    page = signed_in.get("/policy").text
    assert ">mine</th>" in page and ">rented</th>" in page and "restricted:GDPR" in page
    assert page.count('class="badge good">yes') > 3 and 'class="badge bad">no' in page
    assert "http://127.0.0.1:9" in page
    assert set(signed_in.twin("/policy")["asked"]) >= {"/api/policy", "/api/policy/origins", "/api/targets"}


def test_one_decision_is_explained_rule_by_rule(signed_in):
    no = signed_in.get("/policy?target=rented&label=restricted:GDPR").text
    assert "may not go" in no and ">refuses<" in no and "Rule by rule" in no
    assert "freehold policy explain rented --label restricted:GDPR" in no
    yes = signed_in.get("/policy?target=mine&label=restricted:GDPR&team=search&route=assistant").text
    assert ">may go<" in yes and "--team search --route assistant" in yes


def test_a_call_is_followed_along_its_route(signed_in, client):
    client.post("/api/keys", json={"name": "app", "label": "internal"})
    page = signed_in.get("/policy?call_route=assistant&call_key=app").text
    assert "first to <strong>mine</strong>" in page and "Targets in order" in page
    assert "freehold routes explain assistant --key app" in page
    high = signed_in.get("/policy?call_route=assistant&call_key=app&call_label=restricted:HIPAA").text
    assert "no target of the route may take it" in high
    assert 'role="alert"' in signed_in.get("/policy?call_route=nobody").text


def test_what_cannot_be_asked_is_told_beside_the_table(signed_in):
    page = signed_in.get("/policy?target=nobody&label=internal")
    assert page.status_code == 200 and 'role="alert"' in page.text and "Every decision" in page.text
    hostile = signed_in.get("/policy", params={"target": "mine", "label": '"><script>alert(1)</script>'}).text
    assert "<script>alert" not in hostile


def test_rows_are_shown_with_source_and_day(signed_in):
    page = signed_in.get("/policy/facts?party=openai-api").text
    assert "openai-api" in page and "zero_retention" in page
    assert "No row" in signed_in.get("/policy/facts?party=nobody").text


def test_a_role_without_the_right_is_told(browser_of):
    finance = browser_of("finance")
    page = finance.get("/policy").text
    assert "Not for your role" in page and "Every decision" in page
    assert finance.get("/policy/facts").status_code == 403
