"""A key's life in the database."""

from __future__ import annotations

import itertools
from decimal import Decimal

import pytest

from freehold.core.db import connect, metadata, reading, url_of, writing
from freehold.core.errors import BadRequest, Conflict, NotFound
from freehold.core.label import parse_label
from freehold.identity import lifecycle, store, tables
from freehold.identity.keys import Key, digest_of, state
from tests.postgres import EACH_DATABASE

pytestmark = EACH_DATABASE

COUNTER = itertools.count()


def random(count):
    return next(COUNTER).to_bytes(count, "big")


@pytest.fixture
def engine(tmp_path):
    made = connect(url_of(tmp_path / "t.db"))
    metadata.create_all(made, tables=[tables.keys, tables.key_secrets])
    yield made
    made.dispose()


def make(engine, name="app", now=1000.0, **more):
    with writing(engine) as connection:
        return lifecycle.create(connection, Key(id="", name=name, **more), now, random)


def test_everything_a_key_is_made_with_is_kept(engine):
    made, secret = make(
        engine,
        team="search",
        role="auditor",
        routes=("a", "b"),
        label=parse_label("confidential:GDPR,HIPAA"),
        expires_at=2000.0,
        requests_per_minute=5,
        tokens_per_minute=600,
        budget=Decimal("0.10"),
        period="day",
        created_by="owner",
    )
    with reading(engine) as connection:
        found = store.by_digest(connection, digest_of(secret))
    assert found == made
    assert found.created_at == 1000.0


def test_the_secret_is_in_no_column(engine, tmp_path):
    _, secret = make(engine)
    engine.dispose()
    kept = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert secret.encode() not in kept
    assert secret[10:].encode() not in kept


def test_a_name_is_taken_once(engine):
    make(engine)
    with pytest.raises(Conflict):
        make(engine)


def test_a_key_is_found_by_name_or_id(engine):
    made, _ = make(engine)
    with reading(engine) as connection:
        assert store.by_name(connection, "app") == store.by_name(connection, made.id)
        with pytest.raises(NotFound):
            store.by_name(connection, "nobody")


def test_rotation_leaves_the_old_secret_its_grace(engine):
    made, old = make(engine)
    with writing(engine) as connection:
        rotated, new = lifecycle.rotate(connection, "app", 1100.0, random, grace=60.0)
    assert old != new
    assert [one.until for one in rotated.secrets] == [1160.0, None]
    with reading(engine) as connection:
        assert (
            store.by_digest(connection, digest_of(old)).id == store.by_digest(connection, digest_of(new)).id == made.id
        )


def test_rotating_again_never_lengthens_a_grace(engine):
    make(engine)
    with writing(engine) as connection:
        lifecycle.rotate(connection, "app", 1100.0, random, grace=10.0)
        rotated, _ = lifecycle.rotate(connection, "app", 1101.0, random, grace=1000.0)
    assert [one.until for one in rotated.secrets] == [1110.0, 2101.0, None]


def test_a_revoked_key_can_neither_be_rotated_nor_changed(engine):
    make(engine)
    with writing(engine) as connection:
        assert state(lifecycle.revoke(connection, "app", 1100.0), 1100.0) == "revoked"
        with pytest.raises(Conflict):
            lifecycle.rotate(connection, "app", 1200.0, random, grace=0.0)
        with pytest.raises(Conflict):
            lifecycle.update(connection, "app", 1200.0, team="x")


def test_revoking_twice_keeps_the_first_time(engine):
    make(engine)
    with writing(engine) as connection:
        lifecycle.revoke(connection, "app", 1100.0)
        assert lifecycle.revoke(connection, "app", 1200.0).revoked_at == 1100.0


def test_an_update_changes_what_it_names(engine):
    make(engine, team="a", routes=("x",))
    with writing(engine) as connection:
        before, after = lifecycle.update(connection, "app", 1100.0, team="b")
    assert (before.team, after.team, after.routes) == ("a", "b", ("x",))
    with reading(engine) as connection:
        assert store.by_name(connection, "app") == after


def test_an_expired_key_may_be_given_more_time(engine):
    make(engine, expires_at=1500.0)
    with writing(engine) as connection:
        _, after = lifecycle.update(connection, "app", 1600.0, expires_at=1700.0)
    assert state(after, 1600.0) == "active"


@pytest.mark.parametrize(
    "wrong", [{"routes": ()}, {"role": "king"}, {"period": "fortnight"}, {"expires_at": 1000.0}], ids=str
)
def test_nonsense_is_refused(engine, wrong):
    with pytest.raises(BadRequest):
        make(engine, **wrong)


def test_a_negative_grace_is_refused(engine):
    make(engine)
    with writing(engine) as connection, pytest.raises(BadRequest):
        lifecycle.rotate(connection, "app", 1100.0, random, grace=-1.0)


def test_keys_are_listed_oldest_first_with_their_own_secrets(engine):
    make(engine, "b", 2.0)
    make(engine, "a", 1.0)
    with writing(engine) as connection:
        lifecycle.rotate(connection, "b", 3.0, random, grace=0.0)
    with reading(engine) as connection:
        assert [(one.name, len(one.secrets)) for one in store.everything(connection)] == [("a", 1), ("b", 2)]
