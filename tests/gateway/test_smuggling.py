"""Requests that two parsers might read differently: whatever the bytes, at any split, we serve no request that a
strict parser does not see, with no other body, and nothing is left hanging.
"""

from __future__ import annotations

import re

import h11
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from freehold.gateway.inbound import Inbound
from freehold.gateway.listener import Connection
from freehold.gateway.plane import Plane
from tests.gateway import pieces as p
from tests.gateway.machine import Machine

LINES = (
    b"POST /v1/chat/completions HTTP/1.1", b"POST /v1/chat/completions HTTP/1.0", b"GET /healthz HTTP/1.1",
    b"POST /v1/messages HTTP/1.1", b"post /v1/messages HTTP/1.1", b"POST  /v1/messages HTTP/1.1", b"POST /v1/messages",
    b"POST /v1/messages HTTP/2.0", b"POST /v1/messages HTTP/0.9", b"POST /v1/messages HTTP/1.10", b"\r\nGET /healthz HTTP/1.1",
    b" GET /healthz HTTP/1.1", b"GET /v1/mod\x00els HTTP/1.1", b"GET /v1/mod\xffels HTTP/1.1", b"GET /v1/models#x HTTP/1.1",
    b"POST http://localhost/v1/chat/completions HTTP/1.1", b"CONNECT localhost:80 HTTP/1.1", b"OPTIONS * HTTP/1.1",
    b"HEAD /healthz HTTP/1.1", b"GET /healthz\tHTTP/1.1", b"GET /healthz HTTP/1.1 x",
)  # fmt: skip
HEADERS = (
    b"Content-Length: 5", b"Content-Length: 0", b"Content-Length: 5\r\nContent-Length: 5", b"Content-Length: 5\r\nContent-Length: 6",
    b"Content-Length: +5", b"Content-Length: -5", b"Content-Length: 0x5", b"Content-Length: 5,5", b"Content-Length: 5 5",
    b"Content-Length : 5", b"Content-Length:5", b"Content-Length:\t5\t", b"Content-Length: ", b"Content-Length: 05",
    b"Content-Length: 99999999999999999999", b"Content_Length: 5", b"Content-Length\x00: 5", b"Content-Length: 5\x00",
    b"Transfer-Encoding: chunked", b"tRANSFER-eNCODING: CHUNKED", b"Transfer-Encoding: xchunked", b"Transfer-Encoding: identity",
    b"Transfer-Encoding: gzip, chunked", b"Transfer-Encoding: chunked, identity", b"Transfer-Encoding: chunked, chunked",
    b"Transfer-Encoding: chunked\r\nTransfer-Encoding: x", b"Transfer-Encoding: x\r\nTransfer-Encoding: chunked",
    b"Transfer-Encoding : chunked", b"Transfer-Encoding:\x0bchunked", b"Transfer-Encoding:\tchunked", b'Transfer-Encoding: "chunked"',
    b"Transfer-Encoding:\r\n chunked", b"X: y\r\n Transfer-Encoding: chunked", b" Transfer-Encoding: chunked", b"Transfer-Encoding:",
    b"X: y\nTransfer-Encoding: chunked", b"X: y\rTransfer-Encoding: chunked", b"X: y\r\n\tz", b"X: a\x00b", b"X: \xff\xfe", b"X: \x7f",
    b"Foo", b": novalue", b"X y: z", b"X\xe9: z", b"X: " + b"y" * 70_000, b"\r\n".join(b"X%d: y" % i for i in range(300)),
    b"Connection: close", b"Connection: keep-alive", b"Connection: content-length", b"Expect: 100-continue", b"Expect: nothing",
    b"Upgrade: websocket\r\nConnection: upgrade", b"Host: evil.test", b"Host: localhost", b"Trailer: host", b"TE: trailers",
)  # fmt: skip
BODIES = (
    b"", b"hello", b"hel", b"0\r\n\r\n", b"5\r\nhello\r\n0\r\n\r\n", b"5\nhello\n0\n\n", b"5;ext=1\r\nhello\r\n0\r\n\r\n",
    b'5;a="\r\n"\r\nhello\r\n0\r\n\r\n', b"5 \r\nhello\r\n0\r\n\r\n", b" 5\r\nhello\r\n0\r\n\r\n", b"+5\r\nhello\r\n0\r\n\r\n",
    b"0x5\r\nhello\r\n0\r\n\r\n", b"-1\r\nhello\r\n0\r\n\r\n", b"FFFFFFFFFFFFFFFFF\r\nhello\r\n0\r\n\r\n", b"5\r\nhelloXX0\r\n\r\n",
    b"5\r\nhello\r\n0\r\nX: y\r\n\r\n", b"5\r\nhello\r\n0\r\nContent-Length: 9\r\n\r\n", b"05\r\nhello\r\n00\r\n\r\n", b"5\r\nhello\r\n",
    b"5\r\nhello\r\n0\r\n\rX", b"5\r\nhello\r\n0\r\n\r\n0\r\n\r\n", b"\x00" * 5, b"5\rhello\r0\r\r", b"5\r\nhello0\r\n\r\n",
)  # fmt: skip


@st.composite
def requests(draw) -> bytes:
    lines = [draw(st.sampled_from(LINES[:4] if draw(st.booleans()) else LINES))]
    if draw(st.integers(0, 9)):
        lines.append(b"Host: localhost")
    lines += draw(st.lists(st.sampled_from(HEADERS), max_size=3))
    end = draw(st.sampled_from([b"\r\n", b"\r\n", b"\r\n", b"\r\n", b"\n", b"\r\r\n"]))
    return end.join(lines) + end * 2 + draw(st.sampled_from(BODIES))


STREAMS = st.lists(requests(), min_size=1, max_size=3).map(b"".join)


@st.composite
def mutated(draw) -> bytes:
    """A stream with a few bytes changed, dropped or doubled."""
    data = bytearray(draw(STREAMS))
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, max(len(data) - 1, 0)))
        how = draw(st.integers(0, 2))
        if how == 0 and data:
            data[at] = draw(st.sampled_from(b"\r\n\x00 \t:;,0\xff\x0b"))
        elif how == 1:
            del data[at : at + draw(st.integers(1, 4))]
        else:
            data[at:at] = data[at : at + draw(st.integers(1, 8))]
    return bytes(data)


SPACES = re.compile(rb"\A[\r\n]*([A-Z]+) +")
"""Empty lines before a request and more than one space in it mean the same to all who take them (RFC 9112, 2.2, 3)."""
Seen = list[tuple[bytes, bytes, bytes]]


@pytest.fixture(scope="module")
def machine(tmp_path_factory) -> Machine:
    home = tmp_path_factory.mktemp("machine")
    return Machine(home, p.routes((p.target("a", 9001),), p.route("assistant", "a")), p.keys(), max_body=100_000)


def strictly(data: bytes) -> Seen:
    """The requests a strict parser sees, up to the first thing it refuses."""
    found: Seen = []
    while data:
        parser = h11.Connection(h11.SERVER, max_incomplete_event_size=1 << 20)
        try:
            parser.receive_data(SPACES.sub(rb"\1 ", data, count=1))
            request, body = None, b""
            while True:
                event = parser.next_event()
                if isinstance(event, h11.Request):
                    request = event
                elif isinstance(event, h11.Data):
                    body += bytes(event.data)
                elif isinstance(event, h11.EndOfMessage):
                    break
                else:
                    return found
        except h11.RemoteProtocolError:
            return found
        assert request is not None
        found.append((request.method, request.target, body))
        if parser.their_state is h11.MUST_CLOSE:
            return found
        data = parser.trailing_data[0]
    return found


class Listening:
    """The plane, writing down what it serves."""

    def __init__(self, plane: Plane) -> None:
        self.plane = plane
        self.found: Seen = []

    def __getattr__(self, name: str) -> object:
        return getattr(self.plane, name)

    def serve(self, connection: Connection, inbound: Inbound) -> object:
        self.found.append((inbound.method, inbound.url, bytes(inbound.body)))
        return self.plane.serve(connection, inbound)


def ours(machine: Machine, reads: list[bytes]) -> tuple[Seen, object]:
    """The requests the gateway serves (each is answered at once: the key is not one of ours)."""
    connection = machine.caller()
    connection.house = house = Listening(machine.plane)
    found = house.found
    for read in reads:
        if not connection.transport.closed:
            machine.ask(connection, read)
    return found, connection


@given(data=STREAMS | mutated(), cuts=st.lists(st.integers(0, 500), max_size=4))
@example(
    data=b"POST /v1/messages HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: gzip, chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    cuts=[],
)
@example(
    data=b"POST /v1/messages HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n",
    cuts=[],
)
def test_we_serve_no_request_that_a_strict_parser_does_not_see(machine: Machine, data: bytes, cuts: list[int]) -> None:
    allowed = strictly(data)
    served, connection = ours(machine, [data])
    assert served == allowed[: len(served)]
    wire = connection.transport
    if not wire.closed:
        assert len(served) == len(allowed), "left hanging"
        assert not connection.busy
    places = sorted({min(cut, len(data)) for cut in cuts})
    again, other = ours(machine, [data[a:b] for a, b in zip([0, *places], [*places, len(data)], strict=True)])
    assert again == served and other.transport.closed == wire.closed
    if wire.closed and b"close" not in data.lower() and b"HTTP/1.0" not in data:
        assert b"HTTP/1.1 4" in wire.sent, "closed without a word"


@given(data=st.binary(max_size=300))
def test_rubbish_is_refused_and_never_served(machine: Machine, data: bytes) -> None:
    served, connection = ours(machine, [data])
    assert not served
    machine.wait(700.0)
    assert connection.transport.closed


REJECTED = {
    "CL.TE": b"Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nG",
    "TE.CL": b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n1\r\nZ\r\n0\r\n\r\n",
    "two lengths": b"Content-Length: 5\r\nContent-Length: 0\r\n\r\nhello",
    "two equal lengths": b"Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
    "length list": b"Content-Length: 5, 5\r\n\r\nhello",
    "signed length": b"Content-Length: +5\r\n\r\nhello",
    "space before colon": b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    "folded": b"X: y\r\n Transfer-Encoding: chunked\r\n\r\n",
    "vertical tab": b"Transfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n",
    "unknown coding": b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "coding behind chunked": b"Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
    "coding before chunked": b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "chunked twice": b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "bare LF": b"Content-Length: 0\nX: y\r\n\r\n",
    "bare CR": b"X: y\rContent-Length: 0\r\n\r\n",
    "NUL": b"X: a\x00b\r\n\r\n",
    "bad chunk size": b"Transfer-Encoding: chunked\r\n\r\nxyz\r\nhello\r\n0\r\n\r\n",
    "chunk size with a sign": b"Transfer-Encoding: chunked\r\n\r\n+5\r\nhello\r\n0\r\n\r\n",
    "chunk without its end": b"Transfer-Encoding: chunked\r\n\r\n5\r\nhelloXX0\r\n\r\n",
    "chunk ended by LF": b"Transfer-Encoding: chunked\r\n\r\n5\nhello\n0\n\n",
    "huge chunk": b"Transfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFFF\r\n",
    "two hosts": b"Host: evil.test\r\n\r\n",
    "two keys": b"Authorization: Bearer a\r\nAuthorization: Bearer b\r\n\r\n",
    "upgrade": b"Upgrade: h2c\r\nConnection: upgrade\r\n\r\n",
    "trailer that is a header": b"Transfer-Encoding: chunked\r\n\r\n0\r\nAuthorization: Bearer x\r\n\r\n",
}  # fmt: skip


@pytest.mark.parametrize("how", REJECTED)
def test_known_attacks_get_one_error_and_the_end_of_the_connection(machine: Machine, how: str) -> None:
    head = b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n"
    served, connection = ours(machine, [head + REJECTED[how] + b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"])
    assert not served
    assert connection.transport.closed and connection.transport.sent.count(b"HTTP/1.1 4") == 1
    assert connection.transport.sent.startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize(("host", "status"), [(b"localhost", 401), (b"LOCALHOST:8700", 401), (b"evil.test", 421), (b"localhost.evil.test", 421), (b"localhost@evil.test", 421), (b"", 421), (b"localhost:x", 421), (b"localhost, evil.test", 421)])  # fmt: skip
def test_only_names_of_ours_are_served(machine: Machine, host: bytes, status: int) -> None:
    data = b"POST /v1/chat/completions HTTP/1.1\r\nHost: " + host + b"\r\nContent-Length: 2\r\n\r\n{}"
    _, connection = ours(machine, [data])
    assert connection.transport.sent.startswith(b"HTTP/1.1 %d " % status)


def test_http_2_is_refused_in_words(machine: Machine) -> None:
    served, connection = ours(machine, [b"PRI * HTTP/2.0\r\n\r\n", b"SM\r\n\r\n" + bytes(20)])
    assert not served and connection.transport.closed and connection.transport.sent.startswith(b"HTTP/1.1 400 ")


def test_without_a_host_nothing_is_served(machine: Machine) -> None:
    for line in (b"GET /healthz HTTP/1.1", b"GET /healthz HTTP/1.0"):
        served, connection = ours(machine, [line + b"\r\n\r\n"])
        assert not served and connection.transport.sent.startswith(b"HTTP/1.1 421 ")


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_too_large_is_refused_before_it_is_gathered(machine: Machine, chunked: bool) -> None:
    head = b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n"
    reads = [head + b"Content-Length: 100001\r\n\r\n"]
    if chunked:
        reads = [head + b"Transfer-Encoding: chunked\r\n\r\n", *[b"3e8\r\n" + b"x" * 1000 + b"\r\n"] * 101]
    served, connection = ours(machine, reads)
    assert not served and connection.transport.sent.startswith(b"HTTP/1.1 413 ") and connection.transport.closed


@pytest.mark.parametrize("part", [b"x: " + b"y" * 1000, b"x: y\r\n" * 100, b"/" * 1000])
def test_a_head_without_end_is_refused(machine: Machine, part: bytes) -> None:
    reads = [
        b"POST /v1/chat/completions?"
        if part[:1] == b"/"
        else b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n"
    ]
    served, connection = ours(machine, reads + [part] * 400)
    assert not served and connection.transport.closed and connection.transport.sent.startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize("part", [b"x: " + b"y" * 1000, b"1;" + b"x" * 1000])
def test_framing_without_end_is_refused(machine: Machine, part: bytes) -> None:
    begin = b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
    begin += b"0\r\n" if part.startswith(b"x") else b""
    served, connection = ours(machine, [begin] + [part] * 2000)
    assert not served and connection.transport.closed


def test_a_body_in_tiny_chunks_is_taken(machine: Machine) -> None:
    body = b"{" + b" " * 500 + b"}"
    data = b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
    data += b"".join(b"1\r\n%c\r\n" % one for one in body) + b"0\r\n\r\n"
    served, connection = ours(machine, [data[i : i + 7] for i in range(0, len(data), 7)])
    assert served == [(b"POST", b"/v1/chat/completions", body)] and not connection.transport.closed
