"""A directory makes people known, moves them between groups and takes them out; who it takes out is out at once."""

from __future__ import annotations

import json

import pytest

from freehold.core.db import reading
from freehold.ledger.audit import store as audit
from tests.fakes.oidc import Hostile
from tests.server.signing import adopt, code, sign_in

TOKEN = "token-of-the-directory"
SCHEMA = "urn:ietf:params:scim:schemas:core:2.0:User"


@pytest.fixture
def issuer(instance, monkeypatch):
    monkeypatch.setenv("OIDC_SECRET", "not-a-secret")
    monkeypatch.setenv("SCIM_TOKEN", TOKEN)
    with Hostile().serving() as made:
        made.claims = {
            "sub": "sub-of-ada",
            "email": "ada@bank.example",
            "email_verified": True,
            "groups": ["ai-owners"],
        }
        adopt(instance, made.issuer, oidc='groups_from = "scim"', identity='scim_token = "${env:SCIM_TOKEN}"')
        yield made


@pytest.fixture
def directory(issuer, client_of):
    return client_of(TOKEN)


@pytest.fixture
def ada(directory):
    """The directory's id of somebody it made known."""
    told = directory.post("/scim/v2/Users", json=user("Ada@Bank.example"))
    assert told.status_code == 201, told.text
    return told.json()["id"]


@pytest.fixture
def operators(directory, ada):
    made = directory.post("/scim/v2/Groups", json={"displayName": "ai-operators", "members": [{"value": ada}]})
    assert made.status_code == 201, made.text
    return made.json()["id"]


def user(name, **more):
    told = {"schemas": [SCHEMA], "userName": name, "externalId": f"id-of-{name}", "displayName": "Somebody"}
    return {**told, "name": {"familyName": "x"}, "active": True, **more}


def patch(who, path, *steps):
    return who.patch(path, json={"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": steps})


def test_without_a_token_in_the_settings_the_door_is_closed(instance, client_of, monkeypatch):
    for token in (TOKEN, "", None):
        assert client_of(token).get("/scim/v2/Users").status_code == 401
    monkeypatch.setenv("OIDC_SECRET", "x")
    adopt(instance, "http://127.0.0.1:1", identity='scim_token = "${env:NOT_SET_ANYWHERE}"')
    assert client_of(TOKEN).get("/scim/v2/Users").status_code == 401


def test_the_directorys_token_opens_nothing_else(directory):
    for path in ("/api/keys", "/api/people", "/api/whoami", "/api/status"):
        assert code(directory.get(path)) == (403, "FH-POL-001")


def test_who_the_directory_put_into_a_group_signs_in_with_its_role(issuer, ada, operators, client_of, client):
    told = sign_in(client_of(None)).json()
    assert (told["person"], told["role"]) == (ada, "operator")  # and not what the token's own groups would give
    assert client.get(f"/api/people/{ada}").json()["role_from"] == "groups"


def test_a_changed_group_counts_at_the_next_request(issuer, ada, operators, directory, client_of):
    session = client_of(sign_in(client_of(None)).json()["token"])
    assert session.get("/api/keys").status_code == 200
    patch(directory, f"/scim/v2/Groups/{operators}", {"op": "remove", "path": f'members[value eq "{ada}"]'})
    assert code(session.get("/api/keys")) == (403, "FH-POL-020")
    patch(directory, f"/scim/v2/Groups/{operators}", {"op": "Add", "path": "members", "value": [{"value": ada}]})
    assert session.get("/api/keys").status_code == 200


@pytest.mark.parametrize(
    "step",
    [
        {"op": "replace", "path": "active", "value": False},
        {"op": "Replace", "path": "active", "value": "False"},
        {"op": "replace", "value": {"active": False}},
    ],
    ids=str,
)
def test_who_is_no_longer_active_is_out_at_once_and_stays_out(ada, operators, directory, client_of, client, step):
    session = client_of(sign_in(client_of(None)).json()["token"])
    assert patch(directory, f"/scim/v2/Users/{ada}", step).json()["active"] is False
    assert code(session.get("/api/whoami")) == (401, "FH-KEY-013")
    assert code(sign_in(client_of(None))) == (403, "FH-POL-020")
    assert client.get(f"/api/people/{ada}").json()["state"] == "deactivated"
    patch(directory, f"/scim/v2/Users/{ada}", {"op": "replace", "path": "active", "value": True})
    assert session.get("/api/whoami").status_code == 401
    assert sign_in(client_of(None)).status_code == 200


def test_who_is_taken_out_is_unknown_and_comes_back_as_the_same_person(issuer, ada, operators, directory, client_of):
    session = client_of(sign_in(client_of(None)).json()["token"])
    assert directory.delete(f"/scim/v2/Users/{ada}").status_code == 204
    assert session.get("/api/whoami").status_code == 401
    assert directory.get(f"/scim/v2/Users/{ada}").status_code == 404
    assert directory.get("/scim/v2/Users").json()["totalResults"] == 0
    assert directory.get(f"/scim/v2/Groups/{operators}").json()["members"] == []
    assert code(sign_in(client_of(None))) == (403, "FH-POL-020")
    again = directory.post("/scim/v2/Users", json=user("ada@bank.example"))
    assert (again.status_code, again.json()["id"], again.json()["active"]) == (201, ada, True)


def test_people_and_groups_are_found_by_name(directory, ada, operators):
    found = directory.get("/scim/v2/Users", params={"filter": 'userName eq "ada@bank.EXAMPLE"'}).json()
    assert [one["id"] for one in found["Resources"]] == [ada]
    assert found["Resources"][0]["groups"] == [{"value": operators, "display": "ai-operators"}]
    assert directory.get("/scim/v2/Users", params={"filter": 'userName eq "bob"'}).json()["Resources"] == []
    found = directory.get("/scim/v2/Groups", params={"filter": 'displayName eq "ai-operators"'}).json()
    assert [one["members"] for one in found["Resources"]] == [[{"value": ada}]]


def test_lists_come_in_pages(directory):
    for index in range(5):
        directory.post("/scim/v2/Users", json=user(f"u{index}"))
    page = directory.get("/scim/v2/Users", params={"startIndex": 4, "count": 3}).json()
    assert (page["totalResults"], page["startIndex"], page["itemsPerPage"]) == (5, 4, 2)


def test_a_group_loses_its_role_with_its_name_and_its_end(issuer, ada, operators, directory, client_of):
    session = client_of(sign_in(client_of(None)).json()["token"])
    patch(
        directory, f"/scim/v2/Groups/{operators}", {"op": "replace", "value": {"id": operators, "displayName": "audit"}}
    )
    assert session.get("/api/whoami").json()["role"] == "auditor"
    assert directory.delete(f"/scim/v2/Groups/{operators}").status_code == 204
    assert session.get("/api/whoami").status_code == 403


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "Users", {"displayName": "nameless"}, 400),
        ("POST", "Users", user("Ada@bank.example"), 409),
        ("POST", "Users", user("x", active="perhaps"), 400),
        ("POST", "Users", user("x" * 400), 400),
        ("POST", "Users", user("x", emails="x@y"), 400),
        ("POST", "Users", ["x"], 400),
        ("PATCH", "Users/{ada}", {}, 400),
        ("PATCH", "Users/{ada}", {"Operations": [{"op": "remove", "path": "userName"}]}, 400),
        ("PATCH", "Users/{ada}", {"Operations": [{"op": "replace", "path": "roles", "value": ["owner"]}]}, 400),
        ("PATCH", "Users/nobody", {"Operations": []}, 404),
        ("POST", "Groups", {}, 400),
        ("POST", "Groups", {"displayName": "g", "members": [{"value": "nobody"}]}, 404),
        ("PATCH", "Groups/nothing", {"Operations": []}, 404),
        ("GET", 'Users?filter=userName co "a"', None, 400),
        ("GET", "Users?count=100000", None, 400),
    ],
    ids=str,
)
def test_nonsense_is_refused_in_scims_words(directory, ada, method, path, body, status):
    told = directory.request(method, f"/scim/v2/{path.format(ada=ada)}", json=body)
    assert told.status_code == status, told.text
    assert told.headers["content-type"].startswith("application/scim+json")
    assert told.json()["status"] == str(status) and told.json()["detail"]


def test_two_groups_do_not_share_a_name(directory, operators):
    assert directory.post("/scim/v2/Groups", json={"displayName": "ai-operators"}).status_code == 409


def test_the_directory_gives_no_role_itself(directory, ada, client):
    patch(
        directory,
        f"/scim/v2/Users/{ada}",
        {"op": "replace", "value": {"roles": [{"value": "owner"}], "displayName": "A"}},
    )
    assert client.get(f"/api/people/{ada}").json()["role"] == ""


def test_what_the_directory_does_is_in_the_audit(directory, ada, operators, instance):
    directory.delete(f"/scim/v2/Users/{ada}")
    with reading(instance.engine) as connection:
        found = [(one[2], one[3], json.loads(one[4])) for one in audit.queued(connection, 50) if one[3] == "scim"]
    assert [kind for kind, _, _ in found] == ["scim.person.create", "scim.group.create", "scim.person.delete"]
    assert found[2][2] == {"person": ada}


def test_an_address_the_issuer_did_not_verify_is_linked_to_nobody(issuer, ada, operators, client_of):
    issuer.claims["email_verified"] = False
    assert code(sign_in(client_of(None))) == (403, "FH-POL-020")
    issuer.claims["sub"] = "id-of-Ada@Bank.example"
    assert sign_in(client_of(None)).json()["person"] == ada
