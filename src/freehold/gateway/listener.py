"""The caller's side: HTTP/1.1 in, one call at a time for each connection, pipelined requests in order.

llhttp parses; this file enforces what it leaves open (sizes, Host, duplicates) and knows nothing of dialects.
"""

from __future__ import annotations

import asyncio
from typing import Protocol, cast

import httptools

from freehold.core.errors import BadHttp, FreeholdError, TooLarge, WrongHost
from freehold.gateway.inbound import MOST_MISSES, Inbound, SameHead, remembered

MAX_HEAD_BYTES = 64 << 10
MAX_QUEUED = 16
HEAD_SECONDS = 30.0
BODY_SECONDS = 300.0
IDLE_SECONDS = 600.0
CLOSE_SECONDS = 60.0
VERSIONS = ("1.1", "1.0")
NO_UPGRADE = "this server upgrades to no other protocol and is no proxy: switch the client to plain HTTP/1.1"

WANTED = frozenset(
    {
        b"accept", b"anthropic-beta", b"anthropic-version", b"authorization", b"content-length", b"content-type",
        b"expect", b"host", b"idempotency-key", b"mcp-method", b"mcp-name",
        b"mcp-protocol-version", b"mcp-session-id", b"openai-beta",
        b"traceparent", b"transfer-encoding", b"upgrade",
        b"x-api-key", b"x-freehold-approve", b"x-freehold-cache", b"x-freehold-confidence", b"x-freehold-conversation",
        b"x-freehold-declassify", b"x-freehold-label", b"x-freehold-priority", b"x-freehold-strict",
        b"x-freehold-subject", b"x-freehold-workflow", b"x-goog-api-key",
    }
)  # fmt: skip
_SINGLE = frozenset(
    {
        b"authorization",
        b"content-length",
        b"content-type",
        b"host",
        b"transfer-encoding",
        b"x-api-key",
        b"x-goog-api-key",
    }
)


_UNWANTED = (
    b"accept-encoding", b"accept-language", b"cache-control", b"connection", b"origin", b"referer", b"user-agent",
)  # fmt: skip
SPELLED: dict[bytes, bytes] = {
    spelled: name if name in WANTED else b"" for name in (*WANTED, *_UNWANTED) for spelled in (name, name.title())
}
"""Names as clients spell them, with what they are kept as: most need not be put in lower case each time."""


_SPENT = httptools.HttpRequestParser(object())
"""In place of a parser that holds its connection, and so would keep both until a collector comes round."""


class Handler(Protocol):
    """What serves a request on a connection."""

    def hung_up(self) -> None:
        """The caller is gone."""

    def pause(self) -> None:
        """The caller reads more slowly than we write."""

    def resume(self) -> None:
        """The caller caught up."""


class House(Protocol):
    """What connections belong to."""

    max_body_bytes: int
    coarse: float
    known_hosts: set[bytes | None]
    """Host headers seen and found to be ours."""
    connections: set[Connection]

    def hosted(self, host: bytes | None) -> bool:
        """Is this a name we serve?"""

    def serve(self, connection: Connection, inbound: Inbound) -> Handler | None:
        """Begin serving; None where it was answered at once."""

    def refuse(self, connection: Connection, error: FreeholdError, inbound: Inbound | None) -> None:
        """Answer with an error in the form the path calls for."""


class Connection(asyncio.Protocol):
    """One caller's connection."""

    transport: asyncio.Transport

    def __init__(self, house: House) -> None:
        self.house = house
        self.parser: httptools.HttpRequestParser = httptools.HttpRequestParser(self)
        self.handler: Handler | None = None
        self.busy = False
        self.closing = False
        self.queue: list[Inbound] = []
        self.since = house.coarse
        self._url = b""
        self._headers: dict[bytes, bytes] = {}
        self._whole_head: dict[bytes, bytes] = {}
        self._body: bytes | bytearray = b""
        self._raw_bytes = 0
        self._head_bytes = 0
        self._in_head = True
        self._fault: FreeholdError | None = None
        self._current: Inbound | None = None
        self._keep = True
        self._version = ""
        self._latest: Inbound | None = None
        self._same: SameHead | None = None
        self._misses = 0

    # From the transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember the way back."""
        self.transport = cast(asyncio.Transport, transport)
        self.house.connections.add(self)

    def data_received(self, data: bytes) -> None:
        """Feed the parser; what goes wrong is answered once, and the connection closed."""
        if self.closing:
            return
        fresh = False
        if self._in_head:
            if not self._head_bytes:
                self.since = self.house.coarse
                fresh = not self.busy and self._misses < MOST_MISSES
                if fresh and (same := self._same) is not None and same.host in self.house.known_hosts:
                    inbound = same.again(data, self.house.max_body_bytes)
                    if inbound is not None:
                        self._misses = 0
                        self._serve(inbound)
                        return
            self._head_bytes += len(data)
            self._latest = None
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._fault = self._fault or BadHttp(NO_UPGRADE)
        except httptools.HttpParserError as error:
            self._fault = self._fault or BadHttp(f"not HTTP/1.1: {error}")
        if self._fault is None:
            if self._in_head:
                if self._head_bytes > MAX_HEAD_BYTES + len(data):
                    self._fault = BadHttp(f"headers of more than {MAX_HEAD_BYTES} bytes")
            else:
                # Chunk framing and trailers cost memory and time without being content: six bytes carry one.
                self._raw_bytes += len(data)
                if self._raw_bytes > 2 * MAX_HEAD_BYTES + 6 * len(self._body):
                    self._fault = BadHttp("more framing than content")
        if fresh and self._latest is not None:
            self._misses += 1
            self._same = remembered(data, self._latest) if self._fault is None else None
            self._latest = None
        if self._fault is not None:
            self.reject(self._fault)

    def eof_received(self) -> bool:
        """The caller is done sending: so are we."""
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell whoever serves that nobody listens."""
        self.closing = True
        self.house.connections.discard(self)
        self.queue.clear()
        self.parser = _SPENT
        handler = self.handler
        if handler is not None:
            self.handler = None
            handler.hung_up()

    def pause_writing(self) -> None:
        """Back-pressure goes through to the target."""
        if self.handler is not None:
            self.handler.pause()

    def resume_writing(self) -> None:
        """And is released again."""
        if self.handler is not None:
            self.handler.resume()

    # From the parser

    def on_url(self, url: bytes) -> None:
        """Comes in pieces when the read was split."""
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep what we use; a second one of those that must be single is an attack."""
        kept = SPELLED.get(name)
        if kept is None:
            kept = name.lower()
            if kept not in WANTED:
                return
        if kept:
            name = kept
            headers = self._headers
            if name in headers:
                if name in _SINGLE:
                    self._fault = BadHttp(f"more than one {name.decode()} header")
                value = headers[name] + b"," + value
            headers[name] = value

    def on_headers_complete(self) -> None:
        """Refuse early what can be refused early."""
        self._in_head = False
        self._head_bytes = self._raw_bytes = 0
        headers, house = self._headers, self.house
        self._whole_head, self._headers = headers, {}  # what still comes is a trailer
        host = headers.get(b"host")
        if host not in house.known_hosts and not house.hosted(host):
            self._fault = self._fault or WrongHost("the Host header is missing or not one of ours")
            return
        if b"upgrade" in headers or self._url[:1] != b"/":  # CONNECT and absolute forms are for proxies
            self._fault = self._fault or BadHttp(NO_UPGRADE)
            return
        coding = headers.get(b"transfer-encoding")
        if coding is not None and coding.lower() != b"chunked":  # a proxy before us may read another body
            self._fault = self._fault or BadHttp("no transfer coding but chunked is understood")
            return
        length = headers.get(b"content-length")
        if length is not None and len(length) > 5 and int(length) > house.max_body_bytes:
            self._fault = TooLarge(f"a body of more than {house.max_body_bytes} bytes")
        elif b"expect" in headers and self._fault is None and not self.busy:
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, data: bytes) -> None:
        """Gather; a body in pieces grows in place."""
        body = self._body
        if not body:
            self._body = data
            return
        if isinstance(body, bytes):
            body = self._body = bytearray(body)
        body += data
        if len(body) > self.house.max_body_bytes:
            self._fault = self._fault or TooLarge(f"a body of more than {self.house.max_body_bytes} bytes")
            self._body = b""

    def on_message_complete(self) -> None:
        """A whole request: serve it, or let it wait its turn."""
        self._in_head = True
        body = self._body if type(self._body) is bytes else bytes(self._body)
        parser = self.parser
        version = self._version
        if version != "1.1":  # a connection that once spoke 1.1 goes on to
            version = self._version = parser.get_http_version()
        method = parser.get_method()
        if self._headers or version not in VERSIONS or method == b"CONNECT" or len(body) > self.house.max_body_bytes:
            self._fault = self._fault or self._amiss(method, version)
        inbound = Inbound(method, self._url, self._whole_head, body, parser.should_keep_alive(), version == "1.1")
        self._headers = {}
        if self._misses < MOST_MISSES:  # a copy: whoever serves may change what it got
            self._latest = Inbound(method, self._url, dict(self._whole_head), body, inbound.keep_alive, inbound.http11)
        if self._fault is not None or self.closing:
            self._current = inbound
            return
        self._url = self._body = b""
        if self.busy or self.queue:
            self.queue.append(inbound)
            if len(self.queue) > MAX_QUEUED:
                self._fault = BadHttp(f"more than {MAX_QUEUED} requests at once on one connection")
        else:
            self._serve(inbound)

    def _amiss(self, method: bytes, version: str) -> FreeholdError:
        if method == b"CONNECT":
            return BadHttp(NO_UPGRADE)
        if version not in VERSIONS:
            return BadHttp(f"HTTP/{version} is not spoken here")
        if self._headers:
            return BadHttp(f"{min(self._headers).decode()} in a trailer")
        return TooLarge(f"a body of more than {self.house.max_body_bytes} bytes")

    # For whoever serves

    def _serve(self, inbound: Inbound) -> None:
        """Serve one request and then, one after the other, those that were answered at once."""
        while True:
            self.busy = True
            self._keep = inbound.keep_alive
            handler = self.house.serve(self, inbound)
            if self.busy:
                self.handler = handler
                return
            if not self.queue:
                break
            inbound = self.queue.pop(0)
        if self._fault is not None:
            self.reject(self._fault)

    def write(self, data: bytes) -> None:
        """Bytes to the caller."""
        if not self.closing:
            self.transport.write(data)

    def done(self, keep: bool = True) -> None:
        """The answer is whole: go on with the next request, or close."""
        later = self.handler is not None
        self.handler = None
        self.busy = False
        self.since = self.house.coarse
        if not keep or not self._keep:
            self.close()
        elif later:  # else `_serve` is on the stack and goes on by itself
            if self.queue:
                self._serve(self.queue.pop(0))
            elif self._fault is not None:
                self.reject(self._fault)

    def close(self) -> None:
        """Close once what was written is out."""
        self.closing = True
        self.since = self.house.coarse
        self.queue.clear()
        self.transport.close()

    def reject(self, error: FreeholdError) -> None:
        """Answer what is not a proper request, and close; but first what was asked properly before it."""
        if self.closing:
            return
        if self.busy:
            self._fault = error
            self.transport.pause_reading()
            return
        inbound = self._current or Inbound(b"", self._url, self._whole_head or self._headers, b"", False, True)
        inbound.keep_alive = False
        self.house.refuse(self, error, inbound if inbound.url else None)
        self.close()

    def overdue(self, now: float) -> bool:
        """True where the caller takes too long to send a request or take an answer, or has been idle for long."""
        waited = now - self.since
        if self.closing:
            return waited > CLOSE_SECONDS
        if self.busy:
            return False
        if self._in_head:
            return waited > (HEAD_SECONDS if self._head_bytes else IDLE_SECONDS)
        return waited > BODY_SECONDS
