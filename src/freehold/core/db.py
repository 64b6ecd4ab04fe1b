"""The database: SQLite in WAL mode, or PostgreSQL by URL. Rooms declare tables on `metadata` in their `tables.py`.

Writes take the write lock at once (`writing`), so two processes wait for each other and never deadlock.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from operator import itemgetter
from pathlib import Path
from typing import Any

from sqlalchemy import URL, BigInteger, Connection, Engine, Integer, MetaData, Table, create_engine, event, insert
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError

from freehold.core import postgres
from freehold.core.errors import NotFound, Unavailable

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

Serial = BigInteger().with_variant(Integer(), "sqlite")
"""A 64-bit key; on SQLite it must be spelled INTEGER to be the table's own order."""

_MIGRATIONS = Path(__file__).parent.parent / "migrations"
_PRAGMAS = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=NORMAL",
    "PRAGMA busy_timeout=15000",
    "PRAGMA foreign_keys=ON",
    "PRAGMA wal_autocheckpoint=4000",
    "PRAGMA cache_size=-32000",
)


def url_of(path: Path) -> str:
    """The URL of a SQLite file."""
    return f"sqlite:///{path}"


def connect(url: str | URL) -> Engine:
    """An engine for `sqlite:///PATH` or `postgresql://...` (see `core.postgres`). Opens nothing yet."""
    made = make_url(url)
    if made.get_backend_name() == "postgresql":
        return postgres.engine_for(made)
    engine = create_engine(made)
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", _begin)
    return engine


def present(home: Path, url: str | URL | None) -> URL:
    """The URL, or that of the home's own file where there is none. Raises NotFound where no instance has lived."""
    made = make_url(url or url_of(home / "freehold.db"))
    missing = [name for name in ("identity.key", "data.key") if not (home / name).exists()]
    if made.get_backend_name() == "sqlite" and not Path(made.database or "").exists():
        missing.insert(0, "freehold.db")
    if missing:
        raise NotFound(f"{home} holds no {missing[0]}", hint="name the folder of the instance: --home FOLDER")
    return made


def _prepare(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # the driver must not begin transactions of its own: `_begin` does
    try:
        for pragma in _PRAGMAS:
            connection.execute(pragma)
    except sqlite3.OperationalError:
        raise  # locked, or no room: nothing is wrong with the file
    except (sqlite3.DatabaseError, UnicodeDecodeError):  # of a damaged schema sqlite3 may tell in what is no text
        hint = "restore freehold.db from a backup"
        raise Unavailable("the database is damaged: its tables cannot be read", hint=hint) from None


def _begin(connection: Connection) -> None:
    immediate = connection.get_execution_options().get("freehold_write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """One transaction that holds the write lock from its start; commits at the end, rolls back on any error."""
    with opened(engine).execution_options(freehold_write=True) as connection, connection.begin():
        yield connection


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """One consistent view; never waits for a writer."""
    with opened(engine) as connection, connection.begin():
        yield connection


def opened(engine: Engine) -> Connection:
    """A connection. Raises Unavailable where a server does not answer."""
    try:
        return engine.connect()
    except DBAPIError:
        if engine.dialect.name == "sqlite":
            raise
        hint = "see that it runs where [database] url says, and takes that user and password"
        raise Unavailable("the database does not answer", hint=hint) from None


def insert_many(connection: Connection, table: Table, rows: Sequence[dict[str, Any]]) -> None:
    """Insert rows in storage form that name every column of `table`: the driver's own speed, no conversions.

    Raises IntegrityError where a key is taken.
    """
    if not rows:
        return
    if connection.dialect.name == "postgresql":
        postgres.insert_rows(connection, table, rows)
        return
    statement = insert(table).compile(dialect=connection.dialect)
    if statement.positiontup is None:
        connection.exec_driver_sql(str(statement), list(rows))
    else:
        pick = itemgetter(*statement.positiontup)
        connection.exec_driver_sql(str(statement), [pick(row) for row in rows])


def upsert(
    connection: Connection,
    table: Table,
    rows: Sequence[dict[str, Any]],
    update: tuple[str, ...] = (),
    add: tuple[str, ...] = (),
) -> None:
    """Insert `rows`; where the primary key is taken, overwrite the columns in `update` and add to those in `add`.

    Where neither is given, the old row stays.
    """
    if not rows:
        return
    if connection.dialect.name == "postgresql" and len(rows) > 1:
        postgres.insert_rows(connection, table, rows, (update, add))
        return
    make: Any = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    statement = make(table)
    keys = list(table.primary_key.columns)
    new = {name: statement.excluded[name] for name in update}
    new |= {name: table.c[name] + statement.excluded[name] for name in add}
    if new:
        statement = statement.on_conflict_do_update(index_elements=keys, set_=new)
    else:
        statement = statement.on_conflict_do_nothing(index_elements=keys)
    connection.execute(statement, list(rows))


def harden(engine: Engine) -> None:
    """Return once all that was committed survives a power cut. PostgreSQL promises that at each commit."""
    if engine.dialect.name != "sqlite":
        return
    with engine.connect() as connection:
        driver = connection.connection.driver_connection
        assert driver is not None
        driver.execute("PRAGMA synchronous=FULL")
        try:
            # In WAL mode a FULL commit flushes the whole log, so also what NORMAL commits left to the system.
            version = driver.execute("PRAGMA user_version").fetchone()[0]
            driver.execute("BEGIN IMMEDIATE")
            driver.execute(f"PRAGMA user_version={(version + 1) & 0x7FFFFFFF}")
            driver.execute("COMMIT")
        finally:
            driver.execute("PRAGMA synchronous=NORMAL")


def size(engine: Engine) -> int:
    """Bytes of the database on disk."""
    if engine.dialect.name == "sqlite":
        return Path(engine.url.database or "").stat().st_size
    with reading(engine) as connection:
        return int(connection.exec_driver_sql("SELECT pg_database_size(current_database())").scalar() or 0)


def damage(engine: Engine) -> list[str]:
    """What SQLite itself finds wrong with its file, at most ten things. PostgreSQL keeps checksums of its own."""
    if engine.dialect.name != "sqlite":
        return []
    with engine.connect() as connection:
        driver = connection.connection.driver_connection
        assert driver is not None
        try:
            found = [str(one[0]) for one in driver.execute("PRAGMA integrity_check(10)").fetchall()]
        except sqlite3.DatabaseError as error:
            return [str(error)]
    return [] if found == ["ok"] else found


def upgrade(engine: Engine) -> None:
    """Bring the schema to the newest revision; does nothing where it is there already.

    Raises Unavailable where a newer version wrote it: there is no way back.
    """
    from alembic import command

    with opened(engine) as connection:
        _revisions(connection)
        command.upgrade(_alembic(connection), "head")
        connection.commit()


def check(engine: Engine) -> None:
    """Raises Unavailable where the schema is not the one this version was written for."""
    with opened(engine) as connection:
        found, wanted = _revisions(connection)
    if found != wanted:
        raise Unavailable(
            f"the database is at revision {found or 'none'}, this version needs {wanted}",
            hint="upgrade it by starting the instance once: freehold up",
        )


def _revisions(connection: Connection) -> tuple[str | None, str | None]:
    """The revision of the schema, and the newest. Raises Unavailable for one that this version does not know."""
    from alembic.runtime.migration import MigrationContext
    from alembic.script import ScriptDirectory

    found = MigrationContext.configure(connection).get_current_revision()
    script = ScriptDirectory.from_config(_alembic(connection))
    if found is not None and found not in {one.revision for one in script.walk_revisions()}:
        raise Unavailable(
            f"the database is at revision {found}, which this version of Freehold does not know",
            hint="run the newer version that wrote it, or name another folder: --home FOLDER",
        )
    return found, script.get_current_head()


def _alembic(connection: Connection) -> Any:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config
