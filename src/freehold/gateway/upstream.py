"""The target's side: HTTP/1.1 out, pooled connections, one call at a time on each.

A pooled connection that turns out stale before a byte of answer came is replaced once, silently.
"""

from __future__ import annotations

import asyncio
from typing import Protocol, cast

import httptools

from freehold.core.egress import send
from freehold.core.errors import FreeholdError, UpstreamLied, UpstreamUnreachable
from freehold.core.permit import Origin, Permit

KEPT = frozenset(
    {
        b"content-encoding",
        b"content-type",
        b"date",  # what a date in `retry-after` is read against
        b"mcp-session-id",
        b"retry-after",
        b"retry-after-ms",
        b"transfer-encoding",
        b"x-amzn-errortype",
        b"x-should-retry",
    }
)
LENGTH = b"content-length"
SPELLED: dict[bytes, bytes] = {
    spelled: name
    for name in (*KEPT, LENGTH, b"connection", b"server", b"x-request-id")
    for spelled in (name, name.title())
}
"""Names as servers spell them: most need not be put in lower case each time."""
MAX_HEAD_BYTES = 64 << 10
POOL_IDLE_SECONDS = 4.0
"""Servers commonly close after 5 s of silence (llama.cpp does): do not race them."""
POOL_SIZE = 512


MAX_WHOLE_BYTES = 256 << 20
WHOLE, CONTENT, RAW = range(3)


_SPENT = httptools.HttpResponseParser(object())
"""In place of a parser that holds its connection, and so would keep both until a collector comes round."""


class Receiver(Protocol):
    """Who the answer is for."""

    def answer_head(self, upstream: Upstream) -> int:
        """Status and headers are known: how is the body wanted? WHOLE, CONTENT or RAW."""

    def answer_raw(self, raw: bytes, content: bytes, whole: bool) -> None:
        """Raw bytes of the body with their chunk framing, the content in them, and whether the message is complete."""

    def answer_body(self, content: bytes) -> None:
        """Content of the body of a stream."""

    def answer_end(self) -> None:
        """The body of a stream is complete."""

    def answer_whole(self, body: bytes) -> None:
        """The whole body of an answer that is no stream."""

    def answer_failed(self, error: FreeholdError, stale: bool) -> None:
        """No (more) answer will come; `stale` where a pooled connection died before any byte."""


class Upstream(asyncio.Protocol):
    """One connection to a target."""

    transport: asyncio.Transport
    # Of the answer under way; `request` begins them anew.
    headers: dict[bytes, bytes]
    status = 0
    _size = 0
    _wanted = 0
    _done = False
    _begun = False
    _framed = False
    _interim = False
    _extra = False
    _head = b""
    _in_head = True

    def __init__(self, origin: Origin) -> None:
        self.origin = origin
        self.receiver: Receiver | None = None
        self._pieces: list[bytes] = []
        # The parser appends content without a Python frame for each chunk.
        self.on_body = self._pieces.append
        self.parser: httptools.HttpResponseParser = httptools.HttpResponseParser(self)
        self.used = 0
        self.idle_since = 0.0
        self.closed = False
        self.keep = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember the way out."""
        self.transport = cast(asyncio.Transport, transport)

    def request(self, receiver: Receiver, permit: Permit, head: bytes, now: float) -> None:
        """Send a request; its answer goes to `receiver`. Raises EgressRefused."""
        self.receiver = receiver
        self._pieces.clear()
        self.headers = {}
        self.status = self._size = self._wanted = 0
        self._done = self._begun = self._framed = self._interim = self._extra = False
        self._head = b""
        self._in_head = True
        self.used += 1
        send(self.transport, self.origin, permit, head, now)

    @property
    def chunked(self) -> bool:
        """True where the answer's body is in chunks, so its end can be told from a cut."""
        return self.headers.get(b"transfer-encoding", b"").lower() == b"chunked"

    # From the transport

    def data_received(self, data: bytes) -> None:
        """Parse, then pass on: nothing is relayed that the parser has not accepted."""
        receiver = self.receiver
        if receiver is None:
            self.abort()  # nobody asked for this
            return
        self._begun = True
        in_head = self._in_head
        try:
            self.parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._fail(UpstreamLied(f"the target's answer is not HTTP/1.1: {error}"))
            return
        if self.receiver is not receiver:
            return  # given up in a callback
        if self._extra:
            self._fail(UpstreamLied("the target sent more than one answer"))
            return
        pieces = self._pieces
        if not in_head and self._wanted == RAW:
            content = pieces[0] if len(pieces) == 1 else b"".join(pieces)
            pieces.clear()
            receiver.answer_raw(data, content, self._done)
            return
        if in_head and self._in_head:
            self._head += data
            if len(self._head) > MAX_HEAD_BYTES:
                self._fail(UpstreamLied("the target's answer has endless headers"))
            return
        if self._wanted == WHOLE:
            self._size += len(data)
            if self._done:
                receiver.answer_whole(pieces[0] if len(pieces) == 1 else b"".join(pieces))
            elif self._size > MAX_WHOLE_BYTES:
                self._fail(UpstreamLied(f"an answer of more than {MAX_WHOLE_BYTES} bytes"))
            return
        content = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        pieces.clear()
        if self._wanted == RAW:
            data = self._head + data
            data = data[data.find(b"\r\n\r\n") + 4 :]
            if data:
                receiver.answer_raw(data, content, self._done)
            return
        if content:
            receiver.answer_body(content)
        if self._done and self.receiver is receiver:
            receiver.answer_end()

    def eof_received(self) -> bool:
        """The target closed its side."""
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """Without an end of its own, the answer is cut. A body that runs to the end of connection is accepted as
        whole only where nothing streams: its dialect decides.
        """
        self.closed = True
        self.parser = _SPENT
        receiver = self.receiver
        if receiver is None:
            return
        if self.status and not self._framed and not self.chunked and exc is None and not self._in_head:
            self.keep = False
            if self._wanted == WHOLE:
                receiver.answer_whole(b"".join(self._pieces))
            else:
                receiver.answer_end()
            return
        self.receiver = None
        what = "cut its answer" if self._begun else "closed the connection"
        stale = self.used > 1 and not self._begun
        receiver.answer_failed(UpstreamUnreachable(f"the target {what}"), stale)

    def pause_writing(self) -> None:
        """Requests are whole in memory: nothing to pause."""

    def resume_writing(self) -> None:
        """See above."""

    # From the parser

    def on_message_begin(self) -> None:
        """A second answer to one request is an attack on the caller's next one."""
        if self._done:
            self._extra = True

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep the few that matter."""
        kept = SPELLED.get(name)
        if kept is None:
            kept = name.lower()
        if kept in KEPT:
            self.headers[kept] = value
        elif kept == LENGTH:
            self._framed = True

    def on_headers_complete(self) -> None:
        """Ask the receiver how it wants the body; interim answers are passed over."""
        if self._done:
            return
        status = self.parser.get_status_code()
        if status < 200:
            self._interim = True
            return
        self.status = status
        self._in_head = False
        if self.receiver is not None:
            self._wanted = self.receiver.answer_head(self)

    def may_be_raw(self) -> bool:
        """Raw bytes can be passed on only where their framing tells a cut from an end, and no interim head precedes."""
        return self.chunked and not self._interim

    def on_message_complete(self) -> None:
        """Whole; `should_keep_alive` is right only here."""
        if self._in_head:  # an interim answer
            self.headers = {}
            return
        self._done = True
        self.keep = self.parser.should_keep_alive()

    # For the pool and the receiver

    def _fail(self, error: FreeholdError) -> None:
        receiver, self.receiver = self.receiver, None
        self.abort()
        if receiver is not None:
            receiver.answer_failed(error, stale=False)

    def abort(self) -> None:
        """Close at once; the target is to stop working on this."""
        self.receiver = None
        self.closed = True
        self.transport.abort()


class Pool:
    """Idle connections, a list for each origin and CA bundle, most recently used last."""

    def __init__(self) -> None:
        self._idle: dict[tuple[Origin, str], list[Upstream]] = {}

    def bucket(self, origin: Origin, tls_ca: str) -> list[Upstream]:
        """The list for an origin; targets keep it."""
        return self._idle.setdefault((origin, tls_ca), [])

    @staticmethod
    def take(idle: list[Upstream], now: float) -> Upstream | None:
        """A connection that should still be open, or None."""
        while idle:
            upstream = idle.pop()
            if not upstream.closed and now - upstream.idle_since < POOL_IDLE_SECONDS:
                return upstream
            upstream.abort()
        return None

    @staticmethod
    def give(idle: list[Upstream], upstream: Upstream, now: float) -> None:
        """The answer was whole: keep the connection where it may be kept."""
        upstream.receiver = None
        if upstream.keep and not upstream.closed and len(idle) < POOL_SIZE:
            upstream.idle_since = now
            idle.append(upstream)
        else:
            upstream.abort()

    def move(self, seconds: float) -> None:
        """The clock was set by so much."""
        for idle in self._idle.values():
            for upstream in idle:
                upstream.idle_since += seconds

    def sweep(self, now: float) -> None:
        """Close what has idled too long."""
        for idle in self._idle.values():
            stale = 0
            while stale < len(idle) and now - idle[stale].idle_since >= POOL_IDLE_SECONDS:
                idle[stale].abort()
                stale += 1
            del idle[:stale]


def refuse_compressed(upstream: Upstream) -> None:
    """Raises UpstreamLied for an answer in an encoding that nobody asked for."""
    encoding = upstream.headers.get(b"content-encoding")
    if encoding is not None and encoding != b"identity":
        raise UpstreamLied(f"the target compressed its answer ({encoding.decode('latin-1')[:20]}) unasked")
