"""The instance's own key: made once, kept while it opens, renewed when lost or revoked."""

from __future__ import annotations

import itertools
from decimal import Decimal

import pytest

from freehold.core.db import connect, metadata, reading, url_of, writing
from freehold.core.errors import BadRequest, Conflict, NotFound
from freehold.identity import lifecycle, service, store, tables
from freehold.identity.keys import Key, digest_of, snapshot, state
from freehold.identity.types import SERVICE
from tests.postgres import EACH_DATABASE

pytestmark = EACH_DATABASE

COUNTER = itertools.count(1)


def random(count):
    return next(COUNTER).to_bytes(count, "big")


@pytest.fixture
def engine(tmp_path):
    made = connect(url_of(tmp_path / "t.db"))
    metadata.create_all(made, tables=[tables.keys, tables.key_secrets])
    (tmp_path / "run").mkdir()
    yield made
    made.dispose()


def renew(engine, home, now=1000.0):
    with writing(engine) as connection:
        return service.renew(connection, home, now, random)


def own(engine):
    with reading(engine) as connection:
        return store.by_name(connection, service.KEY_ID)


def opens(engine, secret, now):
    with reading(engine) as connection:
        found = snapshot(store.everything(connection), {}, now).principals
    mine = [one for one in found if one.digest == digest_of(secret)]
    return bool(mine) and (mine[0].revoked_at is None or mine[0].revoked_at > now)


def test_before_the_first_start_there_is_none(tmp_path):
    with pytest.raises(NotFound, match="service key"):
        service.service_key(tmp_path)


def test_it_is_made_once_and_stays_while_it_opens(engine, tmp_path):
    assert renew(engine, tmp_path)
    secret = service.service_key(tmp_path)
    assert not renew(engine, tmp_path, 2000.0) and service.service_key(tmp_path) == secret
    assert (tmp_path / "run" / "service.key").stat().st_mode & 0o777 == 0o600
    key = own(engine)
    assert (key.role, key.name, state(key, 2000.0)) == (SERVICE, "freehold", "active")
    assert key.created_by == "up" and opens(engine, secret, 2000.0)


def test_a_lost_file_is_written_anew_and_the_old_secret_ends_at_once(engine, tmp_path):
    renew(engine, tmp_path)
    old = service.service_key(tmp_path)
    (tmp_path / "run" / "service.key").unlink()
    assert renew(engine, tmp_path, 2000.0)
    assert not opens(engine, old, 2000.0) and opens(engine, service.service_key(tmp_path), 2000.0)


def test_somebody_elses_secret_in_the_file_is_not_taken_for_it(engine, tmp_path):
    renew(engine, tmp_path)
    with writing(engine) as connection:
        _, secret = lifecycle.create(connection, Key(id="", name="app"), 1000.0, random)
    (tmp_path / "run" / "service.key").write_text(secret)
    assert renew(engine, tmp_path, 2000.0) and service.service_key(tmp_path) != secret


def test_revoked_it_comes_back_with_another_secret_and_its_limits(engine, tmp_path):
    renew(engine, tmp_path)
    old = service.service_key(tmp_path)
    with writing(engine) as connection:
        lifecycle.update(connection, "freehold", 1500.0, budget=Decimal(5))
        lifecycle.revoke(connection, "freehold", 1600.0)
    assert not opens(engine, old, 1700.0)
    assert renew(engine, tmp_path, 2000.0)
    assert not opens(engine, old, 2000.0) and opens(engine, service.service_key(tmp_path), 2000.0)
    assert own(engine).budget == Decimal(5)


def test_its_role_is_nobody_elses_and_stays_its_own(engine, tmp_path):
    renew(engine, tmp_path)
    with writing(engine) as connection:
        with pytest.raises(BadRequest, match="no role"):
            lifecycle.create(connection, Key(id="", name="mine", role=SERVICE), 1000.0, random)
        lifecycle.create(connection, Key(id="", name="app"), 1000.0, random)
        with pytest.raises(BadRequest, match="no role"):
            lifecycle.update(connection, "app", 1000.0, role=SERVICE)
        with pytest.raises(BadRequest, match="no role"):
            lifecycle.update(connection, "freehold", 1000.0, role="owner")
        with pytest.raises(Conflict, match="own"):
            lifecycle.rotate(connection, "freehold", 1000.0, random, 0.0)


def test_a_key_of_that_name_keeps_it(engine, tmp_path):
    with writing(engine) as connection:
        made, _ = lifecycle.create(connection, Key(id="", name="freehold"), 1000.0, random)
    assert renew(engine, tmp_path)
    with reading(engine) as connection:
        assert store.by_name(connection, "freehold").id == made.id
    assert own(engine).name.startswith("freehold/") and not renew(engine, tmp_path)
