"""The pages of keys and budgets: a secret is shown once, forms change what they say, weak roles see what they may."""

from __future__ import annotations

import re

import pytest

SECRET = re.compile(r'class="secret">(fh-[\w-]+)<')


@pytest.fixture
def keyed(signed_in, client):
    client.post("/api/keys", json={"name": "app/search", "team": "search", "label": "internal", "budget": "12.5"})
    return signed_in


def key_of(client, name="app/search"):
    return client.get(f"/api/keys/{name}").json()


def test_keys_and_budgets_are_listed(keyed):
    page = keyed.get("/keys").text
    assert ">app/search</a>" in page and "key/app/search" in page and "team/search" in page
    assert "/api/budgets" in keyed.twin("/keys")["asked"]
    assert "freehold keys list" in page


def test_one_key_is_shown_with_its_budgets_and_calls(keyed):
    page = keyed.get("/keys/app/search").text
    assert "<h1>app/search" in page and "key/app/search" in page and "team/search" in page
    assert "No call yet" in page
    assert keyed.get("/keys/nobody").status_code == 404


def test_a_key_is_made_and_its_secret_is_shown_once(keyed, client):
    fields = {"name": "new", "label": "internal", "budget": "3", "period": "day", "tokens_per_minute": "900", "routes": "assistant",
              "routes_given": "yes", "requests_per_minute": "", "expires": "2027-01-01"}  # fmt: skip
    made = keyed.send("/keys", fields, page="/keys")
    assert made.status_code == 201
    secret = SECRET.search(made.text)[1]
    key = key_of(client, "new")
    assert (key["label"], key["budget"], key["period"], key["routes"]) == ("internal", "3", "day", ["assistant"])
    assert key["expires_at"].startswith("2027-01-01T00:00") and (
        key["requests_per_minute"],
        key["tokens_per_minute"],
    ) == (None, 900)
    assert all(secret not in keyed.get(path).text for path in ("/keys", "/keys/new", "/keys?as=json", "/audit"))


def test_a_change_sends_only_what_is_different(keyed, client, instance):
    same = {"team": "search", "role": "developer", "label": "internal", "budget": "12.5", "period": "month",
            "expires": "", "requests_per_minute": "", "tokens_per_minute": "", "routes": "*", "routes_given": "yes",
            "rights_given": "yes"}  # fmt: skip
    said = keyed.send("/keys/app/search/change", same, page="/keys/app/search")
    assert "Nothing was changed" in said.text
    told = keyed.send(
        "/keys/app/search/change", {**same, "budget": "", "tokens_per_minute": "9"}, page="/keys/app/search"
    )
    assert "app/search was changed: tokens_per_minute, budget." in told.text
    key = key_of(client)
    assert (key["budget"], key["tokens_per_minute"], key["label"]) == (None, 9, "internal")


def test_a_key_is_rotated_and_revoked(keyed, client):
    made = keyed.send("/keys/app/search/rotate", {"hours": "2"}, page="/keys/app/search")
    assert SECRET.search(made.text) and "counts for 2 hours" in made.text
    assert keyed.send("/keys/app/search/rotate", {"hours": "soon"}, page="/keys/app/search").status_code == 400
    done = keyed.send("/keys/app/search/revoke", page="/keys/app/search")
    assert "was revoked" in done.text and key_of(client)["state"] == "revoked"
    assert "app/search" not in keyed.get("/keys").text.partition('<h2 id="keys"')[2]
    assert ">app/search</a>" in keyed.get("/keys?every=yes").text


@pytest.mark.parametrize(
    "path", ["/keys", "/keys/app/search/change", "/keys/app/search/rotate", "/keys/app/search/revoke"]
)
def test_nothing_happens_without_the_word_of_the_session(keyed, client, path):
    before = client.get("/api/keys").json()
    assert keyed.client.post("/console" + path, data={"name": "x", "form": "0" * 64}).status_code == 403
    assert client.get("/api/keys").json() == before


def test_each_role_sees_what_it_may(keyed, browser_of):
    finance = browser_of("finance")
    page = finance.get("/keys")
    assert page.status_code == 200 and "team/search" in page.text
    assert "Not for your role" in page.text and ">app/search</a>" not in page.text
    auditor = browser_of("auditor")
    assert ">app/search</a>" in auditor.get("/keys").text and "Make a key" not in auditor.get("/keys").text
    assert "Revoke" not in auditor.get("/keys/app/search").text
    assert auditor.send("/keys/app/search/revoke", page="/keys").status_code == 403
    assert finance.get("/keys/app/search").status_code == 403


def test_an_install_without_keys_leads_to_the_first(signed_in):
    page = signed_in.get("/keys").text
    assert "No key" in page and "freehold keys create app" in page


def test_hostile_names_stay_text(signed_in, client, instance):
    hostile = '"><img src=x onerror=alert(1)>'
    client.post("/api/keys", json={"name": "app", "team": "search", "label": "internal"})
    page = signed_in.get(f"/keys?every={hostile}").text + signed_in.get(f"/keys/{hostile}").text
    assert "<img" not in page
