"""Who is let in to the console, for how long, in which browser; and what every answer carries."""

from __future__ import annotations

import re

import pytest

from freehold.identity.console.sessions import IDLE_SECONDS, LINK_SECONDS, LONGEST_SECONDS
from freehold.server.console.app import ACTIONS, FILES, LIVES, PAGES
from tests.server.conftest import TOKEN
from tests.server.console.conftest import FORM, Browser

BARE = re.compile(r"\{[^}]*\}")


@pytest.fixture
def clock(instance, monkeypatch):
    class Clock:
        now = instance.clock()

        def __call__(self):
            return self.now

    made = Clock()
    instance.clock = made
    return made


def cookie_of(told):
    return told.headers["set-cookie"]


def test_a_stranger_is_led_to_sign_in_and_back(client_of):
    client = client_of(None)
    for page in PAGES:
        told = client.get("/console" + BARE.sub("x", page.path), follow_redirects=False)
        assert told.status_code == 303, page.path
        assert told.headers["location"].startswith("/console/sign-in?to=/console")
    for one in (*FILES, *LIVES):
        method = getattr(one, "method", "GET")
        assert client.request(method, "/console" + BARE.sub("x", one.path)).status_code == 401, one.path
    for action in ACTIONS:
        told = client.post("/console" + BARE.sub("x", action.path), follow_redirects=False)
        assert told.headers["location"].startswith("/console/sign-in"), action.path
    told = client.post("/console/sign-in", data={"key": TOKEN, "to": "/console/calls?route=a"}, follow_redirects=False)
    assert told.headers["location"] == "/console/calls?route=a"


@pytest.mark.parametrize("to", ["https://evil.example", "//evil.example", "/\\evil.example", "/console//evil", "x", ""])
def test_signing_in_leads_nowhere_else(client_of, to):
    told = client_of(None).post("/console/sign-in", data={"key": TOKEN, "to": to}, follow_redirects=False)
    assert told.headers["location"] == "/console/"


def test_a_link_counts_once_and_only_when_it_is_sent(client, client_of, clock):
    path = client.post("/api/console/links").json()["path"]
    word = path.partition("link=")[2]
    assert client_of(None).get(path).status_code == 200, "what looks at links before people do"
    first = client_of(None).post("/console/sign-in", data={"link": word}, follow_redirects=False)
    assert first.status_code == 303
    again = client_of(None).post("/console/sign-in", data={"link": word}, follow_redirects=False)
    assert again.status_code == 401
    assert "freehold console" in again.text
    late = client.post("/api/console/links").json()["path"].partition("link=")[2]
    clock.now += LINK_SECONDS
    assert client_of(None).post("/console/sign-in", data={"link": late}, follow_redirects=False).status_code == 401


def test_a_link_signs_in_as_who_asked_for_it(client, client_of):
    secret = client.post("/api/keys", json={"name": "books", "role": "finance"}).json()["secret"]
    word = client_of(secret).post("/api/console/links").json()["path"].partition("link=")[2]
    browser = client_of(None)
    browser.post("/console/sign-in", data={"link": word})
    page = browser.get("/console").text
    assert "key/books" in page
    assert browser.get("/console/calls").status_code == 403


def test_an_applications_key_may_see_nothing(client, client_of):
    secret = client.post("/api/keys", json={"name": "app"}).json()["secret"]
    told = client_of(None).post("/console/sign-in", data={"key": secret}, follow_redirects=False)
    assert told.status_code == 403
    assert "application" in told.text
    assert secret not in told.text


def test_what_ends_the_key_ends_the_session(client, client_of):
    secret = client.post("/api/keys", json={"name": "aud", "role": "auditor"}).json()["secret"]
    browser = Browser(client_of(None)).enter(secret)
    assert browser.get("/calls").status_code == 200
    client.post("/api/keys/aud/revoke")
    assert browser.get("/calls", follow_redirects=False).status_code == 303


def test_sessions_end_when_unused_and_in_the_end(signed_in, clock, instance):
    step = IDLE_SECONDS - 1
    lived = 0.0
    while lived + step < LONGEST_SECONDS:
        clock.now += step
        lived += step
        assert signed_in.get("/calls", follow_redirects=False).status_code == 200, lived
    clock.now += step
    assert signed_in.get("/calls", follow_redirects=False).status_code == 303


def test_an_unused_session_ends(signed_in, clock):
    clock.now += IDLE_SECONDS
    assert signed_in.get("/calls", follow_redirects=False).status_code == 303


def test_a_cookie_opens_nothing_in_another_browser(signed_in):
    assert signed_in.get("/calls", headers={"user-agent": "thief"}, follow_redirects=False).status_code == 303


def test_sessions_are_listed_and_revoked(client, signed_in, browser_of):
    browser_of("auditor")
    found = client.get("/api/console/sessions").json()
    assert [one["by"] for one in found] == ["key", "owner"]
    mine = next(one for one in found if one["by"] == "owner")
    assert client.post(f"/api/console/sessions/{mine['id']}/revoke").json() == {"ended": True}
    assert signed_in.get("/calls", follow_redirects=False).status_code == 303
    assert client.post(f"/api/console/sessions/{mine['id']}/revoke").status_code == 404


def test_signing_out_ends_the_session_not_the_cookie_alone(signed_in):
    kept = dict(signed_in.client.cookies)
    assert signed_in.send("/sign-out", follow_redirects=False).status_code == 303
    signed_in.client.cookies.update(kept)
    assert signed_in.get("/calls", follow_redirects=False).status_code == 303


def test_the_cookie_is_kept_from_scripts_and_other_sites(client_of):
    told = client_of(None).post("/console/sign-in", data={"key": TOKEN}, follow_redirects=False)
    words = {one.strip().lower() for one in cookie_of(told).split(";")}
    assert {"httponly", "samesite=lax", "path=/console"} <= words
    assert TOKEN not in cookie_of(told)


def test_every_page_runs_no_script_but_ours_and_holds_no_secret(signed_in):
    for path in ("/", "/calls", "/nowhere"):
        told = signed_in.get(path)
        policy = told.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert told.headers["cache-control"] == "no-store"
        assert told.headers["x-content-type-options"] == "nosniff"
        assert TOKEN not in told.text
        assert not re.search(r"<script(?![^>]*(src=|application/json))|\son\w+=|\sstyle=|javascript:", told.text), path


@pytest.mark.parametrize("path", [one.path for one in ACTIONS] + ["/sign-out"])
def test_no_form_is_taken_without_the_word_of_its_session(signed_in, browser_of, path):
    other = FORM.search(browser_of().get("/calls").text)[1]
    target = BARE.sub("x", path)
    for word in ("", "00", "zz", "00" * 48, other):
        told = signed_in.client.post("/console" + target, data={"form": word}, follow_redirects=False)
        assert told.status_code == 403, word
        assert "FH-POL-023" in told.text


def test_a_form_from_another_site_is_refused(signed_in, client_of):
    for headers in ({"sec-fetch-site": "cross-site"}, {"origin": "https://evil.example"}):
        assert signed_in.send("/sign-out", headers=headers, follow_redirects=False).status_code == 403
        told = client_of(None).post("/console/sign-in", data={"key": TOKEN}, headers=headers, follow_redirects=False)
        assert told.status_code == 403


def test_the_word_of_a_form_differs_from_page_to_page(signed_in):
    words = {FORM.search(signed_in.get("/calls").text)[1] for _ in range(3)}
    assert len(words) == 3


def test_no_host_but_those_allowed(signed_in):
    assert signed_in.get("/calls", headers={"host": "evil.example"}).status_code == 400


def test_a_session_of_a_role_sees_what_the_role_may(browser_of):
    finance = browser_of("finance")
    told = finance.get("/calls")
    assert told.status_code == 403
    assert "Not for your role" in told.text
    assert finance.get("/").status_code == 200
    assert "/console/calls" not in finance.get("/").text.partition("<main")[0], "no way to where one may not go"


def test_the_theme_is_kept_and_nothing_else(signed_in):
    told = signed_in.client.post("/console/theme", data={"theme": "dark", "to": "/console/calls"})
    assert 'data-theme="dark"' in told.text
    signed_in.client.post("/console/theme", data={"theme": '"><script>', "to": "https://evil.example"})
    assert "<script>" not in signed_in.get("/calls").text
