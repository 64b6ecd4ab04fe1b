"""A head that is remembered is read as the parser would read it: the same requests, whatever the bytes."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from freehold.core.errors import FreeholdError
from freehold.gateway.inbound import MOST_MISSES, Inbound, SameHead
from freehold.gateway.listener import Connection

HEAD = b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer k\r\nContent-Length: %d\r\nX-Api-Key: a\r\n\r\n"


class House:
    """Answers at once, and writes down what it was asked."""

    max_body_bytes = 200
    coarse = 0.0

    def __init__(self) -> None:
        self.known_hosts = {b"localhost"}
        self.connections: set = set()
        self.seen: list[tuple] = []
        self.refused: list[str] = []

    def hosted(self, host: bytes | None) -> bool:
        return False

    def serve(self, connection: Connection, inbound: Inbound) -> None:
        told = sorted(inbound.headers.items())
        self.seen.append((inbound.method, inbound.url, told, inbound.body, inbound.keep_alive, inbound.http11))
        connection.done()

    def refuse(self, connection: Connection, error: FreeholdError, inbound: Inbound | None) -> None:
        self.refused.append(error.code)


class Wire(asyncio.Transport):
    closed = False

    def write(self, data: bytes) -> None:
        pass

    def close(self) -> None:
        self.closed = True


def caller(house: House, *, remembers: bool) -> Connection:
    connection = Connection(house)
    connection.connection_made(Wire())
    if not remembers:
        connection._misses = MOST_MISSES
    return connection


def ask(body: bytes, head: bytes = HEAD) -> bytes:
    return head % len(body) + body


HEADS = st.sampled_from(
    (
        HEAD,
        HEAD.replace(b"Content-Length: %d", b"content-length:%d "),
        HEAD.replace(b"X-Api-Key: a", b"Connection: close"),
        HEAD.replace(b"X-Api-Key: a", b"Expect: 100-continue"),
        HEAD.replace(b"X-Api-Key: a", b"Content-Type: application/json"),
        HEAD.replace(b"HTTP/1.1", b"HTTP/1.0"),
        HEAD.replace(b"completions", b"completions?key=1"),
        HEAD.replace(b"Content-Length: %d", b"Content-Length: %d\r\nContent-Length: 3"),
        HEAD.replace(b"X-Api-Key: a", b"Content-Length-Other: 7"),
        HEAD.replace(b"Host: localhost", b"Host: elsewhere"),
        HEAD.replace(b"Content-Length: %d", b"Transfer-Encoding: chunked\r\nX-Length: %d"),
    )
)
BODIES = st.sampled_from(
    (b"", b"{}", b"hello", b"a" * 12, b"\r\n\r\n", b"x" * 190, b"y" * 300, b"GET / HTTP/1.1\r\n\r\n")
)


@st.composite
def reads(draw) -> list[bytes]:
    """What comes in, read by read: whole requests over and over, and some that are not."""
    head, found = draw(HEADS), []
    for _ in range(draw(st.integers(2, 6))):
        data = bytearray(ask(draw(BODIES), draw(HEADS) if draw(st.integers(0, 3)) == 0 else head))
        how = draw(st.integers(0, 6))
        at = draw(st.integers(0, len(data)))
        if how == 0:
            data[at:at] = draw(st.sampled_from((b"\r\n", b" ", b"0", b"\x00", b"+", b"Content-Length: 2\r\n")))
        elif how == 1:
            del data[at : at + 1]
        elif how == 2:
            data += ask(draw(BODIES), head)
        elif how == 3:
            found.append(bytes(data[:at]))
            data = data[at:]
        found.append(bytes(data))
    return found


@given(reads())
@example([ask(b"hello"), ask(b"hi"), ask(b"{}") + b"GET / HTTP/1.1\r\nHost: evil\r\n\r\n"])
@example([ask(b"hello"), ask(b"hi")[:-1], b"i"])
@example([ask(b"hello"), ask(b"hello", HEAD.replace(b"Key: a", b"Key: b"))])
@example([ask(b"hello"), ask(b"hello").replace(b": 5", b": +5")])
@example([ask(b"hello"), ask(b"hello").replace(b": 5", b": 5 5")])
@example([ask(b"hello"), ask(b"hello").replace(b": 5", b": 0000000005")])
@example([ask(b"hello"), ask(b"hello").replace(b": 5", b": 05")])
def test_a_connection_that_remembers_heads_serves_what_one_that_does_not_serves(given_reads) -> None:
    houses = (House(), House())
    connections = [caller(house, remembers=not number) for number, house in enumerate(houses)]
    for data in given_reads:
        for connection in connections:
            if not connection.transport.closed:
                connection.data_received(data)
    assert houses[0].seen == houses[1].seen
    assert houses[0].refused == houses[1].refused
    assert connections[0].transport.closed == connections[1].transport.closed


@pytest.fixture
def parsed(monkeypatch) -> list[bytes]:
    """What each remembered head was asked about and knew."""
    known: list[bytes] = []
    before = SameHead.again

    def again(self: SameHead, data: bytes, most: int) -> Inbound | None:
        found = before(self, data, most)
        if found is not None:
            known.append(found.body)
        return found

    monkeypatch.setattr(SameHead, "again", again)
    return known


def test_the_same_head_with_another_length_is_known(parsed) -> None:
    house = House()
    connection = caller(house, remembers=True)
    for body in (b"one", b"three", b"", b"x" * 150):
        connection.data_received(ask(body))
    assert parsed == [b"three", b"", b"x" * 150]
    assert [one[3] for one in house.seen] == [b"one", b"three", b"", b"x" * 150]
    assert dict(house.seen[3][2])[b"content-length"] == b"150"


def test_headers_of_one_request_are_not_those_of_the_next(parsed) -> None:
    house = House()
    connection = caller(house, remembers=True)

    def serve(connection: Connection, inbound: Inbound) -> None:
        house.seen.append(dict(inbound.headers))
        inbound.headers[b"x-goog-api-key"] = b"put there"
        connection.done()

    house.serve = serve  # type: ignore[method-assign]
    for _ in range(3):
        connection.data_received(ask(b"{}"))
    assert len(parsed) == 2 and all(b"x-goog-api-key" not in one for one in house.seen)


def test_a_name_that_is_served_no_more_is_refused(parsed) -> None:
    house = House()
    connection = caller(house, remembers=True)
    connection.data_received(ask(b"{}"))
    house.known_hosts.clear()
    connection.data_received(ask(b"{}"))
    assert parsed == [] and len(house.refused) == 1 and connection.transport.closed


def test_a_caller_whose_heads_differ_is_not_looked_at_for_long(parsed) -> None:
    connection = caller(House(), remembers=True)
    for number in range(MOST_MISSES + 1):
        connection.data_received(ask(b"{}", HEAD.replace(b": a", b": " + b"a" * (number + 1))))
    connection.data_received(ask(b"{}", HEAD.replace(b": a", b": " + b"a" * (MOST_MISSES + 1))))
    assert parsed == []


def test_a_request_is_not_kept_after_it_was_served() -> None:
    connection = caller(House(), remembers=True)
    connection.data_received(ask(b"secret"))
    connection.data_received(ask(b"secret"))
    kept = [getattr(connection, name) for name in vars(connection)]
    kept += [getattr(connection._same, name) for name in vars(connection._same)]
    assert not any(isinstance(one, bytes) and b"secret" in one for one in kept)
    assert not any(isinstance(one, Inbound) for one in kept)
