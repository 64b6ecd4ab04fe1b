"""A gateway on real sockets: its home written as signed snapshots, served in a thread with a loop and clock of its own,
or (`Child`) as a process that can be killed. Its journal is read from its home.
"""

from __future__ import annotations

import asyncio
import io
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self

from freehold.core.crypto import Identity
from freehold.core.log import Log
from freehold.core.snapshot import write_snapshot
from freehold.gateway import serve
from freehold.gateway.listener import Connection
from freehold.gateway.routing.types import Routes
from freehold.gateway.shared import wiring
from freehold.identity.types import Keys
from freehold.ledger.frames import Close, Frame, Refused
from freehold.ledger.journal import read_segment
from freehold.policy.types import Policy
from tests.gateway.answers import Answer, read_answers

DEADLINE = 20.0


def until(condition: Callable[[], object], seconds: float = DEADLINE) -> object:
    """What `condition` gives once it gives something; fails where that takes too long."""
    end = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.002)


class Home:
    """A folder as an instance leaves it."""

    def __init__(self, path: Path, routes: Routes, keys: Keys, policy: Policy | None = None) -> None:
        self.path = path
        self.identity = Identity.load(path / "identity.key")
        self.version = 0
        (path / "run").mkdir(exist_ok=True)
        self.publish(policy=policy or Policy(), routes=routes, keys=keys)

    def publish(self, **contents: object) -> None:
        self.version += 1
        for kind, content in contents.items():
            write_snapshot(self.path / "snapshots", kind, self.version, 0.0, content, self.identity)

    def frames(self) -> list[Frame]:
        """All that was written down, in order."""
        found: list[Frame] = []
        for epoch in sorted((self.path / "journal").glob("[!.]*")):
            for segment in sorted(epoch.glob("*.journal")):
                found += read_segment(segment)[0]
        return found

    def ends(self) -> list[Close | Refused]:
        return [one for one in self.frames() if isinstance(one, Close | Refused)]

    def end(self) -> Close | Refused:
        """How the only call ended; waits for it."""
        (found,) = until(self.ends)
        return found


class Instance:
    """A gateway in a thread. `skip` moves its clock; `plane` may be looked at, and touched through `do`."""

    def __init__(self, home: Home, *, secret: str, **config: object) -> None:
        self.home = home
        self.ahead = 0.0
        self.log = io.StringIO()
        self._config = serve.GatewayConfig(home=home.path, resolve=lambda _: secret, port=0, **config)
        self._started = threading.Event()
        self._problem: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._started.wait(DEADLINE)
        if self._problem is not None:
            raise self._problem
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(DEADLINE)
        assert not self._thread.is_alive()

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:  # noqa: BLE001 - told to the thread that waits
            self._problem = error
            self._started.set()

    async def _serve(self) -> None:
        self._loop = loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        self.plane, self.snapshots, leases = serve.build(self._config, loop, Log("gateway", self.log))
        plane = self.plane
        plane.now = lambda: time.time() + self.ahead
        loop.set_exception_handler(lambda _, context: serve._report(plane, context))
        ticking = loop.create_task(serve._tick(plane, self.snapshots, leases))
        sharing = await wiring.begin(plane)
        self.snapshots.check()
        assert plane.ready, self.log.getvalue()
        tls = serve._tls(self._config)
        server = await loop.create_server(lambda: Connection(plane), "127.0.0.1", 0, ssl=tls)
        self.port = server.sockets[0].getsockname()[1]
        self._started.set()
        await self._stop.wait()
        for task in (ticking, *sharing):
            task.cancel()
        await wiring.end(plane)
        server.close()
        for connection in list(plane.connections):
            connection.transport.abort()
        for bucket in list(plane.pool._idle.values()):
            for upstream in bucket:
                upstream.transport.abort()
        for _ in range(5):
            await asyncio.sleep(0)
        plane.journal.close()

    def do(self, what: Callable[[], object]) -> object:
        """Run `what` in the gateway's thread."""

        async def run() -> object:
            return what()

        return asyncio.run_coroutine_threadsafe(run(), self._loop).result(DEADLINE)

    def skip(self, seconds: float) -> None:
        """Let its clock jump, and let it look at what that means."""
        self.ahead += seconds

        def look() -> None:
            self.plane.tick()
            serve.sweep(self.plane, self.plane.now())

        self.do(look)

    def reload(self, **contents: object) -> None:
        self.home.publish(**contents)
        self.do(self.snapshots.check)

    def client(self) -> Client:
        return Client(self.port)

    def ask(self, data: bytes, *, method: str = "POST") -> Answer:
        """One request on a connection of its own."""
        with self.client() as client:
            client.send(data)
            return client.read(method)


class Client:
    """A caller that sends exact bytes and reads by a strict parser."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=DEADLINE)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.got = b""
        self.ended = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def send(self, data: bytes) -> None:
        try:
            self._socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            self.ended = True

    def finish(self) -> None:
        """Say that nothing more will be sent."""
        self._socket.shutdown(socket.SHUT_WR)

    def more(self) -> None:
        """Read once. Raises TimeoutError where nothing comes: a hang."""
        try:
            data = self._socket.recv(1 << 16)
        except (ConnectionResetError, BrokenPipeError):
            data = b""
        self.got += data
        self.ended = self.ended or not data

    def read(self, *methods: str) -> Answer:
        """The answers to requests with these methods; gives the last one."""
        while True:
            found = read_answers(self.got, list(methods), ended=self.ended)
            if len(found) == len(methods) and (found[-1].complete or self.ended):
                return found[-1]
            assert not self.ended, f"closed after {len(found)} answers: {self.got[-300:]!r}"
            self.more()

    def read_until(self, text: bytes) -> None:
        while text not in self.got and not self.ended:
            self.more()
        assert text in self.got

    def read_to_end(self) -> bytes:
        while not self.ended:
            self.more()
        return self.got


class Child:
    """A gateway in a process of its own, for tests that kill it."""

    def __init__(self, home: Home, secret: str) -> None:
        self.home = home
        code = (
            "import sys, pathlib\n"
            "from freehold.gateway.serve import GatewayConfig, run\n"
            "home, secret = pathlib.Path(sys.argv[1]), sys.argv[2]\n"
            "tell = lambda port: print(port, flush=True)\n"
            "run(GatewayConfig(home=home, port=0, resolve=lambda _: secret, on_ready=tell))\n"
        )
        self.errors = (home.path / "errors.log").open("wb")
        self.process = subprocess.Popen(
            [sys.executable, "-c", code, str(home.path), secret], stdout=subprocess.PIPE, stderr=self.errors
        )
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline())

    def kill(self) -> None:
        self.process.kill()
        self._gone()

    def stop(self) -> int:
        self.process.terminate()
        self._gone()
        return self.process.returncode

    def _gone(self) -> None:
        self.process.wait(DEADLINE)
        assert self.process.stdout is not None
        self.process.stdout.close()
        self.errors.close()

    def client(self) -> Client:
        return Client(self.port)
