"""The table of who may do what, held against every endpoint of the application and every role."""

from __future__ import annotations

import re

import pytest
from fastapi.routing import APIRoute
from starlette.testclient import TestClient

from docs.generate import endpoints
from freehold.core.errors import Forbidden
from freehold.identity.roles import EMERGENCY, PROVISIONER, ROLES, permissions
from freehold.server.access import ACCESS, roles_for
from freehold.server.actors import Actor, Allowed, actor_of
from freehold.server.app import create_app, guarded
from freehold.server.document import OPEN_TO_ALL
from tests.server.conftest import TOKEN
from tests.server.test_actors import FILLED

EVERY_ROLE = (*ROLES, EMERGENCY, PROVISIONER, "application", "service", "")
CHANGES = {
    "auditor": set(),
    "finance": {"/api/plans", "/api/plans/{plan}/keep"},
    "developer": {"/api/break-glass", "/api/break-glass/{name}/end"},
}
"""What the roles that look may set off: besides their own session, and questions that change nothing."""
QUESTIONS = {
    "/api/evals/search",
    "/api/guard/try",
    "/api/playground",
    "/api/policy/test",
    "/api/models/{name}/verify",
    "/api/plans/{plan}/solve",
    "/api/console/links",
    "/api/logout",
    "/api/login",
    "/api/login/finish",
}


def demanded(route):
    """Every permission that stands before an endpoint, in whatever depth."""
    waiting, found = [route.dependant], set()
    while waiting:
        one = waiting.pop()
        waiting += one.dependencies
        if isinstance(one.call, Allowed):
            found.add(one.call.permission)
    return found


def served():
    """Every endpoint of the application as it is served, however it got there."""
    waiting, routes = list(create_app(None, TOKEN).routes), []
    while waiting:
        one = waiting.pop()
        inner = getattr(one, "original_router", None)
        if inner is not None:
            waiting += inner.routes
        elif isinstance(one, APIRoute):
            routes.append(one)
        else:
            # The console gives nothing that the endpoints do not: it asks them as the one who looks.
            assert one.path in ("/", "/console", "/openapi.json"), one
    return [(method, route.path, route) for route in routes for method in route.methods]


def test_the_table_has_every_endpoint_and_no_other():
    there = sorted((path, method) for method, path, _ in served())
    told = [(path, method) for method, path, _ in ACCESS]
    assert told == sorted(told), "keep the table in the order of its paths"
    assert told == there, "write new endpoints into server/access.py, with what they demand"


def test_the_table_says_what_each_endpoint_demands():
    told = {(method, path): permission for method, path, permission in ACCESS}
    strictest = {(method, path): permission for method, path, permission, _ in endpoints()}
    assert told == strictest
    for method, path, route in served():
        assert demanded(route) == ({told[method, path]} if told[method, path] else set()) or (
            told[method, path] in demanded(route)
        ), (method, path)


def test_what_takes_no_token_is_the_probe_and_the_sign_in():
    assert {path for _, path, permission in ACCESS if not permission} == set(OPEN_TO_ALL)


@pytest.mark.parametrize("role", EVERY_ROLE)
def test_a_role_passes_every_endpoint_it_may_and_no_other(role):
    for method, path, route in served():
        wanted = demanded(route)
        passed = True
        for one in wanted:
            try:
                Allowed(one)(Actor("somebody", role))
            except Forbidden:
                passed = False
        assert passed == (wanted <= permissions(role)), (role, method, path)
        if role in ROLES and wanted:
            permission = next(permission for m, p, permission in ACCESS if (m, p) == (method, path))
            assert passed <= (role in roles_for(permission)), (role, method, path)


@pytest.mark.parametrize("role", EVERY_ROLE)
def test_a_role_that_may_not_is_told_so_by_the_endpoint_itself(role, instance):
    app = create_app(instance, TOKEN)
    app.dependency_overrides[actor_of] = lambda: Actor("somebody", role)
    with TestClient(guarded(app, ("testserver",)), raise_server_exceptions=False) as client:
        for method, path, permission in ACCESS:
            if permission and permission not in permissions(role):
                filled = re.sub(r"\{[^}]*\}", lambda one: FILLED.get(one[0], "app"), path)
                told = client.request(method, filled, json={} if method in ("POST", "PATCH", "PUT") else None)
                assert (told.status_code, told.json()["error"]["code"]) == (403, "FH-POL-001"), (role, method, path)


@pytest.mark.parametrize("role", sorted(CHANGES))
def test_roles_that_look_change_nothing(role):
    changing = {path for method, path, permission in ACCESS if method != "GET" and permission in permissions(role)}
    assert changing - QUESTIONS == CHANGES[role]


def test_an_owner_may_do_everything_and_an_application_nothing():
    assert all(not permission or permission in permissions("owner") for _, _, permission in ACCESS)
    assert not permissions("application") and not permissions("service")


def test_only_owners_make_owners_and_read_bodies():
    for permission in ("people:admin", "keys:admin", "bodies:read", "bodies:erase", "replicas:write", "scim:write"):
        assert roles_for(permission) == ("owner",)
