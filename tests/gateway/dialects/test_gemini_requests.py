"""Gemini's requests: nothing is lost in its own dialect, and what another takes it takes whole or names."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from freehold.core.errors import BadRequest, NotTranslatable
from freehold.gateway.dialects.registry import dialect
from freehold.gateway.messages import Image, Request, Text, Thought, ToolChoice, ToolResult
from freehold.gateway.ports import Peek
from tests.gateway.dialects.drawn_gemini import gemini_requests
from tests.gateway.dialects.drawn_requests import anthropic_requests, openai_requests, responses_requests
from tests.gateway.dialects.test_fuzz import bent
from tests.gateway.dialects.test_requests import leaves

GEMINI, CHAT = dialect("gemini"), dialect("openai_chat")
MESSAGES, RESPONSES = dialect("anthropic_messages"), dialect("openai_responses")
OTHERS = [CHAT, MESSAGES, RESPONSES]
SSE = "/v1beta/models/route:streamGenerateContent?alt=sse"


def placed(value: dict[str, Any], path: str = "/v1beta/models/route:generateContent") -> bytes:
    found = GEMINI.in_path.place(path, json.dumps(value).encode())
    assert found is not None
    return found


def decoded(**fields: Any) -> Request:
    return GEMINI.decode_request(placed({"contents": [{"role": "user", "parts": [{"text": "x"}]}], **fields}))


def sent(request: Request) -> tuple[dict[str, Any], tuple[str, ...]]:
    body, dropped = GEMINI.encode_request(request, "m")
    return json.loads(body), dropped


def chat(**fields: Any) -> Request:
    base = {"model": "r", "messages": [{"role": "user", "content": "x"}]}
    return CHAT.decode_request(json.dumps({**base, **fields}).encode())


@settings(max_examples=120, deadline=None)
@given(data=st.data())
def test_every_value_survives_its_own_dialect(data):
    original = data.draw(gemini_requests())
    request = GEMINI.decode_request(placed(original))
    body, dropped = GEMINI.encode_request(request, "route")
    assert dropped == ()
    assert GEMINI.decode_request(GEMINI.in_path.put(body, "route", stream=False)) == request
    found = json.loads(body)
    assert leaves(found["contents"]) == leaves(original["contents"])
    config = original.get("generationConfig", {})
    if config.get("responseLogprobs") is None:
        assert {name: found.get(name) for name in original if name != "contents"} == {
            name: value for name, value in original.items() if name != "contents"
        }


@pytest.mark.parametrize("other", OTHERS, ids=lambda one: one.name)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_what_another_dialect_takes_of_gemini_it_takes_whole_or_names(other, data):
    original = data.draw(gemini_requests())
    request = GEMINI.decode_request(placed(original))
    try:
        body, dropped = other.encode_request(request, "target")
    except NotTranslatable:
        return
    if set(leaves(original)) - set(leaves(json.loads(body))):
        assert dropped
    assert other.encode_request(other.decode_request(body), "target")[0] == body


@pytest.mark.parametrize(
    ("where", "requests"), [(CHAT, openai_requests()), (MESSAGES, anthropic_requests()), (RESPONSES, responses_requests())]
)  # fmt: skip
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_what_gemini_takes_of_another_dialect_it_takes_whole_or_names(where, requests, data):
    original = data.draw(requests)
    try:
        body, dropped = GEMINI.encode_request(where.decode_request(json.dumps(original).encode()), "target")
    except NotTranslatable:
        return
    if set(leaves(original)) - set(leaves(json.loads(body))):
        assert dropped
    again = GEMINI.decode_request(GEMINI.in_path.put(body, "target", stream=False))
    assert GEMINI.encode_request(again, "target")[0] == body


@settings(max_examples=120, deadline=None)
@given(data=st.data())
def test_almost_good_requests(data):
    body = data.draw(bent(gemini_requests().map(lambda one: {**one, "model": "r", "stream": False})))
    with suppress(BadRequest):
        GEMINI.peek(body)
    with suppress(BadRequest):
        request = GEMINI.decode_request(body)
        for target in (*OTHERS, GEMINI):
            with suppress(BadRequest):
                json.loads(target.encode_request(request, "m")[0])


def test_names_with_underscores_and_lone_objects_are_read_like_the_official_ones():
    older = {
        "system_instruction": {"parts": {"text": "s"}},
        "contents": {"parts": [{"inline_data": {"mime_type": "image/png", "data": "AAAA"}}, {"text": "x"}]},
        "generation_config": {"max_output_tokens": 7, "top_k": 40.0, "response_mime_type": "application/json"},
        "tools": {"function_declarations": [{"name": "f"}]},
    }
    request = GEMINI.decode_request(placed(older))
    assert request.turns[0].parts == (Text("s"),)
    assert request.turns[1].parts == (Image(media_type="image/png", data="AAAA"), Text("x"))
    assert (request.max_output, request.top_k, request.format.kind) == (7, 40, "json_object")
    assert [one.name for one in request.tools] == ["f"]
    assert GEMINI.peek(placed(older)) == Peek("route", max_output=7, tools=True, structured=True)


@pytest.mark.parametrize(
    ("path", "fields", "expected"),
    [
        (SSE, {}, Peek("route", stream=True)),
        (SSE, {"stream": False, "model": "other"}, Peek("route", stream=True)),
        ("/v1/models/team%2Fr%C3%A9:generateContent", {}, Peek("team/ré")),
        (SSE, {"generationConfig": {"candidateCount": 3, "maxOutputTokens": 9}}, Peek("route", stream=True, choices=3, max_output=9)),
        (SSE, {"generationConfig": {"maxOutputTokens": 5, "max_output_tokens": 9}}, Peek("route", stream=True, max_output=9)),
        (SSE, {"cached_content": "cachedContents/1"}, Peek("route", stream=True, leans_on="cachedContent")),
        (SSE, {"labels": {"workflow": "w"}, "tools": [{}]}, Peek("route", stream=True, workflow="w", tools=True)),
    ],
)  # fmt: skip
def test_what_routing_needs_is_read_from_path_and_body(path, fields, expected):
    assert GEMINI.peek(placed({"contents": [], **fields}, path)) == expected


def test_calls_without_ids_get_one_and_results_find_it_by_name_and_order():
    calls = [{"functionCall": {"name": name, "args": {"n": n}}} for n, name in enumerate("ffg")]
    results = [{"functionResponse": {"name": name, "response": {"output": name}}} for name in "gff"]
    contents = [
        {"role": "user", "parts": [{"text": "x"}]}, {"role": "model", "parts": calls}, {"role": "user", "parts": results}
    ]  # fmt: skip
    request = decoded(contents=contents)
    ids = [one.id for one in request.turns[1].parts]
    assert len(set(ids)) == 3
    assert [one.id for one in request.turns[2].parts] == [ids[2], ids[0], ids[1]]
    assert sent(request)[0]["contents"] == contents
    there = json.loads(CHAT.encode_request(request, "m")[0])["messages"]
    assert [one["tool_call_id"] for one in there[2:]] == [ids[2], ids[0], ids[1]]
    assert decoded(contents=contents) == request


def test_a_result_from_another_dialect_names_its_tool_by_the_calls_id():
    calls = [{"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}]
    request = chat(messages=[
        {"role": "user", "content": "x"}, {"role": "assistant", "tool_calls": calls},
        {"role": "tool", "tool_call_id": "c1", "content": "done"},
    ])  # fmt: skip
    body, dropped = sent(request)
    assert body["contents"][1:] == [
        {"role": "model", "parts": [{"functionCall": {"id": "c1", "name": "f", "args": {"a": 1}}}]},
        {"role": "user", "parts": [{"functionResponse": {"id": "c1", "name": "f", "response": {"output": "done"}}}]},
    ]
    assert dropped == ()


@pytest.mark.parametrize(
    ("response", "text", "failed"),
    [({"output": "a"}, "a", False), ({"result": "a"}, "a", False), ({"error": "a"}, "a", True), ({"x": 1}, '{"x": 1}', False)],
)  # fmt: skip
def test_what_a_tool_says_is_read_from_its_response(response, text, failed):
    contents = [{"role": "user", "parts": [{"functionResponse": {"name": "f", "response": response}}]}]
    (result,) = decoded(contents=contents).turns[0].parts
    assert isinstance(result, ToolResult)
    assert ([one.text for one in result.parts], result.is_error) == ([text], failed)


def test_signatures_go_to_chat_callers_and_come_back():
    call = {"functionCall": {"name": "f", "args": {}}, "thoughtSignature": "c2ln"}
    answer = {"candidates": [{"content": {"parts": [call]}, "finishReason": "STOP"}], "responseId": "r"}
    whole = json.loads(CHAT.encode_answer(GEMINI.decode_answer(json.dumps(answer).encode()), created=1)[0])
    told = whole["choices"][0]["message"]
    assert told["tool_calls"][0]["extra_content"] == {"google": {"thought_signature": "c2ln"}}
    body, dropped = sent(chat(messages=[{"role": "user", "content": "x"}, told]))
    assert body["contents"][1]["parts"][0]["thoughtSignature"] == "c2ln"
    assert dropped == ()
    for other in (MESSAGES, RESPONSES):
        assert "tool_calls.signature" in other.encode_answer(GEMINI.decode_answer(json.dumps(answer).encode()))[1]


def test_a_signed_call_of_chat_keeps_its_signature_there_and_names_it_elsewhere():
    signed = {"google": {"thought_signature": "c2ln"}}
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}, "extra_content": signed}
    request = chat(messages=[{"role": "user", "content": "x"}, {"role": "assistant", "tool_calls": [call]}])
    body, dropped = CHAT.encode_request(request, "r")
    assert (json.loads(body)["messages"][1]["tool_calls"], dropped) == ([call], ())
    for other in (MESSAGES, RESPONSES, dialect("bedrock_converse")):
        assert other.encode_request(request, "r")[1] == ("tool_calls.signature",)
    answer = {"choices": [{"message": {"role": "assistant", "tool_calls": [call]}, "finish_reason": "tool_calls"}]}
    for other in (MESSAGES, RESPONSES, dialect("bedrock_converse")):
        assert "tool_calls.signature" in other.encode_answer(CHAT.decode_answer(json.dumps(answer).encode()))[1]


def test_a_schema_in_the_vendors_form_becomes_json_schema_elsewhere():
    schema = {
        "type": "OBJECT", "propertyOrdering": ["a", "b"], "required": ["a"],
        "properties": {"a": {"type": "STRING", "nullable": True, "enum": ["x"]}, "b": {"type": "ARRAY", "minItems": "2", "items": {"type": "INTEGER"}}},
    }  # fmt: skip
    request = decoded(tools=[{"functionDeclarations": [{"name": "f", "parameters": schema}]}])
    assert json.loads(CHAT.encode_request(request, "m")[0])["tools"][0]["function"]["parameters"] == {
        "type": "object", "required": ["a"],
        "properties": {"a": {"type": ["string", "null"], "enum": ["x", None]}, "b": {"type": "array", "minItems": 2, "items": {"type": "integer"}}},
    }  # fmt: skip
    assert sent(request)[0]["tools"][0]["functionDeclarations"][0]["parameters"] == schema


def test_json_schemas_of_callers_keep_their_bytes():
    schema = b'{"type":  "object",\n "properties": {"z": {}, "a": {"const": 1.0}}}'
    head = b'{"model":"r","messages":[{"role":"user","content":"x"}],'
    tools = b'"tools":[{"type":"function","function":{"name":"f","parameters":' + schema + b"}}],"
    form = b'"response_format":{"type":"json_schema","json_schema":{"name":"n","schema":' + schema + b"}}}"
    body, dropped = GEMINI.encode_request(CHAT.decode_request(head + tools + form), "m")
    assert (body.count(schema), dropped) == (2, ())
    assert b'"parametersJsonSchema":' in body and b'"responseJsonSchema":' in body


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ("auto", {"mode": "AUTO"}),
        ("none", {"mode": "NONE"}),
        ("required", {"mode": "ANY"}),
        ({"type": "function", "function": {"name": "f"}}, {"mode": "ANY", "allowedFunctionNames": ["f"]}),
    ],
)
def test_tool_choice_crosses_both_ways(choice, expected):
    assert sent(chat(tool_choice=choice))[0]["toolConfig"] == {"functionCallingConfig": expected}
    back = decoded(toolConfig={"functionCallingConfig": expected})
    assert json.loads(CHAT.encode_request(back, "m")[0])["tool_choice"] == choice


@pytest.mark.parametrize(
    ("config", "thought"),
    [
        ({"thinkingBudget": 0}, Thought(enabled=False)),
        ({"thinkingBudget": -1}, Thought()),
        ({"thinkingBudget": 99}, Thought(budget=99)),
        ({"thinkingLevel": "LOW"}, Thought(effort="low")),
        ({"includeThoughts": True}, None),
    ],
)
def test_thinking_is_a_budget_or_a_word(config, thought):
    assert decoded(generationConfig={"thinkingConfig": config}).thought == thought


def test_thinking_asked_for_elsewhere_is_asked_for_and_shown():
    assert sent(chat(reasoning_effort="minimal"))[0]["generationConfig"]["thinkingConfig"] == {
        "thinkingLevel": "MINIMAL", "includeThoughts": True,
    }  # fmt: skip
    assert sent(chat(reasoning_effort="none"))[0]["generationConfig"]["thinkingConfig"] == {"thinkingBudget": 0}


def test_what_the_system_says_later_is_moved_and_named():
    turns = [
        {"role": "system", "content": "a"},
        {"role": "user", "content": "x"},
        {"role": "developer", "content": "b"},
    ]
    body, dropped = sent(chat(messages=turns))
    assert body["systemInstruction"] == {"parts": [{"text": "a"}, {"text": "b"}]}
    assert dropped == ("messages.order",)


@pytest.mark.parametrize("other", OTHERS, ids=lambda one: one.name)
@pytest.mark.parametrize(
    "fields",
    [
        {"cachedContent": "cachedContents/1"},
        {"generationConfig": {"responseModalities": ["TEXT", "AUDIO"]}},
        {"toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["a", "b"]}}},
        {"contents": [{"parts": [{"fileData": {"mimeType": "video/mp4", "fileUri": "https://x/y"}}]}]},
        {"contents": [{"parts": [{"inlineData": {"mimeType": "audio/wav", "data": "AAAA"}}]}]},
    ],
)
def test_what_would_change_the_meaning_is_refused(other, fields):
    with pytest.raises(NotTranslatable):
        other.encode_request(decoded(**fields), "m")


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"n": 2, "modalities": ["text", "audio"]}, "modalities"),
        ({"functions": [{"name": "f"}]}, "functions"),
        ({"tool_choice": {"type": "allowed_tools", "allowed_tools": {}}}, "tool_choice"),
        ({"messages": [{"role": "user", "content": [{"type": "file", "file": {"file_id": "x"}}]}]}, "messages"),
        ({"messages": [{"role": "function", "name": "f", "content": "x"}]}, "messages"),
    ],
)
def test_what_gemini_cannot_mean_is_refused(fields, param):
    with pytest.raises(NotTranslatable) as caught:
        sent(chat(**fields))
    assert caught.value.param == param


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"contents": []}, "contents"),
        ({"contents": [{"role": "wizard", "parts": []}]}, "contents[0].role"),
        ({"contents": [{"parts": [{"text": 5}]}]}, "contents[0].parts[0].text"),
        ({"contents": [{"parts": [{"functionCall": {"args": {}}}]}]}, "contents[0].parts[0].functionCall.name"),
        ({"contents": [{"parts": [{"functionCall": {"name": "f", "args": 5}}]}]}, "contents[0].parts[0].functionCall.args"),
        ({"generationConfig": {"topK": 1.5}}, "generationConfig.topK"),
    ],
)  # fmt: skip
def test_a_wrong_field_is_named_with_its_path(fields, param):
    with pytest.raises(BadRequest) as caught:
        decoded(**fields)
    assert caught.value.param == param


def test_parallel_calls_cannot_be_forbidden_and_that_is_said():
    assert sent(chat(parallel_tool_calls=False, user="u", logit_bias={"1": 1}))[1] == (
        "logit_bias", "parallel_tool_calls", "user",
    )  # fmt: skip
    assert decoded(toolConfig={"functionCallingConfig": {"mode": "ANY"}}).tool_choice == ToolChoice("any")
