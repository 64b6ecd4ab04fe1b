"""One engine process: a classifier out of the store, answering OpenAI's chat completions on loopback.

Started as `python -m freehold.serving.engines.classifier`. It opens what has just been checked against the signed
manifest, answers only to its secret, and dies with its parent.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import hmac
import signal
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path

from freehold.core.crypto import Verifier
from freehold.core.errors import BadHttp, FreeholdError, Internal, UnknownKey, UnknownPath, WrongMethod
from freehold.core.process import die_with_parent
from freehold.gateway.dialects.openai_wire import error_body
from freehold.gateway.inbound import Inbound
from freehold.gateway.listener import Connection
from freehold.gateway.reply import head_of
from freehold.registry.artefacts import Store
from freehold.serving.linear import Linear
from freehold.serving.loopback import LOOPBACK
from freehold.serving.scored import Desk

MAX_BODY_BYTES = 16 << 20
TICK_SECONDS = 1.0
_JSON = (b"content-type", b"application/json")
_EVENTS = (b"content-type", b"text/event-stream")


class Counter:
    """What the connections belong to: checks the secret and has the desk answer, each call in one go."""

    max_body_bytes = MAX_BODY_BYTES

    def __init__(self, desk: Desk, secret: str) -> None:
        self._desk = desk
        self._bearer = f"Bearer {secret}".encode()
        self.coarse = time.monotonic()
        self.known_hosts: set[bytes | None] = set()
        self.connections: set[Connection] = set()

    def hosted(self, host: bytes | None) -> bool:
        """Loopback under any port: who may ask is decided by the secret."""
        named = host is not None and host.partition(b":")[0] in (LOOPBACK.encode(), b"localhost")
        if named and len(self.known_hosts) < 16:
            self.known_hosts.add(host)
        return named

    def serve(self, connection: Connection, inbound: Inbound) -> None:
        """Answer at once."""
        try:
            response = self._answered(inbound)
        except FreeholdError as error:
            response = self._refused(error, inbound)
        except Exception as error:  # noqa: BLE001  the process edge: one call's defect is not the others'
            sys.stderr.write(f"defect in a call: {type(error).__name__}\n")
            response = self._refused(Internal("the classifier failed on this call"), inbound)
        connection.write(response)
        connection.done()

    def refuse(self, connection: Connection, error: FreeholdError, inbound: Inbound | None) -> None:
        """What is no proper request."""
        connection.write(self._refused(error, inbound))

    def _answered(self, inbound: Inbound) -> bytes:
        path = inbound.url.partition(b"?")[0]
        if path == b"/health":
            return self._whole(200, b'{"status":"ok"}', inbound)
        if not hmac.compare_digest(inbound.headers.get(b"authorization", b""), self._bearer):
            raise UnknownKey("the engine's key is wrong", hint="the gateway knows it")
        if path == b"/v1/models":
            return self._whole(200, self._desk.models(), inbound)
        if path != b"/v1/chat/completions":
            raise UnknownPath(f"{path[:80].decode(errors='replace')} is not served by a classifier")
        if inbound.method != b"POST":
            raise WrongMethod("calls are posted")
        streamed, body = self._desk.answer(inbound.body)
        return self._whole(200, body, inbound, streamed=streamed)

    def _refused(self, error: FreeholdError, inbound: Inbound | None) -> bytes:
        status, body = error_body(error)
        return self._whole(status, body, inbound)

    def _whole(self, status: int, body: bytes, inbound: Inbound | None, *, streamed: bool = False) -> bytes:
        keep = inbound is not None and inbound.keep_alive
        return head_of(status, [_EVENTS if streamed else _JSON], len(body), keep=keep) + body


async def serve(counter: Counter, listener: socket.socket, told: str) -> None:
    """Answer until told to end; then what was taken in is answered."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    server = await loop.create_server(lambda: Connection(counter), sock=listener)
    gc.collect()
    gc.freeze()
    sys.stderr.write(told)
    sys.stderr.flush()
    while not stop.is_set():
        try:
            async with asyncio.timeout(TICK_SECONDS):
                await stop.wait()
        except TimeoutError:
            counter.coarse = time.monotonic()
            for one in [one for one in counter.connections if one.overdue(counter.coarse)]:
                one.transport.abort() if one.closing else one.close()
    server.close()
    for one in list(counter.connections):
        one.close()
    await asyncio.sleep(0)


def parser() -> argparse.ArgumentParser:
    """The command line of an engine process."""
    made = argparse.ArgumentParser(prog="python -m freehold.serving.engines.classifier", description=__doc__)
    made.add_argument("--store", type=Path, required=True, help="folder of the model store")
    made.add_argument("--public", required=True, help="public key the manifests are signed with, in hex")
    made.add_argument("--model", required=True, help="name of the model in the store")
    made.add_argument("--port", type=int, required=True)
    made.add_argument("--secret-file", type=Path, required=True, help="file with the key callers must show")
    return made


def main(arguments: list[str] | None = None) -> int:
    """Serve until told to end. Exit 1 with the reason where the model may not be loaded."""
    die_with_parent(signal.SIGKILL)
    options = parser().parse_args(arguments)
    try:
        store = Store(options.store, Verifier(bytes.fromhex(options.public)))
        encoder, weights = opened(store, options.model)
        scorer = Linear.load(weights, encoder)
        secret = options.secret_file.read_text().strip()
        if not secret:
            raise BadHttp("the secret of the engine is empty")
        listener = socket.create_server((LOOPBACK, options.port), backlog=1024)
    except FreeholdError as error:
        sys.stderr.write(f"{error} (fix: {error.hint})\n")
        return 1
    except OSError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    desk = Desk(scorer, options.model, time.time)
    told = f"serving {options.model} at http://{LOOPBACK}:{options.port}\n"
    with asyncio.Runner(loop_factory=_loop()) as runner:
        runner.run(serve(Counter(desk, secret), listener, told))
    return 0


def opened(store: Store, model: str) -> tuple[Path | None, Path]:
    """The encoder, where it was trained with one, and the classifier itself. Raises as the store does."""
    lineage = store.show(model).lineage
    if lineage is not None and lineage.base_sha256:
        return store.open_with_base(model)
    return None, store.open_verified(model)


def _loop() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """The faster loop, where it is installed."""
    try:
        import uvloop
    except ImportError:
        return None
    made: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return made


if __name__ == "__main__":
    sys.exit(main())
