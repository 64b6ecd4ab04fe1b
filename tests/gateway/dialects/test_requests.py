"""A request through the neutral form and back into its own dialect loses nothing, unknown fields included."""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from freehold.core.errors import BadRequest, MalformedJson, NotTranslatable
from freehold.gateway.dialects.registry import dialect
from freehold.gateway.messages import Image, Request, Text, ToolChoice, ToolResult
from tests.gateway.dialects.drawn_requests import anthropic_requests, openai_requests, responses_requests

CHAT, MESSAGES, RESPONSES = dialect("openai_chat"), dialect("anthropic_messages"), dialect("openai_responses")
DRAWN = [(CHAT, openai_requests()), (MESSAGES, anthropic_requests()), (RESPONSES, responses_requests())]


def leaves(value: Any) -> Counter[str]:
    """Every fresh value, wherever it stands (arguments change their place, not their content)."""
    return Counter(re.findall(r"(?:v|call|toolu|f|c)\d+", json.dumps(value)))


@pytest.mark.parametrize(("where", "requests"), DRAWN)
@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_every_value_survives_its_own_dialect(where, requests, data):
    original = data.draw(requests)
    decoded = where.decode_request(json.dumps(original).encode())
    body, dropped = where.encode_request(decoded, "route")
    assert dropped == ()
    assert where.decode_request(body) == decoded
    sent = json.loads(body)
    said = "input" if where is RESPONSES else "messages"
    assert leaves(sent[said]) == leaves(original[said])
    assert {name: sent.get(name) for name in original if name != said} == {
        name: value for name, value in original.items() if name != said
    }


@pytest.mark.parametrize("other", [CHAT, MESSAGES, RESPONSES], ids=lambda one: one.name)
@pytest.mark.parametrize(("where", "requests"), DRAWN)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_what_another_dialect_takes_it_takes_whole_or_names(where, requests, other, data):
    original = data.draw(requests)
    decoded = where.decode_request(json.dumps(original).encode())
    try:
        body, dropped = other.encode_request(decoded, "target")
    except NotTranslatable:
        return
    missing = leaves(original) - leaves(json.loads(body))
    if missing:
        assert dropped
    assert other.encode_request(other.decode_request(body), "target")[0] == body


def test_json_the_caller_wrote_keeps_its_bytes():
    schema = b'{"type":  "object",\n "properties": {"z": {}, "a": {"const": 1.0}}}'
    chat = (
        b'{"model":"r","messages":[{"role":"user","content":"x"}],"tools":[{"type":"function","function":{"name":"f","parameters":'
        + schema
        + b"}}]}"
    )
    request = CHAT.decode_request(chat)
    assert schema in CHAT.encode_request(request, "m")[0]
    assert schema in MESSAGES.encode_request(request, "m")[0]


def test_a_grown_conversation_keeps_the_bytes_of_its_beginning():
    turns = [
        {"role": "system", "content": "s"},
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": "b"},
    ]

    def sent(count: int) -> bytes:
        body = json.dumps({"model": "r", "messages": turns[:count]}).encode()
        return MESSAGES.encode_request(CHAT.decode_request(body), "m")[0]

    assert sent(3).startswith(sent(2).rstrip(b"]}"))


def chat(**fields: Any) -> Request:
    return CHAT.decode_request(
        json.dumps({"model": "r", "messages": [{"role": "user", "content": "x"}], **fields}).encode()
    )


def messages(**fields: Any) -> Request:
    base = {"model": "r", "max_tokens": 5, "messages": [{"role": "user", "content": "x"}]}
    return MESSAGES.decode_request(json.dumps({**base, **fields}).encode())


def as_messages(request: Request) -> tuple[dict[str, Any], tuple[str, ...]]:
    body, dropped = MESSAGES.encode_request(request, "m")
    return json.loads(body), dropped


def as_chat(request: Request) -> tuple[dict[str, Any], tuple[str, ...]]:
    body, dropped = CHAT.encode_request(request, "m")
    return json.loads(body), dropped


def test_chat_to_messages_demands_a_limit():
    assert as_messages(chat())[0]["max_tokens"] == 4096
    assert as_messages(chat(max_completion_tokens=7))[0]["max_tokens"] == 7


def test_parallel_tool_results_become_one_turn_and_come_apart_again():
    calls = [{"id": f"c{n}", "type": "function", "function": {"name": "f", "arguments": "{}"}} for n in (1, 2)]
    turns = [
        {"role": "user", "content": "x"},
        {"role": "assistant", "tool_calls": calls},
        {"role": "tool", "tool_call_id": "c1", "content": "one"},
        {"role": "tool", "tool_call_id": "c2", "content": "two"},
    ]
    request = chat(messages=turns)
    assert [type(part) for part in request.turns[2].parts] == [ToolResult, ToolResult]
    sent, dropped = as_messages(request)
    assert [block["tool_use_id"] for block in sent["messages"][2]["content"]] == ["c1", "c2"]
    assert dropped == ()
    assert as_chat(request)[0]["messages"] == turns


def test_images_cross_both_ways():
    url, data = "https://x/y.png", "data:image/png;base64,AAAA"
    content = [{"type": "image_url", "image_url": {"url": one}} for one in (url, data)]
    request = chat(messages=[{"role": "user", "content": content}])
    assert request.turns[0].parts == (Image(url), Image(media_type="image/png", data="AAAA"))
    sent, dropped = as_messages(request)
    assert [block["source"]["type"] for block in sent["messages"][0]["content"]] == ["url", "base64"]
    back, _ = as_chat(MESSAGES.decode_request(json.dumps(sent).encode()))
    assert (back["messages"][0]["content"], dropped) == (content, ())


def test_images_in_tool_results_follow_in_a_users_message():
    result = {
        "type": "tool_result",
        "tool_use_id": "t",
        "content": [{"type": "text", "text": "seen"}, {"type": "image", "source": {"type": "url", "url": "https://x"}}],
    }
    sent, dropped = as_chat(messages(messages=[{"role": "user", "content": [result, {"type": "text", "text": "so?"}]}]))
    assert [one["role"] for one in sent["messages"]] == ["tool", "user"]
    assert [part["type"] for part in sent["messages"][1]["content"]] == ["image_url", "text"]
    assert dropped == ("tool_result.image_place",)


def test_structured_output_crosses_both_ways():
    schema = {"type": "object", "properties": {}}
    form = {"type": "json_schema", "json_schema": {"name": "n", "schema": schema, "strict": True}}
    sent, dropped = as_messages(chat(response_format=form))
    assert (sent["output_config"], dropped) == ({"format": {"type": "json_schema", "schema": schema}}, ())
    sent, dropped = as_chat(messages(output_config={"format": {"type": "json_schema", "schema": schema}}))
    assert sent["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "answer", "schema": schema, "strict": True},
    }
    assert dropped == ()


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ("auto", {"type": "auto"}),
        ("none", {"type": "none"}),
        ("required", {"type": "any"}),
        ({"type": "function", "function": {"name": "f"}}, {"type": "tool", "name": "f"}),
    ],
)
def test_tool_choice_crosses_both_ways(choice, expected):
    sent, _ = as_messages(chat(tool_choice=choice))
    assert sent["tool_choice"] == expected
    assert as_chat(messages(tool_choice=expected))[0]["tool_choice"] == choice


def test_parallel_calls_can_be_forbidden_both_ways():
    assert as_messages(chat(parallel_tool_calls=False))[0]["tool_choice"] == {
        "type": "auto",
        "disable_parallel_tool_use": True,
    }
    request = messages(tool_choice={"type": "any", "disable_parallel_tool_use": True})
    assert request.tool_choice == ToolChoice("any", parallel=False)
    assert as_chat(request)[0]["parallel_tool_calls"] is False


def test_cache_breakpoints_are_named_where_they_cannot_go():
    block = {"type": "text", "text": "x", "cache_control": {"type": "ephemeral", "ttl": "1h"}}
    assert as_chat(messages(system=[block]))[1] == ("cache_control",)
    part = {"type": "text", "text": "x", "prompt_cache_breakpoint": {"mode": "explicit", "ttl": "30m"}}
    sent, dropped = as_messages(chat(messages=[{"role": "user", "content": [part]}]))
    assert sent["messages"][0]["content"] == [
        {"type": "text", "text": "x", "cache_control": {"type": "ephemeral", "ttl": "1h"}}
    ]
    assert dropped == ("prompt_cache_breakpoint.ttl",)


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"n": 2}, "n"),
        ({"response_format": {"type": "json_object"}}, "response_format"),
        ({"functions": [{"name": "f"}]}, "functions"),
        ({"modalities": ["text", "audio"]}, "modalities"),
        ({"tool_choice": {"type": "allowed_tools", "allowed_tools": {}}}, "tool_choice"),
        ({"messages": [{"role": "user", "content": [{"type": "file", "file": {"file_id": "x"}}]}]}, "messages"),
        ({"messages": [{"role": "user", "content": [{"type": "input_audio", "input_audio": {}}]}]}, "messages"),
        ({"messages": [{"role": "function", "name": "f", "content": "x"}]}, "messages"),
        (
            {
                "messages": [
                    {"role": "assistant", "tool_calls": [{"id": "c", "function": {"name": "f", "arguments": "[1"}}]}
                ]
            },
            "messages",
        ),
    ],
)
def test_what_would_change_the_meaning_is_refused_by_messages(fields, param):
    with pytest.raises(NotTranslatable) as caught:
        MESSAGES.encode_request(chat(**fields), "m")
    assert caught.value.param == param


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"inference_geo": "us"}, "inference_geo"),
        ({"messages": [{"role": "user", "content": [{"type": "document", "source": {}}]}]}, "messages"),
        (
            {
                "tools": [{"type": "web_search_20250305", "name": "web_search"}],
                "tool_choice": {"type": "tool", "name": "web_search"},
            },
            "tools",
        ),
    ],
)
def test_what_would_change_the_meaning_is_refused_by_chat(fields, param):
    with pytest.raises(NotTranslatable) as caught:
        CHAT.encode_request(messages(**fields), "m")
    assert caught.value.param == param


def test_the_older_name_of_the_limit_is_kept_for_those_who_know_no_other():
    assert "max_completion_tokens" not in as_chat(chat(max_tokens=5))[0]
    assert as_chat(messages())[0]["max_completion_tokens"] == 5


def test_a_stream_asks_for_usage_where_the_request_says_so():
    request = chat(stream=True)
    assert "stream_options" not in as_chat(request)[0]
    assert as_chat(msgspec.structs.replace(request, wants_usage=True))[0]["stream_options"] == {"include_usage": True}


@pytest.mark.parametrize(
    ("where", "fields", "param"),
    [
        (CHAT, {"messages": []}, "messages"),
        (CHAT, {"messages": [{"role": "wizard", "content": "x"}]}, "messages[0].role"),
        (CHAT, {"messages": [{"role": "user", "content": [{"type": "text"}]}]}, "messages[0].content[0].text"),
        (CHAT, {"messages": [{"role": "user", "content": 5}]}, "messages[0].content"),
        (CHAT, {"messages": [{"role": "user", "content": ["x"]}]}, "messages[0].content[0]"),
        (CHAT, {"tool_choice": "sometimes"}, "tool_choice"),
        (CHAT, {"temperature": "hot"}, "temperature"),
        (CHAT, {"response_format": {"type": "json_schema"}}, "response_format.json_schema"),
        (MESSAGES, {"max_tokens": None}, "max_tokens"),
        (MESSAGES, {"messages": [{"role": "user", "content": [{"type": "image"}]}]}, "messages[0].content[0].source"),
        (MESSAGES, {"messages": [{"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "f", "input": 5}]}]}, "messages[0].content[0].input"),
        (MESSAGES, {"tools": [{"name": "f"}]}, "tools[0].input_schema"),
        (MESSAGES, {"tool_choice": {"type": "must"}}, "tool_choice.type"),
    ],
)  # fmt: skip
def test_a_wrong_field_is_named_with_its_path(where, fields, param):
    base = {"model": "r", "max_tokens": 5, "messages": [{"role": "user", "content": "x"}]}
    with pytest.raises(BadRequest) as caught:
        where.decode_request(json.dumps({**base, **fields}).encode())
    assert caught.value.param == param
    assert param in caught.value.message


@pytest.mark.parametrize("where", [CHAT, MESSAGES], ids=lambda one: one.name)
@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b'{"model":"r","messages":' + b"[" * 100_000])
def test_what_is_no_json_is_malformed(where, body):
    with pytest.raises(MalformedJson):
        where.decode_request(body)


def test_a_lone_text_needs_no_list():
    assert chat(messages=[{"role": "user", "content": [{"type": "text", "text": "x"}]}]).turns[0].parts == (Text("x"),)


def test_dropped_names_cannot_break_out_of_a_header():
    _, dropped = as_messages(chat(**{"a\r\nset-cookie: x": 1, "é" * 200: 1}))
    assert dropped == ("_" * 64, "a__set-cookie__x")
    _, dropped = as_messages(chat(**{f"field_{n:03}": 1 for n in range(100)}))
    assert (len(dropped), dropped[-1]) == (33, "...")
