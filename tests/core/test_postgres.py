"""What `core.db` promises, kept by a real PostgreSQL: one writer at a time, one view a reader, one writer process."""

from __future__ import annotations

import threading

import pytest
from sqlalchemy import (
    URL,
    BigInteger,
    Boolean,
    Column,
    Double,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    func,
    insert,
    select,
)
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError

from freehold.core import postgres as dialect
from freehold.core.db import check, connect, insert_many, reading, size, upgrade, upsert, writing
from freehold.core.errors import BadConfig, Conflict, Unavailable
from tests.e2e.instance import until
from tests.postgres import forget_sockets

SCRATCH = MetaData()
things = Table(
    "things",
    SCRATCH,
    Column("id", Integer, primary_key=True),
    Column("name", String),
    Column("data", LargeBinary),
)


@pytest.fixture(params=["postgres", "debian"])
def url(request, tmp_path):
    yield request.getfixturevalue(request.param).of(str(tmp_path))
    forget_sockets()


@pytest.fixture
def engine(url):
    made = connect(url)
    SCRATCH.create_all(made)
    yield made
    made.dispose()


def count(connection):
    return connection.scalar(select(func.count()).select_from(things))


def test_the_marked_tests_do_run_on_it(postgres, tmp_path):
    made = connect(postgres.of(str(tmp_path)))
    assert made.dialect.name == "postgresql"
    check(made)
    upgrade(made)
    assert size(made) > 1_000_000
    made.dispose()


def test_writers_come_one_after_the_other(engine):
    with writing(engine) as connection:
        connection.execute(insert(things).values(id=1, name="0"))

    def add(number):
        for _ in range(20):
            with writing(engine) as connection:
                name = connection.scalar(select(things.c.name).where(things.c.id == 1))
                connection.execute(things.update().where(things.c.id == 1).values(name=str(int(name) + number)))

    threads = [threading.Thread(target=add, args=(number,)) for number in (1, 100)]
    for one in threads:
        one.start()
    for one in threads:
        one.join(120)
    with reading(engine) as connection:
        assert connection.scalar(select(things.c.name)) == "2020", "what is read under the lock is never old"


def test_a_reader_has_one_view_and_waits_for_nobody(engine):
    with reading(engine) as reader:
        assert count(reader) == 0
        with writing(engine) as writer:
            writer.execute(insert(things).values(id=1, name="a"))
            assert count(reader) == 0
        assert count(reader) == 0
    with reading(engine) as reader:
        assert count(reader) == 1


def test_a_failed_transaction_leaves_nothing_and_gives_the_lock_back(engine):
    with pytest.raises(IntegrityError), writing(engine) as connection:
        connection.execute(insert(things), [{"id": 1, "name": "a"}, {"id": 1, "name": "b"}])
    with writing(engine) as connection:
        assert count(connection) == 0


def test_many_rows_are_more_than_one_statement_takes_and_a_taken_key_is_told(engine):
    rows = [
        {"id": number, "name": f"n{number}", "data": b"\x00\xff" if number % 2 else None} for number in range(25_000)
    ]
    with writing(engine) as connection:
        insert_many(connection, things, rows)
    with reading(engine) as connection:
        assert count(connection) == 25_000
        assert connection.scalar(select(things.c.data).where(things.c.id == 24_999)) == b"\x00\xff"
    with pytest.raises(IntegrityError), writing(engine) as connection:
        insert_many(connection, things, rows[:1])


def test_text_with_a_nul_is_kept_without_it(engine):
    with writing(engine) as connection:
        insert_many(connection, things, [{"id": 1, "name": "a\0b", "data": b"a\0b"}])
        connection.execute(
            insert(things), [{"id": 2, "name": "\0", "data": None}, {"id": 3, "name": "c", "data": None}]
        )
    with reading(engine) as connection:
        assert list(connection.scalars(select(things.c.name).order_by(things.c.id))) == ["a\ufffdb", "\ufffd", "c"]
        assert connection.scalar(select(things.c.data).where(things.c.id == 1)) == b"a\0b"


def test_no_error_tells_what_was_written(engine):
    with pytest.raises(IntegrityError) as raised, writing(engine) as connection:
        connection.execute(
            insert(things), [{"id": 7, "name": "a patient's name"}, {"id": 7, "name": "a patient's name"}]
        )
    assert "a patient's name" not in str(raised.value)


def test_one_process_writes_to_a_database(url):
    first, second = connect(url), connect(url)
    held = dialect.Alone(first)
    with pytest.raises(Conflict, match="another writer"):
        dialect.Alone(second)
    held.close()
    dialect.Alone(second).close()
    first.dispose()
    second.dispose()


def advisory(engine):
    """Locks of others in this database."""
    with reading(engine) as connection:
        return connection.exec_driver_sql(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid <> pg_backend_pid() "
            "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        ).scalar()


def test_who_lost_the_place_commits_nothing(url, postgres):
    engine, other = connect(url), connect(url)
    SCRATCH.create_all(engine)
    held = dialect.Alone(engine)
    with writing(engine) as connection:
        connection.execute(insert(things).values(id=1, name="a"))
    with writing(other) as connection:
        connection.exec_driver_sql(
            "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND pid <> pg_backend_pid() "
            "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        )
    until(lambda: not advisory(other), "its connection has ended")
    with pytest.raises((Unavailable, OperationalError)), writing(engine) as connection:
        connection.execute(insert(things).values(id=2, name="b"))
    dialect.Alone(other).close()
    with reading(other) as connection:
        assert count(connection) == 1
    held.close()
    engine.dispose()
    other.dispose()


def test_a_connection_that_was_cut_is_told_and_the_next_works(engine, url):
    other = connect(url)

    def cut():
        with reading(engine) as connection:
            pid = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar()
            with other.connect() as killer:
                killer.exec_driver_sql(f"SELECT pg_terminate_backend({pid})")
            count(connection)

    with pytest.raises(OperationalError):
        cut()
    other.dispose()
    with reading(engine) as connection:
        assert count(connection) == 0


@pytest.mark.parametrize(
    "query",
    [{"sslmode": "allow"}, {"application_name": "x"}, {"sslrootcert": "/nowhere.pem", "sslmode": "verify-full"}],
)
def test_what_a_url_may_not_ask(query):
    with pytest.raises(BadConfig):
        connect(URL.create("postgresql", "u", host="db.example", database="d", query=query))


def test_another_machine_must_prove_itself():
    far = dialect.engine_for(URL.create("postgresql", "u", host="db.example", database="d"))
    near = dialect.engine_for(URL.create("postgresql", "u", host="127.0.0.1", database="d"))
    plain = dialect.engine_for(
        URL.create("postgresql", "u", host="db.example", database="d", query={"sslmode": "disable"})
    )
    assert [_trust(one) for one in (far, near, plain)] == [True, False, False]


def _trust(engine):
    seen = {}

    def connected(*_, **arguments):
        seen.update(arguments)
        raise RuntimeError("not now")

    engine.dialect.dbapi.connect, before = connected, engine.dialect.dbapi.connect
    try:
        with pytest.raises(RuntimeError):
            engine.connect()
    finally:
        engine.dialect.dbapi.connect = before
    context = seen.get("ssl_context")
    return bool(context and context.check_hostname)


KEYED = MetaData()
sums = Table(
    "sums",
    KEYED,
    Column("name", String(8), primary_key=True),
    Column("data", LargeBinary, nullable=False),
    Column("count", BigInteger, nullable=False),
    Column("share", Double),
    Column("good", Boolean),
)


def rows_of_sums(*names, **more):
    return [
        {"name": one, "data": bytes([0, 255, 92, 39]), "count": 2**53 + 1, "share": 0.1, "good": None, **more}
        for one in names
    ]


def test_many_rows_at_a_time_are_stored_as_they_are(engine):
    KEYED.create_all(engine)
    with writing(engine) as connection:
        insert_many(connection, sums, rows_of_sums("a", "b\\'\"%s", "ü\0x", good=True, share=None))
    with reading(engine) as connection:
        found = connection.execute(select(sums).order_by(sums.c.name)).all()
    assert sorted(one.name for one in found) == sorted(["a", "b\\'\"%s", "ü\ufffdx"])
    assert {tuple(one)[1:] for one in found} == {(bytes([0, 255, 92, 39]), 2**53 + 1, None, True)}
    with pytest.raises(IntegrityError), writing(engine) as connection:
        insert_many(connection, sums, rows_of_sums("c", "a"))
    with pytest.raises(DBAPIError, match="too long"), writing(engine) as connection:
        insert_many(connection, sums, rows_of_sums("123456789"))
    with reading(engine) as connection:
        assert connection.scalar(select(func.count()).select_from(sums)) == 3


def test_rows_that_are_there_are_added_to_also_where_one_comes_twice(engine):
    KEYED.create_all(engine)
    with writing(engine) as connection:
        upsert(connection, sums, rows_of_sums("a", "b", count=1))
        upsert(connection, sums, rows_of_sums("a", "c", "a", "a", count=1, share=0.5), ("share",), ("count",))
        upsert(connection, sums, rows_of_sums("b", "d", "d", count=9))
    with reading(engine) as connection:
        found = {one.name: (one.count, one.share) for one in connection.execute(select(sums))}
    assert found == {"a": (4, 0.5), "b": (1, 0.1), "c": (1, 0.5), "d": (9, 0.1)}
