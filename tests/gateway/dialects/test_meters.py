"""Usage and end mark read off a relayed stream without decoding it, whatever the HTTP framing cuts through."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from freehold.gateway.dialects.registry import dialect
from freehold.gateway.ports import Dialect, Peek
from freehold.ledger.meter import Usage
from tests.gateway.dialects.strategies import anthropic_answers, cut, openai_answers, responses_answers, streams

CHAT, MESSAGES, RESPONSES = dialect("openai_chat"), dialect("anthropic_messages"), dialect("openai_responses")
WANTED = Peek(model="m", stream=True)
CHUNK = b'data: {"id":"c","choices":[{"index":0,"delta":{"content":"word "}}],"usage":null}\n\n'
CLOSING = b'data: {"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":5,"total_tokens":8}}\n\n'
START = (
    b'event: message_start\ndata: {"type":"message_start","message":{"id":"m","usage":{"input_tokens":4,'
    b'"cache_read_input_tokens":6,"cache_creation_input_tokens":9,"cache_creation":{"ephemeral_1h_input_tokens":2,'
    b'"ephemeral_5m_input_tokens":7},"output_tokens":1}}}\n\n'
)
DELTA = b'event: message_delta\ndata: {"type":"message_delta","delta":{},"usage":{"output_tokens":15}}\n\n'
STOP = b'event: message_stop\ndata: {"type":"message_stop"}\n\n'


def metered(where: Dialect, pieces: list[bytes]) -> tuple[Usage | None, bool]:
    meter = where.stream_meter()
    for piece in pieces:
        meter.feed(piece)
    return meter.end()


def framed(pieces: list[bytes]) -> bytes:
    """HTTP/1.1 chunked transfer coding (RFC 9112, section 7.1)."""
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces if piece) + b"0\r\n\r\n"


@pytest.mark.parametrize(
    ("where", "answers"),
    [(CHAT, openai_answers()), (MESSAGES, anthropic_answers()), (RESPONSES, responses_answers())],
)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_any_framing_and_any_reads_give_the_same_count(where, answers, data):
    answer = data.draw(answers)
    body = where.stream_encoder(WANTED).feed(data.draw(streams(answer)))
    wire = framed(cut(data.draw, body)) if data.draw(st.booleans()) else body
    assert metered(where, cut(data.draw, wire)) == (answer.usage, True)


@pytest.mark.parametrize("size", [1, 7, 100, 5000, 1 << 20])
def test_a_long_stream_keeps_only_its_edges(size):
    body = CHUNK * 2000 + CLOSING + b"data: [DONE]\n\n"
    pieces = [body[at : at + size] for at in range(0, len(body), size)]
    assert metered(CHAT, pieces) == (Usage(input=3, output=5), True)


@pytest.mark.parametrize("size", [11, 997, 1 << 20])
def test_input_stands_at_the_head_and_output_at_the_tail(size):
    delta = (
        b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta"}}\n\n'
    )
    body = START + delta * 500 + DELTA + STOP
    pieces = [body[at : at + size] for at in range(0, len(body), size)]
    usage = Usage(input=19, output=15, cached=6, cache_write=9, cache_write_1h=2)
    assert metered(MESSAGES, pieces) == (usage, True)


CREATED = b'event: response.created\ndata: {"type":"response.created","response":{"id":"r","usage":null}}\n\n'
COMPLETED = (
    b'event: response.completed\ndata: {"type":"response.completed","response":{"output":["%b"],"usage":'
    b'{"input_tokens":9,"input_tokens_details":{"cached_tokens":4},"output_tokens":5}}}\n\n'
)
WORD = b'event: response.output_text.delta\ndata: {"type":"response.output_text.delta","delta":"word "}\n\n'


@pytest.mark.parametrize("size", [7, 997, 1 << 20])
def test_the_last_event_of_responses_counts_however_long_it_is(size):
    body = CREATED + WORD * 500 + COMPLETED % (b"word " * 20_000) + b"data: [DONE]\n\n"
    pieces = [body[at : at + size] for at in range(0, len(body), size)]
    assert metered(RESPONSES, pieces) == (Usage(input=9, output=5, cached=4), True)


def test_responses_keep_no_more_than_the_last_event():
    meter = RESPONSES.stream_meter()
    for _ in range(2000):
        meter.feed(WORD)
    assert len(meter._last._held) < 40_000


@pytest.mark.parametrize(
    ("where", "body", "expected"),
    [
        (RESPONSES, b"", (None, False)),
        (RESPONSES, CREATED + WORD, (None, False)),
        (RESPONSES, CREATED + COMPLETED[:-20], (None, False)),
        (RESPONSES, CREATED + COMPLETED, (Usage(9, 5, cached=4), True)),
        (RESPONSES, CREATED + COMPLETED.replace(b"completed", b"incomplete"), (Usage(9, 5, cached=4), True)),
        (RESPONSES, CREATED + COMPLETED.replace(b"completed", b"failed"), (Usage(9, 5, cached=4), False)),
        (RESPONSES, COMPLETED + b'event: error\ndata: {"type":"error","message":"x"}\n\n', (None, False)),
        (CHAT, b"", (None, False)),
        (CHAT, CHUNK, (None, False)),
        (CHAT, CHUNK + b"data: [DONE]\n\n", (None, True)),
        (CHAT, CHUNK + b"data:[DONE]\r\n\r\n", (None, True)),
        (CHAT, CHUNK + b"data: [DONE]", (None, True)),
        (CHAT, CHUNK + CLOSING, (Usage(input=3, output=5), False)),
        (CHAT, b'data: {"choices":[{"delta":{"content":"\\ndata: [DONE]\\n"}}]}\n\n', (None, False)),
        (CHAT, CHUNK + b'data: {"error":{"message":"boom"}}\n\ndata: [DONE]\n\n', (None, False)),
        (CHAT, CHUNK + b'data: {"usage": tru', (None, False)),
        (MESSAGES, b"", (None, False)),
        (MESSAGES, START, (Usage(19, 1, 6, 9, 2, estimated=True), False)),
        (MESSAGES, START + DELTA, (Usage(19, 15, 6, 9, 2), False)),
        (MESSAGES, START + b'event: error\ndata: {"type":"error","error":{}}\n\n', (Usage(19, 1, 6, 9, 2, estimated=True), False)),
        (MESSAGES, START + DELTA.replace(b"{}", b'{"stop_sequence":"event: message_stop"}'), (Usage(19, 15, 6, 9, 2), False)),
        (MESSAGES, START + DELTA.replace(b'"output', b'"input_tokens":40,"output') + STOP, (Usage(55, 15, 6, 9, 2), True)),
    ],
)  # fmt: skip
def test_what_a_stream_told_before_it_ended(where, body, expected):
    assert metered(where, [body]) == expected


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        ({"prompt_tokens": 10, "completion_tokens": 4}, Usage(10, 4)),
        (
            {"prompt_tokens": 10, "completion_tokens": 4, "total_tokens": 14, "prompt_tokens_details": {"cached_tokens": 6},
             "completion_tokens_details": {"reasoning_tokens": 3}},
            Usage(10, 4, cached=6, reasoning=3),
        ),
        (  # reasoning beside the completion
            {"prompt_tokens": 10, "completion_tokens": 4, "total_tokens": 20, "completion_tokens_details": {"reasoning_tokens": 6}},
            Usage(10, 10, reasoning=6),
        ),
        ({"prompt_tokens": 10, "completion_tokens": 4, "prompt_cache_hit_tokens": 8}, Usage(10, 4, cached=8)),
        ({"prompt_tokens": 10, "completion_tokens": 4, "prompt_tokens_details": {"cached_tokens": 60}}, Usage(10, 4, cached=10)),
        ({"prompt_tokens": 10, "completion_tokens": None, "prompt_tokens_details": None}, Usage(10, 0)),
    ],
)  # fmt: skip
def test_openai_counts_include_their_parts(usage, expected):
    body = json.dumps({"choices": [{}], "usage": usage}).encode()
    assert CHAT.usage(body) == expected
