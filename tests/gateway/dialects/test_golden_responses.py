"""Exchanges of OpenAI's responses, written from its specification, and how they reach callers of other dialects."""

from __future__ import annotations

import json

import pytest
from msgspec import Raw

from freehold.core.errors import UpstreamFailed, UpstreamLied, UpstreamTimeout
from freehold.gateway.assemble import assemble, events_of
from freehold.gateway.dialects.registry import dialect
from freehold.gateway.messages import Answer, Choice, Failed, Opaque, Refusal, Text, Thinking, ToolCall
from freehold.gateway.ports import Peek
from freehold.ledger.meter import Usage

CHAT, MESSAGES, RESPONSES = dialect("openai_chat"), dialect("anthropic_messages"), dialect("openai_responses")
WANTED = Peek("m", stream=True)
HEAD = '"id":"resp_1","object":"response","created_at":7,"model":"gpt","temperature":0.5,"tools":[],"error":null'


def named(*payloads: str) -> bytes:
    return b"".join(b"event: %b\ndata: %b\n\n" % (json.loads(one)["type"].encode(), one.encode()) for one in payloads)


def at(kind: str, index: int, **fields: object) -> str:
    return json.dumps({"type": f"response.{kind}", "output_index": index, "item_id": f"i{index}", **fields})


CREATED = f'{{"type":"response.created","response":{{{HEAD},"status":"in_progress","output":[],"usage":null}}}}'
USAGE = (
    '{"input_tokens":9,"input_tokens_details":{"cached_tokens":4,"cache_write_tokens":0},"output_tokens":5,'
    '"output_tokens_details":{"reasoning_tokens":2},"total_tokens":14}'
)
COMPLETED = f'{{"type":"response.completed","response":{{{HEAD},"status":"completed","output":[],"usage":{USAGE}}}}}'
CUT = COMPLETED.replace("completed", "incomplete").replace(
    '"output":', '"incomplete_details":{"reason":"max_output_tokens"},"output":'
)
MESSAGE = {"type": "message", "id": "msg_1", "role": "assistant", "status": "in_progress", "content": []}
SAID = [
    at("output_item.added", 0, item=MESSAGE),
    at("content_part.added", 0, content_index=0, part={"type": "output_text", "text": "", "annotations": []}),
    at("output_text.delta", 0, content_index=0, delta="Hel", logprobs=[]),
    at("output_text.delta", 0, content_index=0, delta="lo", logprobs=[]),
    at("output_text.done", 0, content_index=0, text="Hello", logprobs=[]),
    at("content_part.done", 0, content_index=0, part={"type": "output_text", "text": "Hello", "annotations": []}),
    at("output_item.done", 0, item={**MESSAGE, "status": "completed"}),
]
CALL = {
    "type": "function_call",
    "id": "fc_1",
    "call_id": "call_1",
    "name": "f",
    "arguments": "",
    "status": "in_progress",
}
REASONED = {"type": "reasoning", "id": "rs_1", "summary": []}
WHOLE = named(
    CREATED,
    CREATED.replace("created", "in_progress", 1),
    at("output_item.added", 0, item=REASONED),
    at("reasoning_summary_part.added", 0, summary_index=0, part={"type": "summary_text", "text": ""}),
    at("reasoning_summary_text.delta", 0, summary_index=0, delta="First"),
    at("reasoning_summary_text.done", 0, summary_index=0, text="First"),
    at("reasoning_summary_part.done", 0, summary_index=0, part={"type": "summary_text", "text": "First"}),
    at("reasoning_summary_part.added", 0, summary_index=1, part={"type": "summary_text", "text": ""}),
    at("reasoning_summary_text.delta", 0, summary_index=1, delta="then"),
    at("output_item.done", 0, item={**REASONED, "encrypted_content": "gAAA"}),
    at("output_item.added", 1, item={"type": "web_search_call", "id": "ws_1", "status": "in_progress"}),
    at("web_search_call.searching", 1),
    at("output_item.done", 1, item={"type": "web_search_call", "id": "ws_1", "status": "completed"}),
    *(one.replace('"output_index": 0', '"output_index": 2') for one in SAID),
    at("output_item.added", 3, item=CALL),
    at("function_call_arguments.delta", 3, delta='{"a": '),
    at("function_call_arguments.delta", 3, delta="1}"),
    at("function_call_arguments.done", 3, arguments='{"a": 1}'),
    at("output_item.done", 3, item={**CALL, "arguments": '{"a": 1}', "status": "completed"}),
    COMPLETED,
)


def told(body: bytes) -> Answer:
    decoder = RESPONSES.stream_decoder()
    return assemble([*decoder.feed(body), *decoder.end()])


def place(name: str) -> tuple[str, str, Raw]:
    return "openai_responses", "own.id", Raw(json.dumps(name).encode())


@pytest.mark.parametrize("end", [b"", b"data: [DONE]\n\n"])
def test_reasoning_search_text_and_call(end):
    answer = told(WHOLE + end)
    search = Raw(b'{"type": "web_search_call", "id": "ws_1", "status": "completed"}')
    assert answer.choices == (
        Choice(
            parts=(
                Thinking("First", extra=(place("rs_1"),)),
                Thinking("then", "gAAA", extra=(place("rs_1"),)),
                Opaque("openai_responses", "item.web_search_call", search),
                Text("Hello", extra=(place("msg_1"),)),
                ToolCall("call_1", "f", '{"a": 1}', extra=(place("fc_1"),)),
            ),
            stop="tool_calls",
        ),
    )
    assert answer.usage == Usage(input=9, output=5, cached=4, reasoning=2)
    assert answer.extra == (("openai_responses", "own.echo.temperature", Raw(b"0.5")),)


def test_a_chat_caller_sees_the_summary_and_not_what_is_encrypted():
    decoder, encoder = RESPONSES.stream_decoder(), CHAT.stream_encoder(WANTED, created=7)
    sent = encoder.feed(decoder.feed(WHOLE)) + encoder.feed(decoder.end())
    deltas = [json.loads(line[6:]) for line in sent.decode().splitlines() if line.startswith("data: {")]
    parts = [one["choices"][0]["delta"] for one in deltas[:-1]]
    assert "".join(one.get("reasoning_content", "") for one in parts) == "Firstthen"
    assert "".join(one.get("content") or "" for one in parts) == "Hello"
    assert deltas[-2]["choices"][0]["finish_reason"] == "tool_calls" and b"gAAA" not in sent
    assert encoder.dropped == ("content.item.web_search_call", "thinking.signature")


def test_a_messages_caller_gets_no_signature_of_another_vendor():
    decoder, encoder = RESPONSES.stream_decoder(), MESSAGES.stream_encoder(WANTED)
    sent = encoder.feed(decoder.feed(WHOLE)) + encoder.feed(decoder.end())
    body, dropped = MESSAGES.encode_answer(told(WHOLE))
    assert b"gAAA" not in sent + body and "thinking.signature" in encoder.dropped and "thinking.signature" in dropped
    assert [one["type"] for one in json.loads(body)["content"]] == ["thinking", "thinking", "text", "tool_use"]


def test_the_whole_answer_says_what_its_stream_says():
    answer = told(WHOLE)
    body, dropped = RESPONSES.encode_answer(answer)
    assert (RESPONSES.decode_answer(body), dropped) == (answer, ())
    assert [one["type"] for one in json.loads(body)["output"]] == [
        "reasoning",
        "web_search_call",
        "message",
        "function_call",
    ]
    assert json.loads(body)["temperature"] == 0.5


def test_fields_that_strict_clients_demand_are_never_null():
    body = json.loads(
        RESPONSES.encode_answer(Answer(id="a", model="m", choices=(Choice(parts=(Text("x"),)),)), created=3)[0]
    )
    demanded = ("temperature", "top_p", "tool_choice", "truncation", "tools", "text", "parallel_tool_calls", "metadata")
    assert all(body[name] is not None for name in demanded) and body["created_at"] == 3
    (item,) = body["output"]
    assert item["id"] and item["status"] == "completed"
    assert item["content"] == [{"type": "output_text", "text": "x", "annotations": [], "logprobs": []}]


def test_events_come_in_the_order_of_the_specification():
    answer = Answer(id="a", model="m", choices=(Choice(parts=(Text("x"), Refusal("no"), ToolCall("c", "f", "{}"))),))
    sent = RESPONSES.stream_encoder(WANTED, created=1).feed(events_of(answer)).decode()
    kinds = [line.removeprefix("event: response.") for line in sent.splitlines() if line.startswith("event: ")]
    part = ["content_part.added", "{}.delta", "{}.done", "content_part.done"]
    assert kinds == [
        "created", "in_progress",
        "output_item.added", *(one.format("output_text") for one in part), *(one.format("refusal") for one in part),
        "output_item.done", "output_item.added", "function_call_arguments.delta", "function_call_arguments.done",
        "output_item.done", "completed",
    ]  # fmt: skip


def test_a_text_that_came_in_one_piece_is_read_from_its_end():
    short = [one for one in SAID if ".delta" not in one]
    assert told(named(CREATED, *short, COMPLETED)).choices[0].parts[0] == Text("Hello", extra=(place("msg_1"),))


def test_a_cut_answer_is_told_as_one():
    assert told(named(CREATED, *SAID, CUT)).choices[0].stop == "length"
    answer = Answer(id="a", model="m", choices=(Choice(parts=(Text("x"),), stop="length"),))
    body = json.loads(RESPONSES.encode_answer(answer)[0])
    assert (body["status"], body["incomplete_details"]) == ("incomplete", {"reason": "max_output_tokens"})
    assert body["output"][0]["status"] == "incomplete"


@pytest.mark.parametrize(
    ("body", "wrong"),
    [
        (named(*SAID), "does not begin"),
        (named(CREATED, *SAID), "cut"),
        (named(CREATED, *SAID[1:]), "not open"),
        (named(CREATED, *SAID[:-1], COMPLETED), "inside an item"),
        (named(CREATED, SAID[0], SAID[2]), "part that is not open"),
        (named(CREATED, *SAID, SAID[2]), "not open"),
        (named(CREATED, SAID[0], SAID[0]), "an item twice"),
        (named(CREATED, *SAID[:2], SAID[1]), "a part twice"),
        (named(CREATED, *SAID[:5], at("output_item.done", 0, item=CALL)), "another kind"),
        (named(CREATED) + b"data: {oops}\n\n", "not valid JSON"),
        (named(CREATED, COMPLETED.replace('"status":"completed"', '"status":"queued"')), "not whole"),
        (b"data: [DONE]\n\n", "cut"),
    ],
)
def test_a_lying_stream_is_found_out(body, wrong):
    with pytest.raises(UpstreamLied, match=wrong):
        told(body)


@pytest.mark.parametrize(
    "payload",
    [
        '{"type":"error","code":"server_error","message":"boom","param":null,"sequence_number":3}',
        '{"type":"error","error":{"type":"server_error","message":"boom"}}',
        f'{{"type":"response.failed","response":{{{HEAD.replace("null", "{}")}}}}}'.replace(
            '"error":{}', '"error":{"code":"server_error","message":"boom"}'
        ),
    ],
)
def test_an_error_inside_a_stream_is_an_event(payload):
    decoder = RESPONSES.stream_decoder()
    events = [*decoder.feed(named(CREATED, payload)), *decoder.end()]
    assert isinstance(events[-1], Failed) and (events[-1].kind, events[-1].message) == ("server_error", "boom")
    with pytest.raises(UpstreamFailed):
        assemble(events)
    assert RESPONSES.stream_encoder(WANTED).feed(events).split(b"event: ")[-1].startswith(b"error\n")


@pytest.mark.parametrize(
    "body",
    [
        b'{"error":{"message":"x"},"output":[]}',
        b'{"object":"response"}',
        b'{"output":[],"status":"failed"}',
        b'{"output":[],"status":"in_progress"}',
        b'{"output":[],"usage":{"input_tokens":-1}}',
    ],
)
def test_a_success_with_an_error_inside_is_a_lie(body):
    with pytest.raises(UpstreamLied):
        RESPONSES.usage(body)
    with pytest.raises(UpstreamLied):
        RESPONSES.decode_answer(body)


def test_an_error_of_ours_can_stand_in_a_stream_that_has_begun():
    event = RESPONSES.error_event(UpstreamTimeout("silence"), "r")
    assert event.startswith(b"event: error\n")
    found = json.loads(event.split(b"data: ")[1])
    assert (found["type"], found["code"], found["error"]["code"]) == ("error", "FH-UP-003", "FH-UP-003")
