"""Exchanges of Bedrock's Converse, written from its service model, and how they reach callers of other dialects."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec import Raw

from freehold.core.errors import BadRequest, UpstreamFailed, UpstreamLied, UpstreamTimeout
from freehold.gateway.assemble import assemble, events_of
from freehold.gateway.dialects.bedrock_parts import marked
from freehold.gateway.dialects.registry import dialect
from freehold.gateway.event_stream import Frames
from freehold.gateway.messages import Answer, Choice, Failed, Opaque, Redacted, Refusal, Text, Thinking, ToolCall
from freehold.gateway.ports import Peek
from freehold.ledger.meter import Usage
from tests.fakes.fake_bedrock import frame
from tests.gateway.dialects.test_errors_and_headers import all_errors

CHAT, MESSAGES, BEDROCK = dialect("openai_chat"), dialect("anthropic_messages"), dialect("bedrock_converse")
WANTED = Peek("m", stream=True)


def at(index: int, **delta: Any) -> tuple[str, dict[str, Any]]:
    return "contentBlockDelta", {"delta": delta, "contentBlockIndex": index}


def begins(index: int, **start: Any) -> tuple[str, dict[str, Any]]:
    return "contentBlockStart", {"start": start, "contentBlockIndex": index}


def ends(index: int) -> tuple[str, dict[str, Any]]:
    return "contentBlockStop", {"contentBlockIndex": index}


START = ("messageStart", {"role": "assistant"})
CALL = begins(3, toolUse={"toolUseId": "tooluse_1", "name": "f"})
STOP = ("messageStop", {"stopReason": "tool_use", "additionalModelResponseFields": {"a": 1}})
COUNTS = {
    "inputTokens": 9, "outputTokens": 5, "totalTokens": 26, "cacheReadInputTokens": 4, "cacheWriteInputTokens": 8,
    "cacheDetails": [{"ttl": "1h", "inputTokens": 6}, {"ttl": "5m", "inputTokens": 2}],
}  # fmt: skip
METADATA = ("metadata", {"usage": COUNTS, "metrics": {"latencyMs": 7}, "serviceTier": {"type": "flex"}})
SEARCH = begins(2, toolUse={"toolUseId": "srv_1", "name": "web", "type": "server_tool_use"})
TOLD = [
    START,
    at(0, reasoningContent={"text": "Fir"}), at(0, reasoningContent={"text": "st"}), at(0, reasoningContent={"signature": "c2ln"}), ends(0),
    at(1, reasoningContent={"redactedContent": "AAE="}), at(1, reasoningContent={"redactedContent": "Ag=="}), ends(1),
    SEARCH, at(2, toolUse={"input": "{}"}), ends(2),
    CALL, at(3, toolUse={"input": ""}), at(3, toolUse={"input": '{"a": '}), at(3, toolUse={"input": "1}"}), ends(3),
    at(4, text="Hel"), at(4, text="lo"), at(4, citation={"title": "t", "location": {"web": {"url": "u"}}}), ends(4),
    STOP, METADATA,
]  # fmt: skip
PLAIN = [START, at(0, text="Hi"), ends(0), ("messageStop", {"stopReason": "end_turn"}), METADATA]


def wire(events: list[tuple[str, dict[str, Any]]]) -> bytes:
    return b"".join(frame(kind, value) for kind, value in events)


def told(body: bytes) -> Answer:
    decoder = BEDROCK.stream_decoder()
    return assemble([*decoder.feed(body), *decoder.end()])


def names(body: bytes) -> list[str]:
    return [one.kind for one in Frames().feed(body)]


def test_reasoning_search_call_and_cited_text():
    answer = told(wire(TOLD))
    (choice,) = answer.choices
    search = Raw(json.dumps(SEARCH[1]["start"], separators=(",", ":")).encode())
    cited = Raw(b'{"title":"t","location":{"web":{"url":"u"}}}')
    assert choice.parts == (
        Thinking("First", "c2ln"),
        Redacted("AAEC"),
        Opaque("bedrock_converse", "start.toolUse", search),
        ToolCall("tooluse_1", "f", '{"a": 1}'),
        Text("Hello", citations=(cited,), extra=marked()),
    )
    assert choice.stop == "tool_calls"
    assert answer.usage == Usage(input=21, output=5, cached=4, cache_write=8, cache_write_1h=6)


def test_the_same_stream_goes_out_again_to_its_own_callers():
    decoder, encoder = BEDROCK.stream_decoder(), BEDROCK.stream_encoder(WANTED)
    sent = encoder.feed([*decoder.feed(wire(TOLD)), *decoder.end()])
    assert encoder.dropped == ()
    redacted = [one for one in TOLD if "redactedContent" in json.dumps(one[1])]
    empty = at(3, toolUse={"input": ""})
    plain = [at(1, reasoningContent={"redactedContent": "AAEC"}) if one is redacted[0] else one for one in TOLD]
    expected = [one for one in plain if one is not redacted[1] and one != empty]
    assert [(one.kind, json.loads(one.payload)) for one in Frames().feed(sent)] == expected


def test_a_chat_caller_sees_no_signature_and_a_messages_caller_does():
    decoder = BEDROCK.stream_decoder()
    events = [*decoder.feed(wire(TOLD)), *decoder.end()]
    chat, messages = CHAT.stream_encoder(WANTED, created=7), MESSAGES.stream_encoder(WANTED)
    sent = chat.feed(events)
    assert b"c2ln" not in sent and b"AAEC" not in sent and b'"finish_reason":"tool_calls"' in sent
    assert set(chat.dropped) >= {"thinking", "thinking.signature", "citations", "content.start.toolUse"}
    sent = messages.feed(events)
    assert b'"signature":"c2ln"' in sent and b'"data":"AAEC"' in sent and b'"cache_read_input_tokens":4' in sent
    assert "citations" in messages.dropped


def test_a_call_without_arguments_has_the_empty_object():
    events = [START, CALL, ends(3), ("messageStop", {"stopReason": "tool_use"}), METADATA]
    assert told(wire(events)).choices[0].parts == (ToolCall("tooluse_1", "f", "{}"),)


def test_a_block_of_nothing_is_an_empty_text():
    events = [START, ends(0), ("messageStop", {"stopReason": "end_turn"}), METADATA]
    assert told(wire(events)).choices[0].parts == (Text("", extra=marked()),)


@pytest.mark.parametrize(
    ("reason", "stop"),
    [
        ("end_turn", "end"), ("tool_use", "tool_calls"), ("max_tokens", "length"), ("stop_sequence", "stop_sequence"),
        ("content_filtered", "content_filter"), ("guardrail_intervened", "content_filter"),
        ("model_context_window_exceeded", "length"), ("malformed_tool_use", "end"), ("not_yet_known", "end"),
    ],
)  # fmt: skip
def test_reasons_are_kept(reason, stop):
    answer = told(wire([*PLAIN[:-2], ("messageStop", {"stopReason": reason}), METADATA]))
    assert answer.choices[0].stop == stop
    assert json.loads(BEDROCK.encode_answer(answer)[0])["stopReason"] == reason


def test_what_other_vendors_say_is_told_in_this_ones_words():
    parts = (
        Refusal("No."),
        ToolCall("c1", "f", ""),
        Redacted("not base64!"),
        Opaque("openai_chat", "audio", Raw(b"{}")),
    )
    answer = Answer(id="a", model="m", created=3, choices=(Choice(parts=parts, logprobs=Raw(b"{}")),))
    body, dropped = BEDROCK.encode_answer(answer)
    found = json.loads(body)
    assert found["output"]["message"]["content"] == [
        {"text": "No."},
        {"toolUse": {"toolUseId": "c1", "name": "f", "input": {}}},
    ]
    assert (found["stopReason"], found["usage"]["totalTokens"], found["metrics"]) == ("tool_use", 0, {"latencyMs": 0})
    assert dropped == ("content.audio", "content.redacted", "logprobs")


def test_arguments_that_were_cut_are_no_object_and_others_are_a_lie():
    def answer(stop: str) -> Answer:
        return Answer(id="a", model="m", choices=(Choice(parts=(ToolCall("c1", "f", '{"a": '),), stop=stop),))

    body, dropped = BEDROCK.encode_answer(answer("length"))
    assert json.loads(body)["output"]["message"]["content"][0]["toolUse"]["input"] == {}
    assert dropped == ("tool_calls.arguments",)
    with pytest.raises(UpstreamLied):
        BEDROCK.encode_answer(answer("tool_calls"))


def test_events_come_in_the_order_of_the_service():
    parts = (Thinking("a", "c2ln"), Text("x"), ToolCall("c", "f", "{}"), Text(""))
    answer = Answer(id="a", model="m", choices=(Choice(parts=parts),), usage=Usage(input=3, output=1))
    delta, stop = "contentBlockDelta", "contentBlockStop"
    assert names(BEDROCK.stream_encoder(WANTED).feed(events_of(answer))) == [
        "messageStart", delta, delta, stop, delta, stop, "contentBlockStart", delta, stop, delta, stop, "messageStop", "metadata",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("events", "wrong"),
    [
        (PLAIN[1:], "begins with"),
        ([START, START], "begins twice"),
        (PLAIN[:-1], "metadata never came"),
        (PLAIN[:2], "metadata never came"),
        ([*PLAIN[:2], PLAIN[3]], "inside a block"),
        ([*PLAIN[:3], METADATA], "before its answer was whole"),
        ([*PLAIN[:3], PLAIN[1]], "out of order"),
        ([*PLAIN[:4], PLAIN[3]], "stops twice"),
        ([*PLAIN[:4], at(1, text="x")], "out of order"),
        ([START, at(0, toolUse={"input": "x"})], "not open"),
        ([START, CALL, at(3, text="x")], "a delta of text in a block of toolUse"),
        ([START, at(0, text="x"), at(0, reasoningContent={"text": "y"})], "a delta of reasoning"),
        ([START, CALL, CALL], "out of order"),
        ([START, ends(0), ends(0)], "out of order"),
        ([*PLAIN[:4], ("metadata", {"metrics": {}})], "is required"),
        ([*PLAIN[:3], ("messageStop", {})], "is required"),
        ([START, ("contentBlockDelta", {"delta": {"text": "x"}})], "contentBlockIndex"),
        ([START, at(0, text=5)], "wrong shape"),
    ],
)
def test_a_lying_stream_is_found_out(events, wrong):
    with pytest.raises(UpstreamLied, match=wrong):
        told(wire(events))


def test_what_is_not_known_goes_on_to_its_own_callers():
    odd = [("newEvent", {"x": 1}), at(0, newDelta={"y": 2})]
    decoder, encoder = BEDROCK.stream_decoder(), BEDROCK.stream_encoder(WANTED)
    sent = encoder.feed([*decoder.feed(wire([*PLAIN[:2], *odd, *PLAIN[2:]])), *decoder.end()])
    assert names(sent)[2:4] == ["newEvent", "contentBlockDelta"] and encoder.dropped == ()
    chat = CHAT.stream_encoder(WANTED, created=1)
    chat.feed(BEDROCK.stream_decoder().feed(wire([*PLAIN[:2], *odd])))
    assert set(chat.dropped) == {"event.newEvent", "event.contentBlockDelta"}


def test_an_error_inside_a_stream_is_an_event():
    body = wire([*PLAIN[:2]]) + frame("throttlingException", {"message": "slow down"}, "exception")
    decoder = BEDROCK.stream_decoder()
    events = [*decoder.feed(body), *decoder.end()]
    assert isinstance(events[-1], Failed) and (events[-1].kind, events[-1].message) == (
        "throttlingException",
        "slow down",
    )
    with pytest.raises(UpstreamFailed, match="slow down"):
        assemble(events)
    (last,) = Frames().feed(BEDROCK.stream_encoder(WANTED).feed(events[-1:]))
    assert (last.failed, last.kind, json.loads(last.payload)) == (True, "throttlingException", {"message": "slow down"})


@pytest.mark.parametrize(
    "body",
    [
        b'{"message":"x"}',
        b'{"output":{}}',
        b'{"output":{"message":{"role":"assistant"}},"usage":{"inputTokens":-1}}',
        b'{"output":{"message":{"role":"user","content":[]}},"usage":{"inputTokens":-1}}',
        b"[]",
    ],
)
def test_a_success_that_is_no_answer_is_a_lie(body):
    with pytest.raises(UpstreamLied):
        BEDROCK.usage(body)
    with pytest.raises(UpstreamLied):
        BEDROCK.decode_answer(body)


def test_an_error_of_ours_can_stand_in_a_stream_that_has_begun():
    (found,) = Frames().feed(BEDROCK.error_event(UpstreamTimeout("silence"), "r"))
    assert found.failed and found.kind == "modelStreamErrorException"
    assert "FH-UP-003" in json.loads(found.payload)["message"]


def messages(**fields: Any) -> dict[str, Any]:
    request = {"model": "r", "max_tokens": 9, "messages": [{"role": "user", "content": "x"}], **fields}
    body, dropped = BEDROCK.encode_request(
        MESSAGES.decode_request(json.dumps(request).encode()), "eu.anthropic.claude-x"
    )
    return {**json.loads(body), "dropped": dropped}


def test_claude_is_asked_to_think_as_its_own_dialect_asks():
    for thinking in (
        {"type": "enabled", "budget_tokens": 1024},
        {"type": "adaptive", "display": "omitted"},
        {"type": "disabled"},
    ):
        sent = messages(thinking=thinking, top_k=5, output_config={"effort": "max"})
        assert sent["additionalModelRequestFields"] == {"thinking": thinking, "top_k": 5}
        assert (sent["outputConfig"], sent["dropped"]) == ({"effort": "max"}, ())


def test_turns_of_one_role_are_one_and_say_something():
    turns = [
        {"role": "user", "content": "a"}, {"role": "user", "content": [{"type": "text", "text": ""}, {"type": "text", "text": "b"}]},
        {"role": "assistant", "content": ""}, {"role": "assistant", "content": "c"}, {"role": "user", "content": "d"},
    ]  # fmt: skip
    assert messages(messages=turns)["messages"] == [
        {"role": "user", "content": [{"text": "a"}, {"text": "b"}]},
        {"role": "assistant", "content": [{"text": "c"}]},
        {"role": "user", "content": [{"text": "d"}]},
    ]


def test_results_of_parallel_calls_and_what_follows_are_one_turn_of_the_user():
    calls = [{"id": f"c{n}", "type": "function", "function": {"name": "f", "arguments": "{}"}} for n in (1, 2)]
    turns = [
        {"role": "user", "content": "x"},
        {"role": "assistant", "tool_calls": calls},
        *({"role": "tool", "tool_call_id": f"c{n}", "content": "ok"} for n in (1, 2)),
        {"role": "user", "content": "and?"},
    ]
    body, dropped = BEDROCK.encode_request(
        CHAT.decode_request(json.dumps({"model": "r", "messages": turns}).encode()), "m"
    )
    last = json.loads(body)["messages"][-1]["content"]
    assert [next(iter(one)) for one in last] == ["toolResult", "toolResult", "text"] and dropped == ()


def test_tools_may_be_forbidden_only_where_none_was_called():
    tools = [{"name": "f", "input_schema": {"type": "object"}}]
    sent = messages(tools=tools, tool_choice={"type": "none"})
    assert ("toolConfig" in sent, sent["dropped"]) == (False, ("tools",))
    assert messages(tools=tools, tool_choice={"type": "any"})["toolConfig"]["toolChoice"] == {"any": {}}


def test_prompt_caches_keep_their_beginnings():
    """A grown conversation begins with the bytes of the shorter one."""

    def sent(count: int) -> bytes:
        turns = [{"role": "user" if n % 2 == 0 else "assistant", "content": f"turn {n}"} for n in range(count)]
        body = json.dumps({"model": "r", "max_tokens": 5, "messages": turns}).encode()
        return BEDROCK.encode_request(MESSAGES.decode_request(body), "m")[0]

    assert sent(3).startswith(sent(1).partition(b'],"inferenceConfig"')[0])


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"inferenceConfig": {"maxTokens": -1}}, "inferenceConfig.maxTokens"),
        ({"inferenceConfig": 5}, "inferenceConfig"),
        ({"requestMetadata": {"workflow": 5}}, "requestMetadata.workflow"),
    ],
)
def test_a_wrong_field_is_named_at_a_glance(fields, param):
    with pytest.raises(BadRequest) as caught:
        BEDROCK.peek(BEDROCK.in_path.place("/model/r/converse", json.dumps(fields).encode()))
    assert caught.value.param == param


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"messages": [{"role": "tool", "content": []}]}, "messages[0].role"),
        ({"messages": [{"role": "user", "content": [{}]}]}, "messages[0].content[0]"),
        ({"messages": [{"role": "user", "content": [{"text": 5}]}]}, "messages[0].content[0].text"),
        ({"messages": [{"role": "assistant", "content": [{"toolUse": {"toolUseId": "t", "name": "f", "input": 5}}]}]}, "messages[0].content[0].toolUse.input"),
        ({"messages": [{"role": "user", "content": [{"toolResult": {"content": []}}]}]}, "messages[0].content[0].toolResult.toolUseId"),
        ({"toolConfig": {"tools": [{"toolSpec": {"name": "f"}}]}}, "toolConfig.tools[0].toolSpec.inputSchema"),
        ({"outputConfig": {"textFormat": {"type": "json_schema", "structure": {"jsonSchema": {"schema": "{"}}}}}, "outputConfig.textFormat.structure.jsonSchema.schema"),
    ],
)  # fmt: skip
def test_a_wrong_field_is_named_with_its_path(fields, param):
    with pytest.raises(BadRequest) as caught:
        BEDROCK.decode_request(json.dumps({"model": "r", **fields}).encode())
    assert (caught.value.param, param in caught.value.message) == (param, True)


def test_every_error_is_one_the_service_knows_and_says_what_to_do():
    from botocore.session import get_session

    service = get_session().get_service_model("bedrock-runtime")
    known = {one.name for one in service.operation_model("ConverseStream").error_shapes} | {
        "UnrecognizedClientException"
    }
    members = service.shape_for("ConverseStreamOutput").members
    for kind in all_errors():
        error = kind("it broke")
        status, body = BEDROCK.error(error, "r")
        said = json.loads(body)
        ((name, value),) = BEDROCK.error_headers(error)
        assert (name, said["__type"]) == (b"x-amzn-errortype", value.decode()) and status >= 400
        assert value.decode() in known
        assert (
            said["message"].startswith("it broke")
            and kind.hint_text in said["message"]
            and kind.code in said["message"]
        )
        (inside,) = Frames().feed(BEDROCK.error_event(error, "r"))
        assert inside.failed and inside.kind in members and json.loads(inside.payload)["message"] == said["message"]


def test_the_only_header_is_the_calls_name():
    limits = [("requests", 10, 3, 1.0)]
    assert BEDROCK.headers("call_1", limits, 0.0) == [(b"x-amzn-requestid", b"call_1")]
    assert BEDROCK.limit_lines(limits, 0.0) == b""
