"""Who comes in and as what, as values."""

from __future__ import annotations

import pytest

from freehold.identity.errors import NotAdmitted, SessionOver
from freehold.identity.people.admission import Rules, admit, check_session, role_of, told_by
from freehold.identity.people.types import Person, Session

RULES = Rules(issuer="i", client_id="c", roles=(("staff", "developer"), ("ops", "operator"), ("money", "finance")))


def person(**more):
    return Person(id="person_1", **more)


def session(**more):
    return Session(**{"digest": b"d", "person": "p", "bound": RULES.bound, "made_at": 0.0, "expires_at": 10.0, **more})


@pytest.mark.parametrize(
    ("groups", "pinned", "role"),
    [
        ((), "", ""),
        (("nothing",), "", ""),
        (("staff",), "", "developer"),
        (("staff", "ops", "money"), "", "operator"),
        (("staff",), "auditor", "auditor"),
    ],
)
def test_the_role_is_an_owners_word_else_the_strongest_of_the_groups(groups, pinned, role):
    assert role_of(person(groups=groups, pinned=pinned), (), RULES) == role


def test_the_directorys_groups_count_only_where_the_settings_say_so():
    scim = Rules(issuer="i", client_id="c", roles=RULES.roles, groups_by_scim=True)
    assert role_of(person(groups=("ops",)), ("money",), RULES) == "operator"
    assert role_of(person(groups=("ops",)), ("money",), scim) == "finance"


@pytest.mark.parametrize(
    "one", [person(revoked_at=1.0, pinned="owner"), person(active=False, pinned="owner"), person()]
)
def test_who_is_revoked_deactivated_or_without_a_role_is_not_admitted(one):
    with pytest.raises(NotAdmitted):
        admit(one, (), RULES)


@pytest.mark.parametrize(
    ("claims", "email", "groups"),
    [
        ({"email": "a@b.example", "email_verified": True, "groups": ["x", "x", 5]}, "a@b.example", ("x",)),
        ({"email": "a@b.example", "groups": "x"}, "", ("x",)),
        ({"email": "a@b.example", "email_verified": "true"}, "", ()),
        ({"email": "a@b.example@c.example", "email_verified": True, "groups": {"x": 1}}, "", ()),
        ({"email": None, "email_verified": True}, "", ()),
        ({"email": "a@b.example\nowner", "email_verified": True}, "", ()),
    ],
)
def test_only_a_verified_address_is_an_address(claims, email, groups):
    told = told_by({"sub": "s", **claims}, RULES)
    assert (told.email, told.groups) == (email, groups)


@pytest.mark.parametrize(
    ("one", "called"),
    [
        (person(email="a@b.example", user_name="ada"), "a@b.example"),
        (person(user_name="ada"), "ada"),
        (person(email="x" * 91, user_name="ada"), "ada"),
        (person(subject="a@b.example"), "person_1"),
    ],
)
def test_people_are_called_by_what_was_vouched_for_and_fits_the_audit(one, called):
    assert one.known_as == called
    assert len(f"person/{one.known_as} under glass_{'0' * 16}") <= 128


@pytest.mark.parametrize(
    ("one", "now"),
    [
        (None, 5.0),
        (session(), 10.0),
        (session(ended_at=3.0), 5.0),
        (session(bound=b"of another issuer"), 5.0),
    ],
)
def test_a_session_counts_in_its_time_and_under_its_issuer(one, now):
    with pytest.raises(SessionOver):
        check_session(one, RULES, now)
    assert check_session(session(), RULES, 9.9)
