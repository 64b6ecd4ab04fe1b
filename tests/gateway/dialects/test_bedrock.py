"""Bedrock's Converse holds what every dialect holds: nothing lost at home, and abroad nothing lost unsaid."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from freehold.core.errors import BadRequest, NotTranslatable, UpstreamFailed, UpstreamLied
from freehold.gateway.assemble import assemble, events_of
from freehold.gateway.dialects.registry import dialect
from freehold.gateway.event_stream import Frames, encoded
from freehold.gateway.messages import Answer, Failed
from freehold.gateway.ports import Dialect, Peek
from tests.gateway.dialects.drawn_bedrock import bedrock_answers, bedrock_requests
from tests.gateway.dialects.drawn_requests import anthropic_requests, openai_requests, responses_requests
from tests.gateway.dialects.strategies import anthropic_answers, cut, openai_answers, responses_answers, streams
from tests.gateway.dialects.test_fuzz import bent, noise
from tests.gateway.dialects.test_requests import leaves
from tests.gateway.dialects.test_streams import canonical, told

BEDROCK, CHAT, MESSAGES = dialect("bedrock_converse"), dialect("openai_chat"), dialect("anthropic_messages")
RESPONSES = dialect("openai_responses")
WANTED = Peek(model="m", stream=True)
OTHERS = [CHAT, MESSAGES, RESPONSES]
FOREIGN = [
    (CHAT, openai_requests(), openai_answers(most=1)),
    (MESSAGES, anthropic_requests(), anthropic_answers()),
    (RESPONSES, responses_requests(), responses_answers()),
]


def of(one: Any) -> str:
    return getattr(one, "name", "")


@settings(max_examples=150, deadline=None)
@given(original=bedrock_requests())
def test_every_value_survives_its_own_dialect(original):
    decoded = BEDROCK.decode_request(json.dumps(original).encode())
    body, dropped = BEDROCK.encode_request(decoded, "route")
    sent, placed = json.loads(body), BEDROCK.in_path.put(body, "route", stream=original["stream"])
    assert (dropped, BEDROCK.decode_request(placed)) == ((), decoded)
    assert {**sent, "model": "route", "stream": original["stream"]} == original


@pytest.mark.parametrize("other", OTHERS, ids=of)
@settings(max_examples=60, deadline=None)
@given(original=bedrock_requests())
def test_what_another_dialect_takes_it_takes_whole_or_names(other, original):
    decoded = BEDROCK.decode_request(json.dumps(original).encode())
    try:
        body, dropped = other.encode_request(decoded, "target")
    except NotTranslatable:
        return
    if leaves(original) - leaves(json.loads(body)):
        assert dropped


@pytest.mark.parametrize(("where", "requests", "_"), FOREIGN, ids=of)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_what_it_takes_of_another_it_takes_whole_or_names(where, requests, _, data):
    original = data.draw(requests)
    try:
        body, dropped = BEDROCK.encode_request(where.decode_request(json.dumps(original).encode()), "target")
    except NotTranslatable:
        return
    if set(leaves(original)) - set(leaves(json.loads(body))):
        assert dropped
    assert BEDROCK.encode_request(BEDROCK.decode_request(body), "target")[0] == body


@settings(max_examples=80, deadline=None)
@given(answer=bedrock_answers(), data=st.data())
def test_a_stream_cut_anywhere_tells_the_same_message(answer, data):
    body = BEDROCK.stream_encoder(WANTED).feed(data.draw(streams(answer)))
    assert told(BEDROCK, cut(data.draw, body)) == answer


@settings(max_examples=60, deadline=None)
@given(answer=bedrock_answers())
def test_a_whole_answer_survives_its_own_dialect(answer):
    body, dropped = BEDROCK.encode_answer(answer)
    assert (BEDROCK.decode_answer(body), dropped) == (answer, ())


def same_streamed(source: Dialect, target: Dialect, answer: Answer, data: Any) -> None:
    body = source.stream_encoder(WANTED).feed(data.draw(streams(answer)))
    decoder, encoder = source.stream_decoder(), target.stream_encoder(WANTED, created=1)
    sent = b"".join(encoder.feed(decoder.feed(piece)) for piece in cut(data.draw, body)) + encoder.feed(decoder.end())
    streamed = told(target, cut(data.draw, sent))
    whole, dropped = target.encode_answer(source.decode_answer(source.encode_answer(answer)[0]), created=1)
    assert canonical(target, streamed) == target.decode_answer(whole)
    assert set(dropped) >= set(encoder.dropped) - {"content.order"}


@pytest.mark.parametrize("target", OTHERS, ids=of)
@settings(max_examples=50, deadline=None)
@given(answer=bedrock_answers(), data=st.data())
def test_a_stream_abroad_tells_what_the_whole_answer_tells_there(target, answer, data):
    same_streamed(BEDROCK, target, answer, data)


@pytest.mark.parametrize(("source", "_", "answers"), FOREIGN, ids=of)
@settings(max_examples=50, deadline=None)
@given(data=st.data())
def test_a_foreign_stream_tells_what_the_whole_answer_tells_here(source, _, answers, data):
    same_streamed(source, BEDROCK, data.draw(answers), data)


@settings(max_examples=40, deadline=None)
@given(answer=bedrock_answers(), data=st.data())
def test_no_cut_off_stream_looks_whole(answer, data):
    body = BEDROCK.stream_encoder(WANTED).feed(data.draw(streams(answer)))
    with pytest.raises(UpstreamLied):
        told(BEDROCK, [body[: data.draw(st.integers(0, len(body) - 1))]])


@settings(max_examples=60, deadline=None)
@given(answer=bedrock_answers(), data=st.data())
def test_the_meter_counts_what_the_decoder_counts(answer, data):
    body = BEDROCK.stream_encoder(WANTED).feed(data.draw(streams(answer)))
    whole, part = BEDROCK.stream_meter(), BEDROCK.stream_meter()
    for piece in cut(data.draw, body):
        whole.feed(piece)
    assert whole.end() == (answer.usage, True)
    part.feed(body[: data.draw(st.integers(0, len(body) - 1))])
    assert part.end()[1] is False
    assert BEDROCK.usage(BEDROCK.encode_answer(answer)[0]) == answer.usage


model_names = st.text(st.characters(codec="utf-8", exclude_characters="/"), min_size=1, max_size=20)


@settings(max_examples=150, deadline=None)
@given(model_names, st.booleans(), st.sampled_from([b"", b" ", b"\n"]), bedrock_requests(), st.booleans())
def test_a_placed_body_comes_off_again_byte_for_byte(model, stream, space, request, empty):
    from urllib.parse import quote

    body = space + (b"{ }" if empty else json.dumps(request).encode()) + space
    path = f"/model/{quote(model, safe='')}/converse{'-stream' if stream else ''}?x=1"
    placed = BEDROCK.in_path.place(path, body)
    peek = BEDROCK.peek(placed)
    assert (peek.model, peek.stream) == (model, stream)
    assert BEDROCK.with_model(placed, peek, "other", add_usage=True) == body
    assert BEDROCK.in_path.upstream(model, peek) == path.removesuffix("?x=1")


def test_what_a_body_says_of_the_model_does_not_count():
    sly = b'{"messages":[{"role":"user","content":[{"text":"x"}]}],"model":"dear","stream":true}'
    placed = BEDROCK.in_path.place("/model/cheap/converse", sly)
    peek = BEDROCK.peek(placed)
    assert (peek.model, peek.stream) == ("cheap", False)
    assert BEDROCK.with_model(placed, peek, "t", add_usage=False) == sly
    nested = b'{"a":{"b":1,"model":"cheap","stream":false}}'
    assert BEDROCK.with_model(nested, peek, "t", add_usage=False) == nested


@pytest.mark.parametrize("path", ["/model/x/invoke", "/model/converse", "/model//converse", "/model/x/converse/y"])
def test_other_paths_are_not_its_own(path):
    assert BEDROCK.in_path.place(path, b"{}") is None


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_almost_good_requests_raise_our_errors_alone(data):
    body = data.draw(bent(bedrock_requests()))
    with suppress(BadRequest):
        request = BEDROCK.decode_request(body)
        for target in (BEDROCK, *OTHERS):
            with suppress(BadRequest):
                json.loads(target.encode_request(request, "m")[0])


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_almost_good_answers_raise_our_errors_alone(data):
    body = data.draw(bent(bedrock_answers().map(lambda answer: json.loads(BEDROCK.encode_answer(answer)[0]))))
    with suppress(UpstreamFailed):
        BEDROCK.usage(body)
    with suppress(UpstreamFailed):
        answer = BEDROCK.decode_answer(body)
        for target in (BEDROCK, *OTHERS):
            with suppress(UpstreamFailed):
                json.loads(target.encode_answer(answer)[0])


@settings(max_examples=150, deadline=None)
@given(answer=bedrock_answers(), data=st.data())
def test_almost_good_streams_raise_our_errors_alone(answer, data):
    """Whatever is accepted assembles: the decoder lets no illegal sequence through."""
    frames = Frames().feed(BEDROCK.stream_encoder(WANTED).feed(events_of(answer)))
    for _ in range(data.draw(st.integers(1, 2))):
        at = data.draw(st.integers(0, len(frames) - 1))
        kind = data.draw(st.integers(0, 3))
        if kind == 0:
            frames.pop(at)
        elif kind == 1:
            frames.insert(at, frames[data.draw(st.integers(0, len(frames) - 1))])
        elif kind == 2:
            frames[at] = msgspec.structs.replace(frames[at], headers={})
        else:
            frames[at] = msgspec.structs.replace(frames[at], payload=data.draw(noise))
        if not frames:
            return
    body = b"".join(encoded(one.headers.items(), one.payload) for one in frames)
    meter = BEDROCK.stream_meter()
    meter.feed(body)
    meter.end()
    decoder = BEDROCK.stream_decoder()
    try:
        found = [*decoder.feed(body), *decoder.end()]
    except UpstreamFailed:
        return
    for target in (BEDROCK, *OTHERS):
        with suppress(UpstreamFailed):
            target.stream_encoder(WANTED).feed(found)
    if not any(isinstance(event, Failed) for event in found):
        assemble(found)
