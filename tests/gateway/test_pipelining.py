"""One connection, many requests: answered in order, one answer each, whatever stands between them."""

from __future__ import annotations

import pytest

from freehold.ledger.frames import Close
from tests.gateway import pieces as p
from tests.gateway.answers import read_answers

ASK = p.request(p.CHAT, p.chat_body("solo"))
ALIVE = b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n"
ANSWER = p.response(p.chat_answer())


def statuses(machine, connection, *methods: str) -> list[int]:
    wire = connection.transport
    return [one.status for one in read_answers(wire.sent, list(methods), ended=wire.closed)]


def test_pipelined_requests_are_answered_in_order(machine) -> None:
    connection = machine.caller()
    machine.ask(connection, ASK + ALIVE + p.request(p.CHAT, b"{") + ASK)
    assert connection.transport.sent == b""  # the first is not answered yet
    upstream = machine.connect()
    machine.answer(upstream, ANSWER)
    machine.answer(upstream, ANSWER)
    assert statuses(machine, connection, "POST", "GET", "POST", "POST") == [200, 200, 400, 200]
    assert len(machine.upstreams) == 1 and not connection.busy


def test_a_call_queued_behind_a_local_answer_still_notices_its_caller_leaving(machine) -> None:
    connection = machine.caller()
    machine.ask(connection, ASK + ALIVE + ASK)
    machine.answer(machine.connect(), ANSWER)
    upstream = machine.busy()[0]
    machine.lose(connection)
    assert upstream.closed and not machine.plane.calls
    assert [one.outcome for one in machine.ends()] == ["ok", "cancelled"]


def test_thousands_of_pipelined_requests_do_not_pile_up(machine) -> None:
    connection = machine.caller()
    machine.ask(connection, ASK + ALIVE * 3000)
    if not connection.transport.closed:
        machine.answer(machine.connect(), ANSWER)
    assert not connection.busy
    assert len(connection.queue) < 100


def test_many_requests_answered_at_once_need_no_stack(machine) -> None:
    connection = machine.caller()
    machine.ask(connection, ALIVE * 2000)
    assert statuses(machine, connection, *["GET"] * 2000) == [200] * 2000


@pytest.mark.parametrize("ask", [ASK, ALIVE])
def test_an_upgrade_is_refused_once_and_nothing_is_served(machine, ask: bytes) -> None:
    connection = machine.caller()
    machine.ask(connection, ask.replace(b"\r\n\r\n", b"\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n", 1))
    assert statuses(machine, connection, "POST") == [400]
    assert connection.transport.closed and not machine.calls


@pytest.mark.parametrize(
    "line", [b"CONNECT localhost:443", b"CONNECT /v1/chat/completions", b"POST http://localhost/v1/models"]
)
def test_what_is_meant_for_a_proxy_is_refused(machine, line: bytes) -> None:
    connection = machine.caller()
    machine.ask(connection, line + b" HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\n\r\n" + ALIVE)
    assert statuses(machine, connection, "POST") == [400]
    assert connection.transport.closed and not machine.calls


def test_head_is_answered_without_a_body(machine) -> None:
    connection = machine.caller()
    machine.ask(connection, ALIVE.replace(b"GET", b"HEAD") + ALIVE)
    assert statuses(machine, connection, "HEAD", "GET") == [200, 200]


@pytest.mark.parametrize("method", [b"PUT", b"DELETE", b"POST", b"PATCH"])
def test_local_answers_are_only_read(machine, method: bytes) -> None:
    connection = machine.caller()
    machine.ask(connection, ALIVE.replace(b"GET", method) + ALIVE)
    assert statuses(machine, connection, method.decode(), "GET") == [405, 200]


def test_a_bad_request_behind_a_good_one_ends_the_connection_and_settles_the_call(machine) -> None:
    connection = machine.caller()
    machine.ask(connection, ASK + b"WHAT IS THIS\r\n\r\n")
    while machine.connecting:
        machine.answer(machine.connect(), ANSWER)
    assert connection.transport.closed and not machine.plane.calls
    assert len([one for one in machine.ends() if isinstance(one, Close)]) == 1


def test_connection_close_is_honoured(machine) -> None:
    connection = machine.caller()
    machine.ask(connection, p.request(p.CHAT, p.chat_body("solo"), "connection: close"))
    machine.answer(machine.connect(), ANSWER)
    (answer,) = read_answers(connection.transport.sent, ["POST"], ended=True)
    assert answer.status == 200 and answer.headers["connection"] == "close" and connection.transport.closed


def test_expect_is_answered_before_the_body(machine) -> None:
    connection = machine.caller()
    ask = p.request(p.CHAT, p.chat_body("solo"), "expect: 100-continue")
    head = ask.index(b"\r\n\r\n") + 4
    machine.ask(connection, ask[:head])
    assert connection.transport.sent == b"HTTP/1.1 100 Continue\r\n\r\n"
    machine.ask(connection, ask[head:])
    machine.answer(machine.connect(), ANSWER)
    assert connection.transport.sent.count(b"HTTP/1.1 200") == 1


@pytest.mark.parametrize("host", ["evil.test", "localhost.evil.test", "localhost:80:80", ""])
def test_expect_is_not_answered_for_what_is_refused_anyway(machine, host: str) -> None:
    connection = machine.caller()
    machine.ask(connection, p.request(p.CHAT, b"", "expect: 100-continue", host=host))
    assert statuses(machine, connection, "POST") == [421]
    assert b"100 Continue" not in connection.transport.sent
