"""Signing in at the console by the issuer: a real provider process, and a browser that goes there and back."""

from __future__ import annotations

import pytest

from tests.fakes.oidc import Provider, browse
from tests.server.signing import adopt

HERE = {"host": "127.0.0.1:8701"}


@pytest.fixture(scope="module")
def provider():
    made = Provider().start()
    yield made
    made.stop()


@pytest.fixture
def browser(instance, provider, client_of, monkeypatch):
    monkeypatch.setenv("OIDC_SECRET", "s e/c:ret")
    adopt(instance, provider.issuer)
    provider.tell("ada", email="ada@bank.example", email_verified=True, name="Ada", groups=["audit"])
    made = client_of(None)
    made.headers.update(HERE)
    return made


def there(browser):
    told = browser.get("/console/sign-in/issuer", follow_redirects=False)
    assert told.status_code == 303, told.text
    return told.headers["location"]


def test_a_person_signs_in_at_the_issuer_in_their_role(browser, provider):
    assert provider.issuer in browser.get("/console/sign-in").text
    back = browse(there(browser), "ada")
    told = browser.get("/console/callback", params=back, follow_redirects=False)
    assert (told.status_code, told.headers["location"]) == (303, "/console/"), told.text
    page = browser.get("/console/").text
    assert "ada@bank.example" in page
    assert "auditor" in page
    assert browser.get("/console/calls").status_code == 200


def test_a_code_that_somebody_else_brings_opens_nothing(browser, client_of):
    back = browse(there(browser), "ada")
    other = client_of(None)
    other.headers.update(HERE)
    told = other.get("/console/callback", params=back, follow_redirects=False)
    assert told.status_code == 401
    assert other.get("/console/", follow_redirects=False).status_code == 303


def test_who_is_revoked_is_out_at_once(browser, client):
    browser.get("/console/callback", params=browse(there(browser), "ada"), follow_redirects=False)
    assert browser.get("/console/calls").status_code == 200
    assert client.post("/api/people/ada@bank.example/revoke", json={}).status_code == 200
    assert browser.get("/console/calls", follow_redirects=False).status_code in (303, 403)
    assert "ada@bank.example" not in browser.get("/console/").text


def test_a_refusal_of_the_issuer_is_told(browser):
    address = there(browser)
    state = address.partition("state=")[2].partition("&")[0]
    told = browser.get("/console/callback", params={"state": state, "error": "access_denied"})
    assert told.status_code == 401
    assert "access_denied" in told.text
