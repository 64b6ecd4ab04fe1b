"""Answers on their way: whole or honestly broken, at any split, and never more than one for one request."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freehold.ledger.frames import Open
from tests.gateway import pieces as p
from tests.gateway.answers import Answer, read_answers
from tests.gateway.machine import Machine

USAGE = {"stream_options": {"include_usage": True}}
ASKS = {
    "whole": p.request(p.CHAT, p.chat_body("solo")),
    "raw": p.request(p.CHAT, p.chat_body("solo", stream=True, **USAGE)),
    "filtered": p.request(p.CHAT, p.chat_body("solo", stream=True)),
    "translated": p.request(p.MESSAGES, p.messages_body("solo", stream=True)),
}
STREAM = b"".join(p.chat_stream())


@pytest.fixture(scope="module")
def machine(tmp_path_factory) -> Machine:
    """One machine for all examples: each has a connection of its own."""
    home = tmp_path_factory.mktemp("machine")
    return Machine(home, p.routes((p.target("a", 9001),), p.route("solo", "a", attempts=1)), p.keys())


def relayed(machine: Machine, ask: str, *reads: bytes, lost: bool = False) -> tuple[Answer, object]:
    """The answer and its frame for a target that sends these reads."""
    for breaker in (one.breaker for one in machine.health.values()):
        breaker.succeeded()
    connection = machine.caller()
    machine.ask(connection, ASKS[ask])
    upstream = machine.connect() if machine.connecting else machine.busy()[0]
    for read in reads:
        machine.answer(upstream, read)
    if lost and not upstream.closed:
        machine.lose(upstream)
    machine.plane.pool.sweep(machine.time + 100)  # the next example connects anew
    machine.turn()
    wire = connection.transport
    (answer,) = read_answers(wire.sent, ["POST"], ended=wire.closed)
    assert not machine.plane.calls and (wire.closed or not connection.busy)
    return answer, machine.ends()[-1]


def split(data: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({cut % len(data) for cut in cuts} - {0})
    return [data[a:b] for a, b in zip([0, *places], [*places, len(data)], strict=True)]


CUTS = st.lists(st.integers(0, 5000), max_size=6)


@given(
    cuts=CUTS, ask=st.sampled_from(["raw", "filtered", "translated"]), sizes=st.lists(st.integers(1, 400), max_size=8)
)
def test_a_stream_split_anywhere_and_chunked_anyhow_is_the_same_stream(machine, cuts, ask, sizes) -> None:
    pieces, rest = [], STREAM
    for size in sizes:
        pieces.append(rest[:size])
        rest = rest[size:]
    pieces = [one for one in (*pieces, rest) if one]
    answer, end = relayed(machine, ask, *split(p.chunked(*pieces), cuts))
    plain, _ = relayed(machine, ask, p.chunked(STREAM))
    assert answer.complete and end.outcome == "ok" and end.tried[0].usage.output == 3
    assert hashlib.sha256(answer.body).digest() == end.response_sha256
    if ask == "translated":
        assert answer.body.count(b"event: message_stop") == plain.body.count(b"event: message_stop") == 1
    else:
        assert answer.body == plain.body
        assert answer.body == (STREAM if ask == "raw" else STREAM.replace(p.CHAT_USAGE, b""))


@pytest.mark.parametrize("ask", ASKS)
def test_split_at_every_byte(machine, ask: str) -> None:
    data = p.response(p.chat_answer()) if ask == "whole" else p.chunked(*p.chat_stream())
    answer, end = relayed(machine, ask, *(data[i : i + 1] for i in range(len(data))))
    assert answer.complete and answer.status == 200 and end.outcome == "ok"


@pytest.mark.parametrize("ask", ["raw", "filtered", "translated"])
@pytest.mark.parametrize("back", range(1, 8))
def test_the_last_chunk_in_two_reads(machine, ask: str, back: int) -> None:
    data = p.chunked(*p.chat_stream())
    answer, end = relayed(machine, ask, data[:-back], data[-back:])
    assert answer.complete and end.outcome == "ok"


@given(cut=st.integers(0, len(p.chunked(*p.chat_stream())) - 1), ask=st.sampled_from(["raw", "filtered", "translated"]))
def test_a_stream_cut_anywhere_never_looks_whole(machine, cut: int, ask: str) -> None:
    answer, end = relayed(machine, ask, p.chunked(*p.chat_stream())[:cut], lost=True)
    if answer.status == 200:
        assert not answer.complete and end.outcome == "broken" and end.error == "FH-UP-002"
        assert end.tried[0].outcome == "unreachable" and end.cost > 0
    else:
        assert answer.complete and answer.status == 502 and end.outcome == "failed" and end.cost == 0


@given(cut=st.integers(0, len(p.response(p.chat_answer())) - 1))
def test_a_whole_answer_cut_anywhere_is_an_error(machine, cut: int) -> None:
    answer, end = relayed(machine, "whole", p.response(p.chat_answer())[:cut], lost=True)
    assert answer.complete and answer.status == 502 and end.outcome == "failed"


BROKEN_ENDS = {
    "no end mark": p.chunked(*p.chat_stream(done=False)),
    "error instead of an end": p.chunked(
        *p.chat_stream(done=False, usage=False), b'data: {"error":{"message":"x"}}\n\n'
    ),
    "bad chunk": p.chunked(*p.chat_stream(done=False), end=b"zz\r\n"),
    "close without an end": b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n"
    + b"".join(p.chat_stream(done=False)),
}


@pytest.mark.parametrize("ask", ["raw", "filtered", "translated"])
@pytest.mark.parametrize("how", BROKEN_ENDS)
def test_a_stream_without_its_end_is_broken_off(machine, ask: str, how: str) -> None:
    data = BROKEN_ENDS[how]
    first = data.index(b"\n\n") + 40
    answer, end = relayed(machine, ask, data[:first], data[first:], lost=True)
    assert answer.status == 200 and not answer.complete
    assert end.outcome == "broken" and end.tried[0].outcome in {"lied", "refused"}
    assert b"[DONE]" not in answer.body and b"message_stop" not in answer.body
    if ask == "translated":
        assert b"event: error" in answer.body


@pytest.mark.parametrize("ask", ["raw", "filtered"])
def test_a_broken_stream_says_so_where_its_framing_is_ours(machine, ask: str) -> None:
    data = p.chunked(*p.chat_stream())
    answer, _ = relayed(machine, ask, data[:-150], lost=True)
    assert (b'"code":"FH-UP-002"' in answer.body) == (ask == "filtered")


FIRST_ERRORS = (
    b'data: {"error":{"message":"overloaded","type":"server_error"}}\n\n',
    b'data:{"error":"overloaded"}\n\n',
    b': ping\n\ndata: {"error":{"message":"overloaded"}}\n\n',
    b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"x"}}\n\n',
    b'event: error\r\ndata: {"type": "error", "error": {}}\r\n\r\n',
)


@given(first=st.sampled_from(FIRST_ERRORS), cuts=CUTS, ask=st.sampled_from(["raw", "filtered"]))
def test_a_stream_that_begins_with_an_error_is_no_answer(machine, first: bytes, cuts, ask: str) -> None:
    answer, end = relayed(machine, ask, *split(p.chunked(first), cuts))
    assert answer.complete and answer.status >= 400 and end.outcome == "failed"
    assert end.tried[0].outcome == "refused"


TWO = {
    "stream, stream": ("raw", p.chunked(*p.chat_stream()) * 2),
    "stream, whole": ("raw", p.chunked(*p.chat_stream()) + p.response(p.chat_answer())),
    "whole, stream": ("raw", p.response(p.chat_answer()) + p.chunked(*p.chat_stream())),
    "filtered": ("filtered", p.chunked(*p.chat_stream()) * 2),
    "translated": ("translated", p.chunked(*p.chat_stream()) * 2),
    "whole": ("whole", p.response(p.chat_answer()) + p.response(p.chat_answer("evil"))),
    "rubbish": ("whole", p.response(p.chat_answer()) + b"rubbish"),
    "rubbish behind a stream": ("raw", p.chunked(*p.chat_stream()) + b"rubbish"),
}


@pytest.mark.parametrize("how", TWO)
def test_a_target_that_answers_twice_reaches_its_caller_at_most_once(machine, how: str) -> None:
    ask, data = TWO[how]
    answer, _ = relayed(machine, ask, data)  # `read_answers` refuses more than one
    assert b"evil" not in answer.body and b"HTTP/1.1 200" not in answer.body
    assert machine.upstreams[-1].closed  # nothing more is asked of it


def test_what_a_target_says_unasked_is_not_anybodys_answer(machine) -> None:
    relayed(machine, "whole", p.response(p.chat_answer()))
    upstream = machine.upstreams[-1]
    connection = machine.caller()
    machine.ask(connection, ASKS["whole"])
    machine.answer(machine.connect(), p.response(p.chat_answer()))
    kept = machine.upstreams[-1]
    machine.answer(kept, p.response(p.chat_answer("evil")))
    assert kept.closed and upstream.closed
    assert b"evil" not in connection.transport.sent


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: <x>\r\n\r\n" + p.response(p.chat_answer()),
            200,
        ),
        (b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n", 502),
        (b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 20_000, 502),
        (b"HTTP/1.1 200 OK\nContent-Length: 2\n\n{}", 502),
        (p.response(p.chat_answer(), 200, "content-encoding: gzip"), 502),
        (p.response(p.chat_answer(), 200, "content-length: 3"), 502),
        (p.response(p.chat_answer(), 200, "transfer-encoding: chunked"), 502),
        (p.response(b""), 502),
        (p.response(b"[]"), 502),
        (p.response(b"\xff\xfe"), 502),
        (b"HTTP/1.1 204 No Content\r\n\r\n", 502),
    ],
)
def test_answers_that_are_none(machine, data: bytes, status: int) -> None:
    answer, end = relayed(machine, "whole", *split(data, [len(data) // 2, len(data) // 3]), lost=True)
    assert answer.complete and answer.status == status == end.status


def test_http_1_0_callers_get_streams_without_chunks(machine) -> None:
    connection = machine.caller()
    machine.ask(connection, ASKS["raw"].replace(b"HTTP/1.1", b"HTTP/1.0", 1))
    machine.answer(machine.connect(), p.chunked(*p.chat_stream()))
    (answer,) = read_answers(connection.transport.sent, ["POST"], ended=True)
    assert answer.body == STREAM and answer.closes and connection.transport.closed
    assert "transfer-encoding" not in answer.headers


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_whom_a_call_is_about_is_written_down_and_sent_to_nobody(machine: Machine, encoding: str) -> None:
    connection = machine.caller()
    line = "x-freehold-subject: Zo\u00eb 17".encode(encoding).decode("latin-1")
    machine.ask(connection, p.request(p.CHAT, p.chat_body("solo"), line))
    upstream = machine.connect() if machine.connecting else machine.busy()[0]
    assert b"17" not in upstream.transport.sent.partition(b"\r\n\r\n")[0]
    opened = [one for one in machine.frames() if isinstance(one, Open)][-1]
    assert opened.subject == "Zo\u00eb 17"
    machine.lose(upstream)
