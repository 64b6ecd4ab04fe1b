"""Any legal stream, split at any byte, tells the same message, in every pair of dialects."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from freehold.core.errors import UpstreamLied
from freehold.gateway.assemble import assemble
from freehold.gateway.dialects.registry import dialect
from freehold.gateway.messages import Answer
from freehold.gateway.ports import Dialect, Peek
from tests.gateway.dialects.strategies import (
    anthropic_answers,
    cut,
    openai_answers,
    respelled,
    responses_answers,
    streams,
)

CHAT, MESSAGES, RESPONSES = dialect("openai_chat"), dialect("anthropic_messages"), dialect("openai_responses")
DRAWN = [(CHAT, openai_answers()), (MESSAGES, anthropic_answers()), (RESPONSES, responses_answers())]
END = {CHAT: b"data: [DONE]", MESSAGES: b"event: message_stop\ndata: ", RESPONSES: b"event: response."}
"""How the event begins that ends a stream."""
WANTED = Peek(model="m", stream=True)


def told(where: Dialect, pieces: list[bytes]) -> Answer:
    decoder = where.stream_decoder()
    events = [event for piece in pieces for event in decoder.feed(piece)]
    return assemble([*events, *decoder.end()])


def canonical(where: Dialect, answer: Answer) -> Answer:
    return where.decode_answer(where.encode_answer(answer, created=1)[0])


@pytest.mark.parametrize(("where", "answers"), DRAWN)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_stream_cut_anywhere_tells_the_same_message(where, answers, data):
    answer = data.draw(answers)
    body = where.stream_encoder(WANTED).feed(data.draw(streams(answer)))
    body = respelled(data.draw, body)
    assert told(where, cut(data.draw, body)) == answer


@pytest.mark.parametrize(("where", "answers"), DRAWN)
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_a_whole_answer_survives_its_own_dialect(where, answers, data):
    answer = data.draw(answers)
    body, dropped = where.encode_answer(answer)
    assert (where.decode_answer(body), dropped) == (answer, ())


@pytest.mark.parametrize(
    ("source", "target", "answers"),
    [
        (CHAT, MESSAGES, openai_answers(most=1)),
        (CHAT, RESPONSES, openai_answers(most=1)),
        (MESSAGES, CHAT, anthropic_answers()),
        (MESSAGES, RESPONSES, anthropic_answers()),
        (RESPONSES, CHAT, responses_answers()),
        (RESPONSES, MESSAGES, responses_answers()),
    ],
    ids=lambda one: getattr(one, "name", ""),
)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_translated_stream_tells_what_the_translated_answer_tells(source, target, answers, data):
    answer = data.draw(answers)
    body = source.stream_encoder(WANTED).feed(data.draw(streams(answer)))
    decoder, encoder = source.stream_decoder(), target.stream_encoder(WANTED, created=1)
    sent = b"".join(encoder.feed(decoder.feed(piece)) for piece in cut(data.draw, body)) + encoder.feed(decoder.end())
    streamed = told(target, cut(data.draw, sent))

    whole, dropped = target.encode_answer(source.decode_answer(source.encode_answer(answer)[0]), created=1)
    assert canonical(target, streamed) == target.decode_answer(whole)
    assert set(dropped) >= set(encoder.dropped) - {"content.order"}


@pytest.mark.parametrize(("where", "answers"), DRAWN)
@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_no_cut_off_stream_looks_whole(where, answers, data):
    answer = data.draw(answers)
    body = where.stream_encoder(WANTED).feed(data.draw(streams(answer)))
    mark = body.rindex(END[where])
    end = data.draw(st.integers(0, mark + (11 if where is CHAT else 40)))
    with pytest.raises(UpstreamLied):
        told(where, [body[:end]])


@settings(max_examples=60, deadline=None)
@given(answer=openai_answers(), data=st.data())
def test_usage_stands_in_a_chat_stream_only_where_wanted(answer, data):
    events = data.draw(streams(answer))
    without = CHAT.stream_encoder(msgspec.structs.replace(WANTED, wants_usage=False)).feed(events)
    assert told(CHAT, [without]) == msgspec.structs.replace(answer, usage=None)
    assert b'"usage"' not in without or b'\\"usage' in without
