"""Bytes nobody meant raise our errors and no others, from every decoder there is."""

from __future__ import annotations

import json
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from freehold.core.errors import BadRequest, FreeholdError, UpstreamFailed
from freehold.gateway.assemble import assemble, events_of
from freehold.gateway.dialects.registry import DIALECTS, dialect
from freehold.gateway.messages import Failed
from freehold.gateway.ports import Peek
from freehold.gateway.providers.failures import failure_of
from tests.gateway.dialects.drawn_requests import anthropic_requests, openai_requests, responses_requests
from tests.gateway.dialects.strategies import anthropic_answers, openai_answers, responses_answers

PAIRS = [dialect("openai_chat"), dialect("anthropic_messages"), dialect("openai_responses")]

FIELDS = ["type", "error", "message", "messages", "role", "content", "text", "model", "id", "index", "delta", "choices", "usage", "tools", "function", "name", "arguments", "input", "source", "content_block", "stop_reason", "finish_reason", "tool_calls", "max_tokens", "partial_json", "prompt_tokens", "input_tokens", "output", "item", "part", "response", "output_index", "status", "summary", "call_id", "logprobs", "usage", "created_at", "text", "reasoning"]  # fmt: skip
WORDS = ["text", "user", "assistant", "tool", "system", "image", "image_url", "tool_use", "tool_result", "thinking", "function", "message_start", "message_delta", "content_block_start", "content_block_delta", "content_block_stop", "message_stop", "error", "text_delta", "input_json_delta", "ephemeral", "message", "output_text", "function_call", "reasoning", "response.created", "response.output_item.added", "response.output_text.delta", "response.output_item.done", "response.completed"]  # fmt: skip
shapes = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(-2, 3), st.floats(allow_nan=False), st.sampled_from(WORDS), st.just("")
    ),
    lambda one: st.lists(one, max_size=3) | st.dictionaries(st.sampled_from(FIELDS), one, max_size=5),
    max_leaves=12,
)
plausible = shapes.map(lambda one: json.dumps(one).encode())
noise = st.one_of(st.binary(max_size=60), plausible)
event_noise = st.lists(st.one_of(plausible, st.binary(max_size=20), st.just(b"[DONE]")), max_size=6).map(
    lambda lines: b"".join(b"data: " + line + b"\n\n" for line in lines)
)


@st.composite
def bent(draw, values):
    """A good body with one thing wrong: a value replaced, a byte changed, or the end missing."""
    value = draw(values)
    for _ in range(draw(st.integers(1, 3))):
        _bend(draw, value)
    body = json.dumps(value).encode()
    if draw(st.booleans()):
        at = draw(st.integers(0, len(body) - 1))
        body = body[:at] + draw(st.binary(max_size=2)) + body[at + 1 :]
    return body


def _bend(draw, value) -> None:
    while isinstance(value, dict | list) and value:
        key = draw(st.sampled_from(sorted(value))) if isinstance(value, dict) else draw(st.integers(0, len(value) - 1))
        if not isinstance(value[key], dict | list) or draw(st.integers(0, 3)) == 0:
            value[key] = draw(shapes)
            return
        value = value[key]


@pytest.mark.parametrize("one", DIALECTS, ids=lambda one: one.name)
@settings(max_examples=120, deadline=None)
@given(body=noise)
def test_requests(one, body):
    with suppress(BadRequest):
        peek = one.peek(body)
        json.loads(one.with_model(body, peek, "m", add_usage=True))
    with suppress(BadRequest):
        one.decode_request(body)


@pytest.mark.parametrize(
    ("one", "values"),
    list(zip(PAIRS, [openai_requests(), anthropic_requests(), responses_requests()], strict=True)),
    ids=["openai_chat", "anthropic_messages", "openai_responses"],
)
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_almost_good_requests(one, values, data):
    body = data.draw(bent(values))
    with suppress(BadRequest):
        request = one.decode_request(body)
        for target in PAIRS:
            with suppress(BadRequest):
                json.loads(target.encode_request(request, "m")[0])


@pytest.mark.parametrize("one", DIALECTS, ids=lambda one: one.name)
@settings(max_examples=120, deadline=None)
@given(body=noise)
def test_answers(one, body):
    with suppress(UpstreamFailed):
        one.usage(body)
    with suppress(UpstreamFailed, BadRequest):
        one.decode_answer(body)


@pytest.mark.parametrize(
    ("one", "values"),
    list(zip(PAIRS, [openai_answers(), anthropic_answers(), responses_answers()], strict=True)),
    ids=["openai_chat", "anthropic_messages", "openai_responses"],
)
@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_almost_good_answers(one, values, data):
    body = data.draw(bent(values.map(lambda answer: json.loads(one.encode_answer(answer)[0]))))
    with suppress(UpstreamFailed):
        one.usage(body)
    with suppress(UpstreamFailed):
        answer = one.decode_answer(body)
        for target in PAIRS:
            with suppress(UpstreamFailed):
                json.loads(target.encode_answer(answer)[0])


@pytest.mark.parametrize("one", PAIRS, ids=lambda one: one.name)
@settings(max_examples=150, deadline=None)
@given(body=st.one_of(st.binary(max_size=60), event_noise))
def test_streams(one, body):
    with suppress(UpstreamFailed):
        decoder = one.stream_decoder()
        assemble([*decoder.feed(body), *decoder.end()])
    meter = one.stream_meter()
    meter.feed(body)
    meter.end()
    stripper = one.stream_stripper()
    if stripper is not None:
        stripper.feed(body)
        stripper.end()


@pytest.mark.parametrize(
    ("one", "values"),
    list(zip(PAIRS, [openai_answers(), anthropic_answers(), responses_answers()], strict=True)),
    ids=["openai_chat", "anthropic_messages", "openai_responses"],
)
@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_almost_good_streams(one, values, data):
    """Whatever is accepted assembles: decoders let no illegal sequence through."""
    body = one.stream_encoder(Peek("m", stream=True)).feed(events_of(data.draw(values)))
    events = body.split(b"\n\n")
    for _ in range(data.draw(st.integers(1, 2))):
        at = data.draw(st.integers(0, len(events) - 1))
        kind = data.draw(st.integers(0, 3))
        if kind == 0:
            events.pop(at)
        elif kind == 1:
            events.insert(at, events[data.draw(st.integers(0, len(events) - 1))])
        elif kind == 2:
            events[at] = events[at][: data.draw(st.integers(0, len(events[at])))]
        else:
            events[at] = b"data: " + data.draw(plausible)
        if not events:
            return
    decoder = one.stream_decoder()
    try:
        found = [*decoder.feed(b"\n\n".join(events)), *decoder.end()]
    except UpstreamFailed:
        return
    for target in PAIRS:
        with suppress(UpstreamFailed):
            target.stream_encoder(Peek("m", stream=True)).feed(found)
    if not any(isinstance(event, Failed) for event in found):
        assemble(found)


@settings(max_examples=120, deadline=None)
@given(
    st.integers(300, 599),
    st.dictionaries(st.sampled_from([b"retry-after", b"retry-after-ms", b"date"]), st.binary(max_size=12)),
    noise,
)
def test_failures(status, headers, body):
    error = failure_of(status, headers, body)
    assert isinstance(error, FreeholdError)
    assert error.status == status


def test_arguments_that_are_not_utf8_are_the_targets_lie():
    body = b'{"id":"a","type":"message","role":"assistant","model":"m","content":[{"type":"tool_use","id":"1",'
    body += b'"name":"f","input":{"a":"\x80"}}],"stop_reason":"tool_use","usage":{"input_tokens":1,"output_tokens":1}}'
    with pytest.raises(UpstreamFailed):
        PAIRS[1].decode_answer(body)
