"""Break-glass: one person asks, another approves, the clock ends it, and the audit has each step."""

from __future__ import annotations

import time

import pytest

from freehold.core.db import reading
from freehold.core.snapshot import read_snapshot
from freehold.identity.types import Keys
from freehold.ledger.audit import store as audit
from tests.fakes.oidc import Hostile
from tests.server.signing import adopt, code, sign_in


@pytest.fixture
def person(instance, client_of, monkeypatch):
    """A client of somebody of these groups."""
    monkeypatch.setenv("OIDC_SECRET", "not-a-secret")
    with Hostile().serving() as issuer:
        adopt(instance, issuer.issuer)

        def make(subject, *groups):
            issuer.claims = {"sub": subject, "email": f"{subject}@bank.example", "email_verified": True}
            issuer.claims["groups"] = list(groups)
            return client_of(sign_in(client_of(None)).json()["token"])

        yield make


@pytest.fixture
def ada(person):
    return person("ada", "ai-operators")


@pytest.fixture
def bob(person):
    return person("bob", "ai-operators")


def ask(who, right="owner", **more):
    return who.post("/api/break-glass", json={"right": right, "why": "the owner is away", "seconds": 600, **more})


def approve(who, glass):
    return who.post(f"/api/break-glass/{glass}/approve")


def held(instance, name):
    _, content = read_snapshot(instance.home / "snapshots", "keys", Keys, instance.identity)
    (found,) = [one for one in content.principals if one.name == name]
    return found


def role(who):
    return who.get("/api/whoami").json()["role"]


def test_two_persons_make_one_an_owner_for_a_while(ada, bob, instance):
    glass = ask(ada).json()
    assert (glass["state"], role(ada)) == ("waiting", "operator")
    approved = approve(bob, glass["id"]).json()
    assert (approved["state"], approved["asked_by"], approved["approved_by"]) == (
        "active",
        "ada@bank.example",
        "bob@bank.example",
    )
    assert (role(ada), role(bob)) == ("break-glass", "operator")
    assert ada.get("/api/annotations/export").status_code == 200
    assert bob.get("/api/annotations/export").status_code == 403
    now = time.time()
    instance.clock = lambda: now + 601
    assert role(ada) == "operator"
    assert ada.get("/api/annotations/export").status_code == 403
    assert [one["state"] for one in bob.get("/api/break-glass").json()] == ["over"]


def test_nobody_approves_their_own_also_in_another_session(ada, person):
    glass = ask(ada).json()["id"]
    again = person("ada", "ai-owners")
    for who in (ada, again):
        assert code(approve(who, glass)) == (403, "FH-POL-022")
    assert role(ada) == "owner"  # by the groups of the last sign-in, not by break-glass


def test_a_key_and_the_instances_token_are_nobody_in_particular(ada, client, client_of):
    ops = client_of(client.post("/api/keys", json={"name": "ops", "role": "operator"}).json()["secret"])
    for who in (client, ops):
        assert code(ask(who)) == (403, "FH-POL-021")
        assert code(approve(who, ask(ada).json()["id"])) == (403, "FH-POL-021")


def test_who_may_not_approve_does_not(ada, person):
    glass = ask(ada).json()["id"]
    for group in ("audit", "books", "builders"):
        assert code(approve(person(f"of-{group}", group), glass)) == (403, "FH-POL-001")


def test_break_glass_makes_nothing_that_outlives_it(ada, bob, client):
    approve(bob, ask(ada).json()["id"])
    assert role(ada) == "break-glass"
    client.post("/api/keys", json={"name": "app"})
    assert ada.post("/api/keys", json={"name": "me", "role": "owner"}).status_code == 403
    assert ada.patch("/api/keys/app", json={"rights": ["declassify"]}).status_code == 403
    assert ada.post("/api/people/ada@bank.example/role", json={"role": "owner"}).status_code == 403
    assert code(approve(ada, ask(bob).json()["id"])) == (403, "FH-POL-001")


def test_a_key_holds_a_right_for_a_while(ada, bob, client, instance):
    client.post("/api/keys", json={"name": "app"})
    glass = ask(ada, "declassify", key="app").json()
    assert (glass["key"], held(instance, "app").grants) == ("app", ())
    before = time.time()
    approve(bob, glass["id"])
    after = time.time()
    assert held(instance, "app").holds("declassify", before + 599)
    assert not held(instance, "app").holds("declassify", after + 601)
    assert held(instance, "app").rights == ()
    assert role(ada) == "operator"


def test_ending_it_takes_the_right_away_at_once(ada, bob, client, instance):
    client.post("/api/keys", json={"name": "app"})
    glass = ask(ada, "declassify", key="app").json()["id"]
    approve(bob, glass)
    assert bob.post(f"/api/break-glass/{glass}/end").json()["state"] == "ended"
    assert not held(instance, "app").holds("declassify", time.time())
    assert code(bob.post(f"/api/break-glass/{glass}/end")) == (409, "FH-CON-001")


def test_only_who_asked_and_who_may_approve_end_it(ada, bob, person):
    glass = ask(ada).json()["id"]
    assert code(person("dev", "builders").post(f"/api/break-glass/{glass}/end")) == (403, "FH-POL-001")
    assert bob.post(f"/api/break-glass/{glass}/end").status_code == 200


def test_an_owner_for_a_while_may_end_it_early(ada, bob):
    glass = ask(ada).json()["id"]
    approve(bob, glass)
    assert ada.post(f"/api/break-glass/{glass}/end").json()["ended_by"] == f"person/ada@bank.example under {glass}"
    assert role(ada) == "operator"


def test_what_was_withdrawn_lapsed_or_approved_is_not_approved_again(ada, bob, person, instance):
    withdrawn = ask(ada).json()["id"]
    ada.post(f"/api/break-glass/{withdrawn}/end")
    assert code(approve(bob, withdrawn)) == (409, "FH-CON-001")
    twice = ask(ada).json()["id"]
    assert approve(bob, twice).status_code == 200
    assert code(approve(bob, twice)) == (409, "FH-CON-001")
    before = time.time()
    late, after = ask(bob).json()["id"], time.time()
    carl = person("carl", "ai-owners")
    instance.clock = lambda: before + 3599
    assert [one["state"] for one in carl.get("/api/break-glass").json() if one["id"] == late] == ["waiting"]
    instance.clock = lambda: after + 3601
    assert code(approve(carl, late)) == (409, "FH-CON-001")


def test_who_is_revoked_loses_it_at_once(ada, bob, client, instance):
    client.post("/api/keys", json={"name": "app"})
    approve(bob, ask(ada, "declassify", key="app").json()["id"])
    client.post("/api/people/ada@bank.example/revoke", json={})
    assert not held(instance, "app").holds("declassify", time.time())


@pytest.mark.parametrize(
    "body",
    [
        {"right": "fly"},
        {"right": "declassify"},
        {"right": "owner", "key": "app"},
        {"right": "owner", "seconds": 1801},
        {"right": "owner", "seconds": 1},
        {"right": "owner", "why": ""},
    ],
    ids=str,
)
def test_nonsense_is_refused(ada, client, body):
    client.post("/api/keys", json={"name": "app"})
    assert ask(ada, **body).status_code == 400


def test_an_owner_asks_for_no_ownership(person):
    assert code(ask(person("olga", "ai-owners"))) == (409, "FH-CON-001")


def test_each_step_and_each_deed_is_in_the_audit(ada, bob, instance):
    glass = ask(ada).json()["id"]
    approve(bob, glass)
    ada.get("/api/annotations/export")
    ada.post(f"/api/break-glass/{glass}/end")
    with reading(instance.engine) as connection:
        found = [(kind, actor) for _, _, kind, actor, _ in audit.queued(connection, 50)]
    assert found[-4:] == [
        ("break_glass.request", "person/ada@bank.example"),
        ("break_glass.approve", "person/bob@bank.example"),
        ("annotation.export", f"person/ada@bank.example under {glass}"),
        ("break_glass.end", f"person/ada@bank.example under {glass}"),
    ]
