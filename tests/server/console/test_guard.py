"""The page of guardrails: what was found in a window, by which rules, and a text that is tried."""

from __future__ import annotations

import pytest

from freehold.core.db import writing
from freehold.ledger.findings import store
from freehold.settings.load import parse
from tests.server.test_guard import GUARDED, HOUR, NOW, digest_of, row

HOSTILE = '<script>alert(1)</script> "><img src=x onerror=alert(1)> to a@b.de'


@pytest.fixture
def guarded(instance):
    instance.adopt(parse(GUARDED.encode(), None, {}, str(instance.home)), "test")
    return instance


@pytest.fixture
def found(guarded):
    """Findings of the last hours before the clock stands."""
    digest = digest_of(guarded)
    with writing(guarded.engine) as connection:
        store.add(connection, [
            row(HOUR, "", "", 10, 6, 1, refused=2), row(HOUR - 30, "", "", 5), row(HOUR, "names", "", 1, 0, 1),
            row(HOUR, "pii", "IBAN", 2, 3, digest=digest, refused=2), row(HOUR - 30, "pii", "EMAIL", 2, 3),
            row(HOUR, "custom", '"><img src=x>', 1, 1),
        ])  # fmt: skip
    return guarded


@pytest.fixture
def browser(signed_in, guarded):
    guarded.clock = lambda: NOW
    return type(signed_in)(signed_in.client).enter("token-of-the-owner")


def test_findings_of_a_window_are_told_with_their_source(found, browser):
    page = browser.get("/guard").text
    assert "guards&#39; sums by the hour" in page and ">15<" in page
    assert "<svg" in page and "Findings by detector" in page and "As a table" in page
    assert "names on 1 calls" in page and "kind=IBAN&amp;side=request" in page
    assert ">block<" in page and ">redact<" in page and "rules of before" in page
    day = browser.get("/guard?days=1").text
    assert ">EMAIL<" not in day and ">IBAN<" in day
    assert "/api/guard" in browser.twin("/guard")["asked"]


def test_rules_and_thresholds_are_shown(guarded, browser):
    page = browser.get("/guard").text
    assert "Profiles and thresholds" in page and ">0.5<" in page and "<strong>bank</strong>" in page
    assert "nothing scans" in page and "route=open" in page
    assert "Nothing was looked at in this window" in page


def test_a_text_is_tried_and_its_findings_are_marked(guarded, browser):
    text = "pay DE89 3704 0044 0532 0130 00 to a@b.de"
    page = browser.send("/guard/try", {"profile": "bank", "text": text, "side": "answer"}, page="/guard").text
    assert ">a@b.de<span" in page and "pii/EMAIL" in page and "pay [IBAN] to [EMAIL]" in page
    blocked = browser.send("/guard/try", {"profile": "bank", "text": text, "side": "request"}, page="/guard").text
    assert "The call would be refused: IBAN was found" in blocked
    assert browser.send("/guard/try", {"profile": "no", "text": text}, page="/guard").status_code == 400


def test_hostile_texts_and_kinds_stay_text(found, browser):
    tried = browser.send("/guard/try", {"profile": "watch", "text": HOSTILE}, page="/guard").text
    assert "<script>alert" not in tried and "<img" not in tried and "&lt;script&gt;" in tried
    assert "<img" not in browser.get("/guard").text
    assert "<img" not in browser.get("/guard/calls", params={"detector": "custom", "kind": '"><img src=x>'}).text


def test_a_try_needs_the_word_of_the_session(guarded, browser):
    sent = browser.client.post("/console/guard/try", data={"text": "x", "form": "0"})
    assert sent.status_code == 403


def test_calls_of_a_kind_are_listed_or_said_to_be_older(found, browser):
    page = browser.get("/guard/calls?detector=pii&kind=IBAN&side=request").text
    assert "None among the newest calls" in page


def test_a_role_that_sees_no_settings_sees_the_sums(found, browser_of):
    page = browser_of("finance").get("/guard").text
    assert "Not for your role" in page and "Profiles and thresholds" not in page and "Calls looked at" in page
