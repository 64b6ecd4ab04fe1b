"""Roles and what they may do."""

from __future__ import annotations

import pytest

from docs.generate import endpoints
from freehold.core.errors import Forbidden
from freehold.identity.roles import (
    EMERGENCY,
    PERMISSIONS,
    PROVISIONER,
    ROLES,
    demand,
    key_permissions,
    permissions,
    strongest,
)

HARMLESS = {"break-glass:request", "self:end"}
"""Ending one's own session, and asking for what somebody else must approve."""


def test_a_plain_key_may_do_nothing_on_the_management_api():
    assert key_permissions("developer") == frozenset()
    assert permissions("no such role") == frozenset()


def test_no_key_has_a_role_that_nobody_can_be_given():
    assert {EMERGENCY, PROVISIONER}.isdisjoint(ROLES)
    assert key_permissions("service") == frozenset()


def test_a_developer_looks_and_changes_nothing():
    assert all(one.endswith(":read") or one in HARMLESS for one in permissions("developer"))
    assert not {"audit:read", "bodies:read", "keys:read", "people:read"} & permissions("developer")


def test_break_glass_gives_an_owner_all_but_what_would_outlive_it():
    assert permissions("owner") - permissions(EMERGENCY) == {
        "break-glass:approve",
        "keys:admin",
        "people:admin",
        "replicas:write",
        "scim:write",
    }


def test_of_several_roles_the_strongest_counts():
    assert strongest(frozenset({"finance", "operator", "nonsense"})) == "operator"
    assert strongest(frozenset({"nonsense"})) == ""


def test_the_owner_may_do_everything_others_may():
    assert all(found <= permissions("owner") for _, found in PERMISSIONS)


def test_only_the_owner_reads_bodies_and_makes_administrative_keys():
    for permission in ("bodies:read", "bodies:erase", "keys:admin"):
        assert [role for role in ROLES if permission in permissions(role)] == ["owner"]


def test_auditors_change_nothing_and_finance_makes_plans_alone():
    for role, more in (("auditor", set()), ("finance", {"plans:write"})):
        assert {one for one in permissions(role) if not one.endswith(":read") and one not in HARMLESS} == more


def test_a_refusal_names_the_roles_that_may():
    with pytest.raises(Forbidden) as caught:
        demand("finance", "keys:write")
    assert "operator, owner" in caught.value.hint


def test_every_permission_an_endpoint_demands_is_somebodys():
    assert {permission for _, _, permission, _ in endpoints() if permission} <= permissions("owner")
