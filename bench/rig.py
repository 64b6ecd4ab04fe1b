"""A gateway without sockets: the real plane, connections and upstreams on transports that only keep what is written.

One `call()` is what the data plane computes for one call, without the kernel's part.
"""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, cast

from bench.load import KEY

if TYPE_CHECKING:
    from freehold.gateway.pipeline import Call
    from freehold.gateway.plane import Plane
    from freehold.gateway.routing.table import Stop
    from freehold.gateway.upstream import Upstream

BODY = (
    b'{"model":"mock","max_tokens":256,"temperature":0.7,"messages":[{"role":"system","content":'
    b'"You are a helpful assistant."},{"role":"user","content":"' + b"abcde " * 140 + b'"}]}'
)
STREAM_BODY = BODY.replace(b'"max_tokens"', b'"stream":true,"stream_options":{"include_usage":true},"max_tokens"')
ANSWER = (
    b'{"id":"chatcmpl-0","object":"chat.completion","created":1700000000,"model":"mock","choices":[{"index":0,'
    b'"message":{"role":"assistant","content":"' + b"abcdef " * 100 + b'","refusal":null},"logprobs":null,'
    b'"finish_reason":"stop"}],"usage":{"prompt_tokens":200,"completion_tokens":120,"total_tokens":320},'
    b'"system_fingerprint":"fp_mock"}'
)
EVENT = (
    b'data: {"id":"chatcmpl-0","object":"chat.completion.chunk","created":1700000000,"model":"mock","choices":'
    b'[{"index":0,"delta":{"content":"T0000000000000000"},"finish_reason":null}]}\n\n'
)
_LAST = (
    b'data: {"id":"chatcmpl-0","object":"chat.completion.chunk","created":1700000000,"model":"mock","choices":'
    b'[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":{"prompt_tokens":200,"completion_tokens":120,'
    b'"total_tokens":320}}\n\n'
)


def request(body: bytes) -> bytes:
    """One request as the load client sends it."""
    return (
        b"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:8700\r\nAuthorization: Bearer %b\r\n"
        b"Content-Type: application/json\r\nAccept: */*\r\nUser-Agent: bench/1\r\nContent-Length: %d\r\n\r\n%b"
    ) % (KEY.encode(), len(body), body)


def response(body: bytes) -> bytes:
    """One whole answer as the mock sends it."""
    return (
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nx-request-id: req_mock\r\nContent-Length: %d\r\n\r\n%b"
    ) % (len(body), body)


def chunk(data: bytes) -> bytes:
    """One HTTP chunk."""
    return b"%x\r\n%b\r\n" % (len(data), data)


STREAM_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
STREAM_EVENT = chunk(EVENT)
STREAM_END = chunk(_LAST) + chunk(b"data: [DONE]\n\n") + b"0\r\n\r\n"


class Wire:
    """A transport that counts what is written to it."""

    def __init__(self) -> None:
        self.written = 0
        self.last = b""

    def write(self, data: bytes) -> None:
        """Keep the last piece."""
        self.written += len(data)
        self.last = data

    def is_closing(self) -> bool:
        """Never."""
        return False

    def get_extra_info(self, name: str) -> None:
        """None."""

    def close(self) -> None:
        """Nothing to close."""

    abort = pause_reading = resume_reading = close


class _Loop:
    """Runs what is due at the end of a turn when told to."""

    def __init__(self) -> None:
        self.due: list[Callable[[], object]] = []

    def call_soon(self, function: Callable[[], object], *_: object) -> None:
        """At the end of the turn."""
        self.due.append(function)

    def call_later(self, _: float, function: Callable[[], object]) -> None:
        """As soon as any."""
        self.due.append(function)

    def create_task(self, work: object) -> None:
        """Nothing connects here but the rig itself."""
        raise NotImplementedError(work)

    def turn(self) -> None:
        """End the turn."""
        while self.due:
            due, self.due = self.due, []
            for one in due:
                one()


class Rig:
    """One caller, one target, always connected."""

    def __init__(self, home: Path, *, receipts: bool) -> None:
        """`home` holds snapshots (`bench.homes.write_home`)."""
        from freehold.core.log import Log
        from freehold.gateway.listener import Connection
        from freehold.gateway.serve import GatewayConfig, build

        self.loop = _Loop()
        config = GatewayConfig(home=home, strict=receipts, receipts=receipts, resolve=lambda reference: reference)
        built = build(config, cast(asyncio.AbstractEventLoop, self.loop), Log("bench", io.StringIO()))
        self.plane: Plane = built[0]
        built[1].check()
        self.upstream: Upstream | None = None
        self.plane.connect = self._connect  # type: ignore[method-assign, unused-ignore]
        self.connection = Connection(self.plane)
        self.wire = Wire()
        self.connection.connection_made(cast(asyncio.Transport, self.wire))

    def _connect(self, stop: Stop, call: Call, attempt: int) -> None:
        from freehold.gateway.upstream import Upstream

        self.upstream = Upstream(stop.origin)
        self.upstream.connection_made(cast(asyncio.Transport, Wire()))
        call.connected(self.upstream, attempt)

    def ask(self, data: bytes) -> None:
        """A request comes in and goes out to the target."""
        self.connection.data_received(data)
        self.loop.turn()

    def tell(self, data: bytes) -> None:
        """The target's bytes come in and go on to the caller."""
        assert self.upstream is not None
        self.upstream.data_received(data)
        if self.loop.due:
            self.loop.turn()

    def fund(self, budgets: tuple[str, ...]) -> None:
        """Grant every budget a slice that outlasts the bench."""
        from decimal import Decimal

        from freehold.policy.budgets import Slice

        for budget in budgets:
            held = Slice(budget, 0, float("inf"), Decimal(10**9))
            self.plane.purse.grant(held, Decimal(10**9), exhausted=False)

    def close(self) -> None:
        """End the journal's epoch."""
        self.plane.journal.close()
