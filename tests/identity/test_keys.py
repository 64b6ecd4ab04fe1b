"""Keys as values: secrets, states, and what the data plane is told."""

from __future__ import annotations

import hashlib

import msgspec
import pytest

from freehold.core.label import parse_label
from freehold.identity.keys import TOLD_SECONDS, Key, Secret, digest_of, mint, snapshot, state


def random(count):
    return bytes(range(count))


def test_a_secret_has_a_prefix_and_43_characters():
    minted = mint(random)
    assert minted.secret.startswith("fh-")
    assert len(minted.secret) == 46
    assert minted.digest == hashlib.sha256(minted.secret.encode()).digest()
    assert minted.secret.startswith(minted.prefix)
    assert len(minted.prefix) == 10


def test_secrets_differ():
    import os

    assert len({mint(os.urandom).secret for _ in range(100)}) == 100


@pytest.mark.parametrize(
    ("expires", "revoked", "now", "expected"),
    [
        (None, None, 10.0, "active"),
        (11.0, None, 10.0, "active"),
        (10.0, None, 10.0, "expired"),
        (None, 10.0, 10.0, "revoked"),
        (None, 11.0, 10.0, "active"),
        (5.0, 5.0, 10.0, "revoked"),
    ],
)
def test_state(expires, revoked, now, expected):
    assert state(Key(id="k", name="k", expires_at=expires, revoked_at=revoked), now) == expected


def test_the_snapshot_holds_no_secret_and_every_digest():
    minted = mint(random)
    key = Key(id="key_1", name="app", secrets=(Secret(minted.digest, minted.prefix, 0.0),))
    content = snapshot([key], {}, 100.0)
    assert minted.secret.encode() not in msgspec.msgpack.encode(content)
    assert [one.digest for one in content.principals] == [digest_of(minted.secret)]


def test_a_rotated_secret_ends_when_its_grace_does_and_the_new_one_does_not():
    key = Key(id="k", name="app", secrets=(Secret(b"old", "fh-a", 0.0, until=50.0), Secret(b"new", "fh-b", 10.0)))
    told = {one.digest: one.revoked_at for one in snapshot([key], {}, 100.0).principals}
    assert told == {b"old": 50.0, b"new": None}


def test_a_revoked_key_ends_all_its_secrets_at_the_earlier_time():
    key = Key(
        id="k", name="app", revoked_at=20.0, secrets=(Secret(b"old", "", 0.0, until=50.0), Secret(b"new", "", 10.0))
    )
    assert {one.revoked_at for one in snapshot([key], {}, 100.0).principals} == {20.0}


def test_a_principal_draws_on_its_own_and_its_teams_budgets():
    key = Key(id="k", name="app", team="search", label=parse_label("internal"), secrets=(Secret(b"d", "", 0.0),))
    budgets = {
        "key/app": ("key/app",),
        "team/search": ("team/search", "team/search/day"),
        "team/other": ("team/other",),
    }
    (one,) = snapshot([key], budgets, 100.0).principals
    assert one.budgets == ("key/app", "team/search", "team/search/day")
    assert str(one.label) == "internal"


def test_a_keys_class_is_its_teams():
    keys = [Key(id="k", name="app", team=team, secrets=(Secret(b"d", "", 0.0),)) for team in ("night", "day")]
    found = snapshot(keys, {}, 100.0, priorities={"night": "batch"}).principals
    assert [one.priority for one in found] == ["batch", "interactive"]


def test_what_was_revoked_long_ago_is_forgotten_by_the_data_plane():
    key = Key(id="k", name="app", revoked_at=20.0, secrets=(Secret(b"d", "", 0.0),))
    assert snapshot([key], {}, 20.0 + TOLD_SECONDS - 1).principals
    assert not snapshot([key], {}, 20.0 + TOLD_SECONDS).principals
