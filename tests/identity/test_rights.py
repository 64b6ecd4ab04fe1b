"""Named rights of a key: a closed list, owners give them, and what is given for a while ends by itself."""

from __future__ import annotations

import pytest

from freehold.core.errors import BadRequest
from freehold.identity.rights import NAMES, checked
from freehold.identity.types import Grant, Principal


def principal(**more):
    return Principal(key_id="key_1", name="app", digest=b"d", **more)


def test_rights_are_sorted_and_each_stands_once():
    assert checked(("override_label", "declassify", "declassify")) == ("declassify", "override_label")


def test_an_unknown_right_is_refused_with_those_there_are():
    with pytest.raises(BadRequest) as caught:
        checked(("fly",))
    assert all(name in caught.value.hint for name in NAMES)


def test_a_plain_key_holds_no_right():
    assert not any(principal().holds(name, 0.0) for name in NAMES)


def test_a_key_holds_its_own_rights_always_and_granted_ones_until_they_end():
    key = principal(rights=("declassify",), grants=(Grant("override_label", 100.0),))
    assert key.holds("declassify", 1e12)
    assert key.holds("override_label", 99.9)
    assert not key.holds("override_label", 100.0)
