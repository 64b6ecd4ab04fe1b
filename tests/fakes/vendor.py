"""A fake vendor: an HTTP server in a thread of its own, with a script of replies and faults, that keeps every request.

with FakeOpenAi() as vendor:
    vendor.fail(Fault("status", status=429, headers=(("retry-after", "2"),)))
    ... vendor.base_url, vendor.key, vendor.requests
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import threading
import weakref
from collections import deque

import h11

from tests.fakes.replies import Reply
from tests.fakes.wire import Fault, Play, Recorded, Streamed, Whole


class Vendor:
    """Shared by the fakes; a subclass says what it answers."""

    key = "sk-fake-0123456789abcdef"

    def __init__(self, tls: ssl.SSLContext | None = None, port: int = 0) -> None:
        self.requests: list[Recorded] = []
        self.always: Fault | None = None
        """A fault for every request; `fail` scripts them one by one."""
        self._tls = tls
        self._port = port
        self._faults: deque[Fault | None] = deque()
        self._replies: deque[Reply] = deque()
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True, name=type(self).__name__)
        self.connections = 0

    # what a test does

    def fail(self, *faults: Fault | None) -> None:
        """Each is met by one request, in order; None lets one pass."""
        self._faults.extend(faults)

    def say(self, *replies: Reply) -> None:
        """Each answers one request, in order; the last one answers all that follow."""
        self._replies.clear()
        self._replies.extend(replies)

    def calm(self) -> None:
        """Nothing scripted, nothing recorded, no stall under way."""
        self.always = None
        self._faults.clear()
        self._replies.clear()
        self.requests.clear()
        self.release()

    def release(self) -> None:
        """End every stall that is under way."""
        self._loop.call_soon_threadsafe(self._let_go)

    @property
    def last(self) -> Recorded:
        return self.requests[-1]

    @property
    def base_url(self) -> str:
        return f"{'https' if self._tls else 'http'}://localhost:{self.port}"

    def __enter__(self):
        self._thread.start()
        self._ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stopped.set)
        self._thread.join(10)

    # what a vendor says

    def reply_for(self, otherwise: Reply) -> Reply:
        """The scripted reply, else the one derived from the request."""
        if len(self._replies) > 1:
            return self._replies.popleft()
        return self._replies[0] if self._replies else otherwise

    def refuses(self, request: Recorded) -> Whole | None:
        """An answer for a request without the right key."""
        raise NotImplementedError

    def answer(self, request: Recorded) -> Whole | Streamed:
        """The answer to a well-formed request."""
        raise NotImplementedError

    def error(self, status: int) -> bytes:
        """The vendor's body for an error status."""
        raise NotImplementedError

    # how it is served

    def _let_go(self) -> None:
        self._release.set()
        self._release = asyncio.Event()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._serve())
        finally:
            self._loop.close()

    async def _serve(self) -> None:
        self._release = asyncio.Event()
        self._stopped = asyncio.Event()
        self._tasks: set[asyncio.Task] = set()
        self._writers: weakref.WeakSet[asyncio.StreamWriter] = weakref.WeakSet()
        server = await self._loop.create_server(
            lambda: asyncio.StreamReaderProtocol(_Reader(), self._client), "127.0.0.1", self._port, ssl=self._tls
        )
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._stopped.wait()
        server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for writer in list(self._writers):
            with contextlib.suppress(AttributeError):  # early 3.11: a TLS transport closed twice has no protocol left
                writer.transport.abort()
        await asyncio.sleep(0)

    async def _client(self, reader: _Reader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        self._tasks.add(task)
        self._writers.add(writer)
        self.connections += 1
        try:
            connection = h11.Connection(h11.SERVER)
            while (request := await _read(connection, reader, writer)) is not None:
                self.requests.append(request)
                if not await self._answered(request, reader, writer):
                    break
                connection = h11.Connection(h11.SERVER)
        except (ConnectionError, h11.RemoteProtocolError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _answered(self, request: Recorded, reader: _Reader, writer: asyncio.StreamWriter) -> bool:
        fault = self._faults.popleft() if self._faults else self.always or named_fault(request)
        answer = self.refuses(request)
        if answer is None and fault is not None and fault.kind == "status":
            answer = Whole(self.error(fault.status), fault.status, fault.headers)
        if answer is None:
            answer = self.answer(request)
        playing = asyncio.ensure_future(Play(writer, fault, self._release).play(answer))
        hanging = asyncio.ensure_future(reader.over.wait())
        await asyncio.wait({playing, hanging}, return_when=asyncio.FIRST_COMPLETED)
        if not playing.done() or isinstance(playing.exception(), ConnectionError):
            request.hung_up.set()
        for one in (playing, hanging):
            one.cancel()
        await asyncio.gather(playing, hanging, return_exceptions=True)
        request.done.set()
        return not request.hung_up.is_set() and playing.result()


def named_fault(request: Recorded) -> Fault | None:
    """A model called `fault-KIND` or `fault-status-CODE` brings its own fault, for fakes in other processes."""
    with contextlib.suppress(ValueError):
        model = str(request.json.get("model", "")) if request.body else ""
        if model.startswith("fault-"):
            kind, _, status = model.removeprefix("fault-").partition("-")
            return Fault(kind, status=int(status or 500))
    return None


class _Reader(asyncio.StreamReader):
    """A reader that tells when its client is gone, even with bytes left to read."""

    def __init__(self) -> None:
        super().__init__()
        self.over = asyncio.Event()

    def feed_eof(self) -> None:
        super().feed_eof()
        self.over.set()

    def set_exception(self, exc) -> None:
        super().set_exception(exc)
        self.over.set()


async def _read(
    connection: h11.Connection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> Recorded | None:
    request, body = None, b""
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            data = await reader.read(65536)
            connection.receive_data(data)
            if not data and request is None:
                return None
        elif isinstance(event, h11.Request):
            request = event
            if connection.they_are_waiting_for_100_continue:
                writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        elif isinstance(event, h11.Data):
            body += bytes(event.data)
        elif isinstance(event, h11.EndOfMessage):
            headers = {name.decode(): value.decode("latin-1") for name, value in request.headers}
            return Recorded(request.method.decode(), request.target.decode(), headers, body)
        else:
            return None
