"""The rim: hosts, bodies, and the error tree as JSON."""

from __future__ import annotations

import pytest

from freehold.core import errors
from freehold.server.document import OPEN_TO_ALL
from freehold.server.rim import MAX_BODY_BYTES, status_of


@pytest.mark.parametrize("host", ["evil.example", "testserver.evil.example", "127.0.0.1:80:80", "", "testserver@evil"])
def test_other_hosts_are_refused(client, host):
    told = client.get("/health", headers={"host": host})
    assert (told.status_code, told.json()["error"]["code"]) == (400, "FH-REQ-006")


@pytest.mark.parametrize("host", ["testserver", "TestServer:8701", "127.0.0.1:1"])
def test_our_hosts_are_served(client, host):
    assert client.get("/health", headers={"host": host}).json() == {"status": "ok"}


def test_a_path_in_a_forged_host_opens_nothing(client_of):
    told = client_of(None).get("/api/keys", headers={"host": "testserver/health?"})
    assert told.status_code == 400


def test_large_bodies_are_refused_unread(client):
    told = client.post("/api/keys", content=b"x" * (MAX_BODY_BYTES + 1))
    assert (told.status_code, told.json()["error"]["code"]) == (413, "FH-BIG-001")


def test_a_body_of_unknown_length_is_refused(client):
    assert client.post("/api/keys", content=iter([b"{}"])).status_code == 400


def test_what_is_not_there_and_what_may_not_be_done_is_told(client):
    assert client.get("/nowhere").json()["error"]["code"] == "FH-NOT-003"
    told = client.delete("/api/keys")
    assert (told.status_code, told.json()["error"]["code"]) == (405, "FH-REQ-007")


def test_a_defect_is_told_without_its_inside(client, instance):
    instance.publisher = None
    told = client.get("/api/routes")
    assert (told.status_code, told.json()["error"]["code"]) == (500, "FH-INT-001")
    assert "NoneType" not in told.text


def test_every_kind_of_error_has_a_status():
    for one in errors.FreeholdError.__subclasses__():
        if one.__module__ == errors.__name__ and one is not errors.Internal:
            assert 400 <= status_of(one("x")) < 504, one
            assert status_of(one("x")) != 500, one


def test_the_document_is_served_to_everybody(client_of):
    document = client_of(None).get("/openapi.json").json()
    assert "/api/keys" in document["paths"]
    assert "CallRecord" in document["components"]["schemas"]


def test_the_document_tells_generated_clients_of_the_token_and_of_the_one_form_of_errors(client_of):
    document = client_of(None).get("/openapi.json").json()
    operations = {(path, name): one for path, found in document["paths"].items() for name, one in found.items()}
    assert {path for (path, _), one in operations.items() if "security" not in one} == set(OPEN_TO_ALL)
    for one in operations.values():
        assert "422" not in one["responses"]
        assert one["responses"]["default"]["content"]["application/json"]["schema"]["$ref"].endswith("/Error")
        assert one["summary"] != "Index"
    told = client_of(None).get("/api/keys").json()
    assert set(document["components"]["schemas"]["Error"]["properties"]["error"]["required"]) == set(told["error"])
