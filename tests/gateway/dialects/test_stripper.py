"""The usage chunk a caller did not ask for is taken out; every other byte goes through, however the body is cut."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from freehold.gateway.dialects.registry import dialect
from freehold.gateway.ports import Peek
from tests.gateway.dialects.strategies import cut, openai_answers, streams

CHAT = dialect("openai_chat")
USAGE = b'data: {"id":"c","choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}}\n\n'


def stripped(pieces: list[bytes]) -> bytes:
    stripper = CHAT.stream_stripper()
    return b"".join(stripper.feed(piece) for piece in pieces) + stripper.end()


@settings(max_examples=80, deadline=None)
@given(answer=openai_answers(), data=st.data())
def test_only_the_usage_event_goes(answer, data):
    events = data.draw(streams(answer))
    body = CHAT.stream_encoder(Peek("m", stream=True)).feed(events)
    *before, usage, done, rest = body.split(b"\n\n")
    assert b'"choices":[],"usage":{' in usage
    assert (done, rest) == (b"data: [DONE]", b"")
    expected = b"\n\n".join([*before, done, rest])
    if data.draw(st.booleans()):
        body, expected = body.replace(b"\n", b"\r\n"), expected.replace(b"\n", b"\r\n")
    assert stripped(cut(data.draw, body)) == expected


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b": ping\n\n",
        b'data: {"choices":[],"prompt_filter_results":[1],"usage":null}\n\n',
        b'data: {"choices":[]}\n\n',
        b'data: {"choices":[{"delta":{"content":"\\"choices\\":[],\\"usage\\":{}"}}],"usage":{"prompt_tokens":1}}\n\n',
        b'data: {"choices":[{"delta":{"x":{"choices":[]}}}],"usage":{"prompt_tokens":1}}\n\n',
        b'data: {"choices":[],"usage":{"prompt_tokens":1},"error":{"message":"x"}}\n\n',
        b'data: {"choices":[],"usage":\n\n',
        b'data: {"choices":[],"usage"',
        b"no event at all",
    ],
)
def test_what_only_looks_like_it_stays(body):
    assert stripped([bytes([one]) for one in body]) == body
    assert stripped([body]) == body


@pytest.mark.parametrize(
    "spelled", [USAGE, USAGE.replace(b"[]", b"[ \n ]".replace(b"\n", b"")), USAGE.replace(b": {", b":{"), USAGE[:-2]]
)
def test_spacing_and_a_missing_blank_line_do_not_hide_it(spelled):
    before = b'data: {"choices":[{"delta":{}}],"usage":null}\n\n'
    assert stripped([before + spelled]) == before


def test_whole_events_are_passed_on_at_once():
    stripper = CHAT.stream_stripper()
    assert stripper.feed(b"data: 1\n\ndata: 2") == b"data: 1\n\n"
    assert stripper.feed(b"\n") == b""
    assert stripper.feed(b"\n") == b"data: 2\n\n"


def test_dialects_whose_streams_always_count_need_none():
    assert dialect("anthropic_messages").stream_stripper() is None
