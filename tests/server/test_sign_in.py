"""Sign-in against a real provider process: in, as what, and out again."""

from __future__ import annotations

import time

import pytest

from freehold.core.db import reading
from freehold.ledger.audit import store as audit
from tests.fakes.oidc import Provider, browse
from tests.server.signing import adopt, begin, code, finish, sign_in


@pytest.fixture(scope="module")
def provider():
    made = Provider().start()
    yield made
    made.stop()


@pytest.fixture
def nobody(instance, provider, client_of, monkeypatch):
    monkeypatch.setenv("OIDC_SECRET", "s e/c:ret")
    adopt(instance, provider.issuer)
    provider.tell("ada", email="ada@bank.example", email_verified=True, name="Ada", groups=["ai-operators", "x"])
    return client_of(None)


@pytest.fixture
def signed(nobody, client_of):
    """A client of somebody who signed in."""

    def make(subject="ada"):
        told = sign_in(nobody, subject)
        assert told.status_code == 200, told.text
        return client_of(told.json()["token"])

    return make


def kinds(instance):
    with reading(instance.engine) as connection:
        return [(kind, actor) for _, _, kind, actor, _ in audit.queued(connection, 100)]


def test_without_an_issuer_nobody_signs_in(client_of):
    nobody = client_of(None)
    assert nobody.get("/api/login").json() == {"enabled": False, "issuer": "", "redirect_port": 0}
    assert code(nobody.post("/api/login", json={"redirect_uri": "http://127.0.0.1:5/callback"})) == (409, "FH-CON-020")


def test_who_signs_in_works_in_the_role_of_their_groups(nobody, signed, instance):
    ada = signed()
    told = ada.get("/api/whoami").json()
    assert (told["name"], told["role"], told["email"]) == ("person/ada@bank.example", "operator", "ada@bank.example")
    assert ada.post("/api/keys", json={"name": "app"}).status_code == 201
    assert ada.post("/api/keys", json={"name": "me", "role": "owner"}).status_code == 403
    assert ada.get("/api/calls/call_00/bodies/request").status_code == 403
    assert ("key.create", "person/ada@bank.example") in kinds(instance)
    assert ("person.sign_in", "person/ada@bank.example") in kinds(instance)


def test_a_sessions_token_is_kept_nowhere(nobody, instance):
    token = sign_in(nobody, "ada").json()["token"]
    for path in instance.home.rglob("*"):
        if path.is_file():
            assert token.encode() not in path.read_bytes(), path


def test_a_person_without_a_group_is_known_and_let_in_by_an_owner(nobody, client, provider):
    provider.tell("bob", email="bob@bank.example", email_verified=True, groups=["x"])
    assert code(sign_in(nobody, "bob")) == (403, "FH-POL-020")
    bob = client.get("/api/people/bob@bank.example").json()
    assert (bob["state"], bob["role"]) == ("without a role", "")
    given = client.post("/api/people/bob@bank.example/role", json={"role": "auditor"}).json()
    assert (given["role"], given["role_from"]) == ("auditor", "owner")
    assert sign_in(nobody, "bob").json()["role"] == "auditor"


def test_a_changed_group_counts_at_the_next_sign_in(signed, provider):
    first = signed()
    provider.tell("ada", email="ada@bank.example", email_verified=True, groups=["books"])
    second = signed()
    for ada in (first, second):
        assert ada.get("/api/whoami").json()["role"] == "finance"
        assert ada.get("/api/keys").status_code == 403


def test_a_changed_map_of_roles_counts_at_once(signed, instance):
    ada = signed()
    file = instance.loaded.file
    file.write_text(file.read_text().replace('"ai-operators" = "operator"', '"ai-operators" = "auditor"'))
    from freehold.settings.load import load

    instance.adopt(load(str(file), str(instance.home)), "test")
    assert ada.get("/api/whoami").json()["role"] == "auditor"


def test_a_role_given_by_an_owner_counts_at_once_and_can_be_left_to_the_groups_again(signed, client):
    ada = signed()
    assert client.post("/api/people/ada@bank.example/role", json={"role": "finance"}).status_code == 200
    assert ada.get("/api/keys").status_code == 403
    client.post("/api/people/ada@bank.example/role", json={"role": None})
    assert ada.get("/api/keys").status_code == 200
    assert client.post("/api/people/ada@bank.example/role", json={"role": "king"}).status_code == 400


def test_an_operator_gives_no_roles_and_revokes_no_owner(signed, provider, client):
    provider.tell("olga", email="olga@bank.example", email_verified=True, groups=["ai-owners"])
    olga, ada = signed("olga"), signed()
    assert ada.post("/api/people/ada@bank.example/role", json={"role": "owner"}).status_code == 403
    assert ada.post("/api/people/olga@bank.example/revoke", json={}).status_code == 403
    assert olga.get("/api/whoami").json()["role"] == "owner"
    assert olga.post("/api/people/ada@bank.example/revoke", json={}).json()["state"] == "revoked"


def test_who_is_revoked_is_out_at_once_and_stays_out_until_restored(nobody, signed, client):
    ada, also = signed(), signed()
    assert client.post("/api/people/ada@bank.example/revoke", json={}).json()["sessions"] == 0
    for one in (ada, also):
        assert code(one.get("/api/whoami")) == (401, "FH-KEY-013")
    assert code(sign_in(nobody, "ada")) == (403, "FH-POL-020")
    client.post("/api/people/ada@bank.example/restore")
    assert ada.get("/api/whoami").status_code == 401
    assert sign_in(nobody, "ada").status_code == 200


def test_ending_the_sessions_alone_leaves_the_door_open(nobody, signed, client):
    ada = signed()
    client.post("/api/people/ada@bank.example/revoke", json={"sessions_only": True})
    assert code(ada.get("/api/whoami")) == (401, "FH-KEY-013")
    assert sign_in(nobody, "ada").status_code == 200


def test_signing_out_ends_that_session_alone(signed):
    ada, also = signed(), signed()
    assert ada.post("/api/logout").json() == {"ended": True}
    assert code(ada.get("/api/whoami")) == (401, "FH-KEY-013")
    assert also.get("/api/whoami").status_code == 200


def test_a_key_and_the_instances_own_token_have_no_session_to_end(client, signed):
    assert code(client.post("/api/logout")) == (403, "FH-POL-021")
    assert client.get("/api/whoami").json()["person"] == ""


def test_a_session_ends_by_the_clock(signed, instance):
    before = time.time()
    ada = signed()
    after = time.time()
    instance.clock = lambda: before + 7199
    assert ada.get("/api/whoami").status_code == 200
    instance.clock = lambda: after + 7201
    assert code(ada.get("/api/whoami")) == (401, "FH-KEY-013")


def test_a_session_does_not_outlive_its_issuer(signed, instance, provider):
    ada = signed()
    adopt(instance, provider.issuer.replace("127.0.0.1", "localhost"))
    assert code(ada.get("/api/whoami")) == (401, "FH-KEY-013")
    instance.loaded.file.write_text("")
    from freehold.settings.load import load

    instance.adopt(load(str(instance.loaded.file), str(instance.home)), "test")
    assert code(ada.get("/api/whoami")) == (401, "FH-KEY-013")


def test_a_token_that_was_never_made_opens_nothing(nobody, client_of):
    assert code(client_of("fs-" + "a" * 43).get("/api/whoami")) == (401, "FH-KEY-013")


def test_a_sign_in_counts_once(nobody):
    begun = begin(nobody)
    back = browse(begun["address"], "ada")
    assert finish(nobody, begun, back).status_code == 200
    assert code(finish(nobody, begun, back)) == (401, "FH-KEY-010")


def test_a_code_counts_only_with_the_sign_in_it_was_made_for(nobody):
    mine, other = begin(nobody), begin(nobody)
    back = browse(other["address"], "ada")
    assert code(finish(nobody, mine, {**back, "state": mine["state"]}))[1] in ("FH-KEY-011", "FH-AVA-020")
    assert code(finish(nobody, mine, back)) == (401, "FH-KEY-010")  # another's state with my ticket
    assert code(finish(nobody, other, back)) == (401, "FH-KEY-010")  # and so it is used up


def test_a_state_nobody_was_given_is_refused(nobody):
    begun = begin(nobody)
    back = browse(begun["address"], "ada")
    assert code(finish(nobody, begun, {**back, "state": "x" * 43})) == (401, "FH-KEY-010")


def test_a_sign_in_is_finished_in_minutes_or_not_at_all(nobody, instance):
    begun = begin(nobody)
    back = browse(begun["address"], "ada")
    instance.clock = lambda: time.time() + 601
    assert code(finish(nobody, begun, back)) == (401, "FH-KEY-010")


def test_who_denies_at_the_issuer_is_not_signed_in(nobody, instance):
    begun = begin(nobody)
    back = browse(begun["address"], "ada", action="deny")
    told = finish(nobody, begun, {"state": begun["state"], **back})
    assert code(told) == (401, "FH-KEY-010") and "access_denied" in told.json()["error"]["message"]
    assert ("person.refuse", "sign-in") in kinds(instance)


@pytest.mark.parametrize(
    "address",
    ["https://evil.example/callback", "http://127.0.0.1:5/elsewhere", "http://127.0.0.1.evil.example:5/callback"],
)
def test_a_sign_in_returns_to_this_machine_only(nobody, address):
    assert code(nobody.post("/api/login", json={"redirect_uri": address})) == (400, "FH-REQ-001")


def test_only_verified_addresses_of_allowed_domains_come_in(nobody, provider, instance):
    adopt(instance, provider.issuer, oidc='allowed_domains = ["bank.example"]')
    assert sign_in(nobody, "ada").status_code == 200
    provider.tell("mal", email="mal@bank.example", groups=["ai-owners"])
    assert code(sign_in(nobody, "mal")) == (403, "FH-POL-020")
    provider.tell("eva", email="eva@evil.example", email_verified=True, groups=["ai-owners"])
    assert code(sign_in(nobody, "eva")) == (403, "FH-POL-020")


def test_who_has_no_group_gets_the_default_role_where_there_is_one(nobody, provider, instance):
    adopt(instance, provider.issuer, oidc='default_role = "developer"')
    provider.tell("dan", email="dan@bank.example", email_verified=True)
    assert sign_in(nobody, "dan").json()["role"] == "developer"


def test_the_issuer_may_change_its_key(nobody, provider):
    assert sign_in(nobody, "ada").status_code == 200
    provider.stop()
    provider.start()
    assert sign_in(nobody, "ada").status_code == 200


def test_a_token_of_the_provider_that_expires_at_once_is_refused(nobody, provider, instance):
    provider.stop()
    provider.start("--token-max-age", "-120")
    try:
        assert code(sign_in(nobody, "ada")) == (401, "FH-KEY-011")
    finally:
        provider.stop()
        provider.start()


def test_sign_ins_that_nobody_finishes_are_bounded(nobody, monkeypatch):
    monkeypatch.setattr("freehold.identity.people.sign_in.MOST_PENDING", 3)
    for _ in range(3):
        begin(nobody)
    assert code(nobody.post("/api/login", json={"redirect_uri": "http://127.0.0.1:5/callback"})) == (503, "FH-AVA-021")
