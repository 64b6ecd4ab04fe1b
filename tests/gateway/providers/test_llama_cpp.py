"""The engine's driver, pure and with the real engine behind it."""

from __future__ import annotations

import json

import msgspec
import pytest

from freehold.core.errors import UpstreamOverloaded, UpstreamRefused
from freehold.gateway.dialects.registry import DIALECTS
from freehold.gateway.messages import (
    ToolCall,
)
from freehold.gateway.ports import Peek
from tests.gateway.providers.sample import (
    CLOCK,
    DRIVER,
    TARGET,
    WEATHER,
    collected,
)


def test_only_tools_must_be_adapted():
    assert DRIVER.must_adapt(TARGET, Peek("m", tools=True))
    assert not DRIVER.must_adapt(TARGET, Peek("m", structured=True, stream=True))
    able = msgspec.structs.replace(TARGET, quirks=())
    assert not DRIVER.must_adapt(able, Peek("m", tools=True))


def test_the_secret_is_the_only_header():
    assert DRIVER.headers(TARGET, "s3cret", "openai_chat") == [("authorization", "Bearer s3cret")]
    assert DRIVER.forwards() == frozenset()


@pytest.mark.parametrize(
    ("status", "message", "kind", "retryable"),
    [
        (500, "input (702 tokens) is too large to process. increase", UpstreamRefused, False),
        (500, "image input is not supported - hint", UpstreamRefused, False),
        (400, "request (9031 tokens) exceeds the available context size", UpstreamRefused, False),
        (503, "Loading model", UpstreamOverloaded, True),
    ],
)
def test_failures_are_told_apart(status, message, kind, retryable):
    body = json.dumps({"error": {"code": status, "message": message, "type": "server_error"}}).encode()
    failed = DRIVER.failure(status, {}, body)
    assert isinstance(failed, kind)
    assert failed.retryable == retryable
    assert message in failed.message


def dialect(name):
    return next(one for one in DIALECTS if one.name == name)


def on_the_engine(engine, said):
    """What the engine answers to a request in OpenAI's dialect, through the driver, whole or as events."""
    chat = dialect("openai_chat")
    made, restore = DRIVER.adapt(engine.target, chat.decode_request(json.dumps(said).encode()))
    body, dropped = chat.encode_request(made, engine.target.model)
    assert dropped == ()
    status, raw = engine.post("/v1/chat/completions", body)
    assert status == 200, raw
    if not said.get("stream"):
        return restore.answer(chat.decode_answer(raw))
    decoder, events = chat.stream_decoder(), []
    for start in range(0, len(raw), 100):
        events += restore.feed(decoder.feed(raw[start : start + 100]))
    return events + restore.feed(decoder.end())


SAID = {
    "model": "small",
    "temperature": 0,
    "max_tokens": 300,
    "messages": [{"role": "user", "content": "What is the weather in Paris?"}],
    "tools": [
        {
            "type": "function",
            "function": {"name": one.name, "description": one.description, "parameters": json.loads(bytes(one.schema))},
        }
        for one in (WEATHER, CLOCK)
    ],
}


def test_the_engine_must_call_when_it_is_told_to(chat_engine):
    choice = on_the_engine(chat_engine, {**SAID, "tool_choice": "required"}).choices[0]
    assert choice.stop == "tool_calls"
    for one in choice.parts:
        assert one.name in {"get_weather", "get_time"}
        assert set(json.loads(one.arguments)) <= {"city", "zone"}


def test_the_engine_calls_the_tool_it_is_told_to_and_only_once(chat_engine):
    named = {"type": "function", "function": {"name": "get_time"}}
    said = {**SAID, "tool_choice": named, "parallel_tool_calls": False}
    (call,) = on_the_engine(chat_engine, said).choices[0].parts
    assert call.name == "get_time"
    assert json.loads(call.arguments).get("zone", "UTC") in {"UTC", "CET"}


def test_the_engine_streams_what_it_answers_whole(chat_engine):
    whole = on_the_engine(chat_engine, SAID).choices[0]
    parts, stop = collected(on_the_engine(chat_engine, {**SAID, "stream": True}))
    assert stop == whole.stop
    assert [msgspec.structs.replace(one, id="") if isinstance(one, ToolCall) else one for one in parts] == [
        msgspec.structs.replace(one, id="") if isinstance(one, ToolCall) else one for one in whole.parts
    ]
