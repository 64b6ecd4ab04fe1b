"""What PostgreSQL needs beside SQLAlchemy: where it is, one writing transaction at a time, errors by their kind.

`core.db` uses it where the URL says `postgresql`. The driver is pg8000: pure Python, BSD.
"""

from __future__ import annotations

import ipaddress
import socket
import ssl
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
from sqlalchemy import URL, Connection, Engine, LargeBinary, String, Table, create_engine, event
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError

from freehold.core.errors import BadConfig, Conflict, Unavailable

DRIVER = "postgresql+pg8000"
MOST_ROWS = 5_000
"""Of one statement, so that none is too large to hold."""

_WRITER = 0x6672656568
"""Key of the advisory lock of every writing transaction ("freeh"): any number that nothing else here uses."""
_ALONE = _WRITER + 1
"""Key of the lock that the one writer process of a database holds for its life."""
_CONNECT_SECONDS = 10.0
_IDLE_SECONDS, _PROBE_SECONDS, _PROBES = 10, 5, 4
"""Either side asks after so long without a word whether the other is there, and gives it up half a minute later. The
system's own two hours would keep a writer waiting, and a lost one's locks held, after a network that died silently."""
_LOCK_MILLISECONDS = 15_000
"""As long as SQLite's busy_timeout."""
_PASSING = ("08", "40", "53", "55", "57", "58")
"""Classes of SQLSTATE that say nothing against the statement: connection, rollback, resources, state, operator, system
(PostgreSQL, appendix A)."""


def engine_for(url: URL) -> Engine:
    """An engine for `postgresql://USER@HOST:PORT/NAME`; opens nothing yet.

    As in libpq, `?host=/FOLDER` names a socket's folder, `sslrootcert` an authority's file, and `sslmode=disable` does
    without TLS; without it a server on another machine must prove itself. Raises BadConfig.
    """
    query = {name: str(value) for name, value in url.query.items()}
    folder, port = query.pop("host", ""), url.port or 5432
    arguments: dict[str, Any] = {"unix_sock": f"{folder}/.s.PGSQL.{port}"} if folder.startswith("/") else {}
    mode, authority = query.pop("sslmode", ""), query.pop("sslrootcert", "")
    if query or mode not in ("", "disable", "verify-full"):
        hint = "known are ?host=/FOLDER, sslmode=verify-full or disable, and sslrootcert=FILE"
        raise BadConfig("the database's URL asks for what is not known here", hint=hint)
    if not arguments and mode != "disable" and (mode or authority or not _near(url.host or "")):
        arguments["ssl_context"] = _trusting(authority)
    arguments["timeout"] = _CONNECT_SECONDS
    engine = create_engine(
        url.set(drivername=DRIVER, query={}), pool_pre_ping=True, hide_parameters=True, connect_args=arguments
    )
    event.listen(engine, "connect", _reached)
    event.listen(engine, "connect", _watched)
    event.listen(engine, "begin", _begin)
    event.listen(engine, "handle_error", _by_kind)
    event.listen(engine, "before_cursor_execute", _without_nul, retval=True)
    return engine


def _near(host: str) -> bool:
    try:
        return host in ("", "localhost") or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _trusting(authority: str) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=authority or None)
    except (OSError, ssl.SSLError) as error:
        hint = "name a PEM file with sslrootcert=FILE"
        raise BadConfig(f"the database's authority cannot be read: {error}", hint=hint) from None


def _reached(connection: Any, _record: Any) -> None:
    """It took no longer than that to connect; from here on the system tells when the other side is gone."""
    made = connection._usock  # noqa: SLF001  # the driver has no name for it
    made.settimeout(None)
    if made.family == socket.AF_UNIX:
        return
    for name, value in (
        ("TCP_KEEPIDLE", _IDLE_SECONDS),
        ("TCP_KEEPINTVL", _PROBE_SECONDS),
        ("TCP_KEEPCNT", _PROBES),
        ("TCP_USER_TIMEOUT", 1000 * (_IDLE_SECONDS + _PROBE_SECONDS * _PROBES)),
    ):
        if hasattr(socket, name):  # Linux has them all
            made.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def _watched(connection: Any, _record: Any) -> None:
    """The same on the server's side, for this connection: a writer that is lost lets go of what it holds."""
    wanted = {
        "tcp_keepalives_idle": _IDLE_SECONDS,
        "tcp_keepalives_interval": _PROBE_SECONDS,
        "tcp_keepalives_count": _PROBES,
        "tcp_user_timeout": 1000 * (_IDLE_SECONDS + _PROBE_SECONDS * _PROBES),
    }
    cursor = connection.cursor()
    cursor.execute("SELECT " + ", ".join(f"set_config('{name}', '{value}', false)" for name, value in wanted.items()))
    cursor.fetchall()
    cursor.close()
    connection.commit()


def _begin(connection: Connection) -> None:
    """One writer at a time, and readers with one view: what SQLite's BEGIN IMMEDIATE and BEGIN promise.

    A writer's first statement waits for the lock; READ COMMITTED then shows it all that those before it committed.
    """
    if connection.get_execution_options().get("freehold_write", False):
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = {_LOCK_MILLISECONDS}")
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_WRITER})")
    else:
        connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")


def _without_nul(
    _connection: Connection, _cursor: Any, statement: str, parameters: Any, _context: Any, _many: bool
) -> tuple[str, Any]:
    """Text as PostgreSQL takes it: it has no NUL, SQLite has. What is hashed is clean before it comes here."""
    if isinstance(parameters, list):
        return statement, [_whole(one) for one in parameters]
    return statement, _whole(parameters)


def _whole(values: Any) -> Any:
    if isinstance(values, (tuple, list)) and any(isinstance(one, str) and "\0" in one for one in values):
        return tuple(one.replace("\0", "\ufffd") if isinstance(one, str) else one for one in values)
    return values


def _by_kind(context: ExceptionContext) -> None:
    """The driver tells every error of the server alike; SQLAlchemy's kinds are told apart by SQLSTATE."""
    original = context.original_exception
    if context.sqlalchemy_exception is None:  # no error of the database's, such as an interrupt
        return
    told = original.args[0] if original.args and isinstance(original.args[0], dict) else {}
    code = str(told.get("C", ""))
    statement = context.statement or ""
    if code.startswith("23"):
        raise IntegrityError(statement, None, original, hide_parameters=True) from None
    if not code or code.startswith(_PASSING) or code[:2] == "28":  # 28: who logs on is refused
        raise OperationalError(
            statement, None, original, hide_parameters=True, connection_invalidated=context.is_disconnect
        ) from None


def insert_rows(
    connection: Connection,
    table: Table,
    rows: Sequence[dict[str, Any]],
    taken: tuple[tuple[str, ...], tuple[str, ...]] | None = None,
) -> None:
    """Insert many rows of the same columns at a time; `taken` as `update` and `add` of `core.db.upsert`.

    They travel as one JSON text, which the server takes apart: the driver looks at each character of a statement and at
    each of its parameters, so a row a statement takes it a hundred times as long. Raises IntegrityError.
    """
    names = list(rows[0])
    binary = {one.name for one in table.columns if isinstance(one.type, LargeBinary)}
    picked = ", ".join(f"decode(\"{one}\", 'base64')" if one in binary else f'"{one}"' for one in names)
    typed = ", ".join(f'"{one}" {_type(connection, table, one)}' for one in names)
    columns = ", ".join(f'"{one}"' for one in names)
    text = (
        f'INSERT INTO "{table.name}" ({columns}) SELECT {picked} FROM json_to_recordset(%s::json) AS new ({typed})'  # noqa: S608  names of ours
        f"{'' if taken is None else _conflict(table, *taken)}"
    )
    keys = None if taken is None or not any(taken) else [one.name for one in table.primary_key.columns]
    for some in _runs(rows, keys):
        connection.exec_driver_sql(text, (_packed(some),))


def _type(connection: Connection, table: Table, name: str) -> str:
    kind = table.c[name].type
    # Texts are held to their lengths where they are put in, bytes come as base64.
    return "TEXT" if isinstance(kind, String | LargeBinary) else str(kind.compile(connection.dialect))


def _conflict(table: Table, update: tuple[str, ...], add: tuple[str, ...]) -> str:
    keys = ", ".join(f'"{one.name}"' for one in table.primary_key.columns)
    new = [f'"{one}" = excluded."{one}"' for one in update]
    new += [f'"{one}" = "{table.name}"."{one}" + excluded."{one}"' for one in add]
    return f" ON CONFLICT ({keys}) DO " + (f"UPDATE SET {', '.join(new)}" if new else "NOTHING")


def _runs(rows: Sequence[dict[str, Any]], keys: Sequence[str] | None) -> Iterator[list[dict[str, Any]]]:
    """The rows in order, in parts of at most MOST_ROWS; with `keys` no part has one twice, which no statement may."""
    some: list[dict[str, Any]] = []
    seen: set[tuple[Any, ...]] = set()
    for row in rows:
        key = tuple(row[one] for one in keys) if keys is not None else None
        if len(some) >= MOST_ROWS or key in seen:
            yield some
            some, seen = [], set()
        some.append(row)
        if key is not None:
            seen.add(key)
    if some:
        yield some


def _packed(rows: list[dict[str, Any]]) -> str:
    """JSON of the rows; a NUL in a text becomes what `_whole` makes of it."""
    data = msgspec.json.encode(rows)
    if b"\\u0000" in data:
        data = msgspec.json.encode([dict(zip(one, _whole(tuple(one.values())), strict=True)) for one in rows])
    return data.decode()


class Alone:
    """The lock that makes a process the only writer of its database, for as long as its connection lives.

    Each writing transaction of the engine looks, behind the lock of all writers, whether it is held still: a process
    that lost its connection, and its place to another, can commit nothing any more.
    """

    def __init__(self, engine: Engine) -> None:
        """Raises Conflict where another writer has the database."""
        try:
            self._held = engine.raw_connection()
        except DBAPIError:
            raise Unavailable("the database does not answer") from None
        driver: Any = self._held.driver_connection
        driver.autocommit = True
        cursor = self._held.cursor()
        cursor.execute(f"SELECT pg_try_advisory_lock({_ALONE}), pg_backend_pid()")
        got, pid = cursor.fetchone() or (False, 0)
        self._pid = int(pid)
        if not got:
            self.close()
            hint = "one instance writes to a database: stop the other, or give this one a database of its own"
            raise Conflict("another writer serves this database", hint=hint)
        event.listen(engine, "begin", self._check)

    def close(self) -> None:
        """Give the lock up."""
        self._held.invalidate()

    def _check(self, connection: Connection) -> None:
        if not connection.get_execution_options().get("freehold_write", False):
            return
        found = connection.exec_driver_sql(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted AND pid = %s "
            "AND ((classid::bigint << 32) | objid::bigint) = %s",
            (self._pid, _ALONE),
        ).scalar()
        if not found:
            raise Unavailable("the database ended the connection that made this the only writer")
