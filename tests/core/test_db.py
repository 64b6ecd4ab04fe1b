from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Column, Engine, Integer, String, Table, insert, select, text

import freehold.batches.tables
import freehold.evals.tables
import freehold.identity.console.tables
import freehold.identity.people.tables
import freehold.identity.replicas.tables
import freehold.identity.tables
import freehold.jobs.tables
import freehold.ledger.tables
import freehold.moves.tables
import freehold.server.tables
import freehold.telemetry.tables
import freehold.workflows.known.tables
import freehold.workflows.tables  # noqa: F401  # every room's tables stand in the metadata
from freehold.core import db
from freehold.core.errors import Unavailable

SCRATCH = db.MetaData()
things = Table("things", SCRATCH, Column("id", Integer, primary_key=True), Column("name", String))


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    made = db.connect(db.url_of(tmp_path / "a.db"))
    SCRATCH.create_all(made)
    yield made
    made.dispose()


def test_migrations_end_at_the_tables_of_all_rooms(tmp_path: Path) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.runtime.migration import MigrationContext

    made = db.connect(db.url_of(tmp_path / "b.db"))
    db.upgrade(made)
    with made.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, db.metadata) == []
    db.upgrade(made)
    db.check(made)
    made.dispose()


def test_an_empty_database_is_not_ready(engine: Engine) -> None:
    with pytest.raises(Unavailable, match="revision none"):
        db.check(engine)


@pytest.mark.parametrize("bit", [0x00, 0xC6])
def test_a_damaged_schema_is_told_as_such(tmp_path: Path, bit: int) -> None:
    made = db.connect(db.url_of(tmp_path / "c.db"))
    SCRATCH.create_all(made)
    made.dispose()  # the last connection's end moves the log into the file
    data = bytearray((tmp_path / "c.db").read_bytes())
    data[data.index(b"CREATE TABLE things") + 7] = bit
    (tmp_path / "c.db").write_bytes(data)
    with pytest.raises(Unavailable, match="damaged"):
        db.check(made)
    made.dispose()


def test_a_failed_transaction_leaves_nothing(engine: Engine) -> None:
    def fail() -> None:
        with db.writing(engine) as connection:
            connection.execute(insert(things), [{"id": 1, "name": "a"}])
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    with db.reading(engine) as connection:
        assert connection.execute(select(things)).all() == []


def test_writers_wait_for_each_other_and_none_fails(engine: Engine) -> None:
    """Read, then write by what was read: with a lock taken late this loses updates or raises."""
    with db.writing(engine) as connection:
        connection.execute(insert(things), [{"id": 0, "name": "0"}])

    def add() -> None:
        for _ in range(25):
            with db.writing(engine) as connection:
                seen = int(connection.execute(select(things.c.name)).scalar_one())
                db.upsert(connection, things, [{"id": 0, "name": str(seen + 1)}], ("name",))

    threads = [threading.Thread(target=add) for _ in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    with db.reading(engine) as connection:
        assert connection.execute(select(things.c.name)).scalar_one() == "100"


def test_upsert_overwrites_what_it_is_told_to(engine: Engine) -> None:
    with db.writing(engine) as connection:
        db.upsert(connection, things, [{"id": 1, "name": "a"}])
        db.upsert(connection, things, [{"id": 1, "name": "b"}])
        assert connection.execute(select(things.c.name)).scalar_one() == "a"
        db.upsert(connection, things, [{"id": 1, "name": "c"}, {"id": 2, "name": "d"}], ("name",))
        assert dict(connection.execute(select(things)).all()) == {1: "c", 2: "d"}


def test_readers_see_one_moment_and_never_wait(engine: Engine) -> None:
    with db.reading(engine) as before:
        assert before.execute(select(things)).all() == []
        with db.writing(engine) as connection:
            db.insert_many(connection, things, [{"name": "a", "id": 1}])
        assert before.execute(select(things)).all() == []
    with db.reading(engine) as after:
        assert after.execute(select(things)).all() == [(1, "a")]


def test_hardening_flushes_and_keeps_the_pace_for_later(engine: Engine) -> None:
    db.harden(engine)
    with engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 1
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"


def test_a_database_of_a_newer_version_is_left_alone_and_says_so(engine: Engine) -> None:
    db.upgrade(engine)
    with db.writing(engine) as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    for look in (db.upgrade, db.check):
        with pytest.raises(Unavailable, match="9999") as told:
            look(engine)
        assert "newer version" in told.value.hint
