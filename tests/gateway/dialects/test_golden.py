"""Exchanges written from the vendors' specifications, and our own bytes read by their SDKs' types."""

from __future__ import annotations

import json

import msgspec
import pytest
from anthropic.types import Message, RawMessageStreamEvent
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Raw
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

from freehold.core.errors import UpstreamFailed, UpstreamLied, UpstreamTimeout
from freehold.gateway.assemble import assemble, events_of
from freehold.gateway.dialects.registry import dialect
from freehold.gateway.messages import (
    Answer,
    Choice,
    Counted,
    Failed,
    Grown,
    Opened,
    Refusal,
    Started,
    Stopped,
    Text,
    Thinking,
    ToolCall,
)
from freehold.gateway.ports import Peek
from freehold.ledger.meter import Usage
from tests.gateway.dialects.strategies import anthropic_answers, openai_answers, responses_answers, streams

CHAT, MESSAGES, RESPONSES = dialect("openai_chat"), dialect("anthropic_messages"), dialect("openai_responses")
WANTED = Peek("m", stream=True)
EVENT = TypeAdapter(RawMessageStreamEvent)
RESPONSE_EVENT = TypeAdapter(ResponseStreamEvent)


def lines(*payloads: str) -> bytes:
    return b"".join(b"data: " + one.encode() + b"\n\n" for one in payloads)


def named(*payloads: str) -> bytes:
    return b"".join(b"event: %b\ndata: %b\n\n" % (json.loads(one)["type"].encode(), one.encode()) for one in payloads)


def chunk(delta: str, finish: str = "null", index: int = 0) -> str:
    head = '{"id":"chatcmpl-1","object":"chat.completion.chunk","created":7,"model":"gpt","system_fingerprint":"fp"'
    return (
        head
        + f',"choices":[{{"index":{index},"delta":{delta},"logprobs":null,"finish_reason":{finish}}}],"usage":null}}'
    )


PARALLEL = lines(
    chunk('{"role":"assistant","content":null,"refusal":null}'),
    chunk('{"tool_calls":[{"index":0,"id":"call_a","type":"function","function":{"name":"add","arguments":""}}]}'),
    chunk('{"tool_calls":[{"index":0,"function":{"arguments":"{\\"x\\""}}]}'),
    chunk(
        '{"tool_calls":[{"index":1,"id":"call_b","type":"function","function":{"name":"sub","arguments":""}},'
        '{"index":0,"function":{"arguments":": 1}"}}]}'
    ),
    chunk('{"tool_calls":[{"index":1,"function":{"arguments":"{}"}}]}'),
    chunk("{}", '"tool_calls"'),
    '{"id":"chatcmpl-1","object":"chat.completion.chunk","created":7,"model":"gpt","choices":[],"usage":{"prompt_tokens":9,'
    '"completion_tokens":5,"total_tokens":14,"prompt_tokens_details":{"cached_tokens":4},"completion_tokens_details":{"reasoning_tokens":2}}}',
    "[DONE]",
)

THOUGHT = named(
    '{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"claude","content":[],"stop_reason":null,'
    '"stop_sequence":null,"usage":{"input_tokens":10,"cache_creation_input_tokens":3,"cache_read_input_tokens":2,"output_tokens":1}}}',
    '{"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}',
    '{"type":"ping"}',
    '{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"Let me"}}',
    '{"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"EqQB"}}',
    '{"type":"content_block_stop","index":0}',
    '{"type":"content_block_start","index":1,"content_block":{"type":"text","text":""}}',
    '{"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"Hel"}}',
    '{"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"lo"}}',
    '{"type":"content_block_stop","index":1}',
    '{"type":"content_block_start","index":2,"content_block":{"type":"tool_use","id":"toolu_1","name":"f","input":{}}}',
    '{"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":""}}',
    '{"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"{\\"a\\": "}}',
    '{"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"1}"}}',
    '{"type":"content_block_stop","index":2}',
    '{"type":"message_delta","delta":{"stop_reason":"tool_use","stop_sequence":null},"usage":{"output_tokens":12}}',
    '{"type":"message_delta","delta":{},"usage":{"output_tokens":15}}',
    '{"type":"message_stop"}',
)


def told(where, body: bytes) -> Answer:
    decoder = where.stream_decoder()
    return assemble([*decoder.feed(body), *decoder.end()])


def translated(source, target, body: bytes) -> tuple[bytes, tuple[str, ...]]:
    decoder, encoder = source.stream_decoder(), target.stream_encoder(WANTED, created=7)
    sent = encoder.feed(decoder.feed(body)) + encoder.feed(decoder.end())
    return sent, encoder.dropped


def test_parallel_calls_whose_fragments_are_mixed():
    answer = told(CHAT, PARALLEL)
    assert answer.choices == (
        Choice(parts=(ToolCall("call_a", "add", '{"x": 1}'), ToolCall("call_b", "sub", "{}")), stop="tool_calls"),
    )
    assert answer.usage == Usage(input=9, output=5, cached=4, reasoning=2)
    assert answer.extra == (("openai_chat", "system_fingerprint", Raw(b'"fp"')),)


def test_parallel_calls_reach_an_anthropic_caller_one_after_the_other():
    sent, dropped = translated(CHAT, MESSAGES, PARALLEL)
    kinds = [line.removeprefix("event: ") for line in sent.decode().splitlines() if line.startswith("event: ")]
    block = ["content_block_start", "content_block_delta", "content_block_delta", "content_block_stop"]
    assert kinds == ["message_start", *block, *block[:2], "content_block_stop", "message_delta", "message_stop"]
    answer = told(MESSAGES, sent)
    assert answer.choices[0].parts == (ToolCall("call_a", "add", '{"x": 1}'), ToolCall("call_b", "sub", "{}"))
    assert (answer.choices[0].stop, answer.usage) == ("tool_calls", Usage(input=9, output=5, cached=4, reasoning=2))
    assert dropped == ("system_fingerprint",)


def test_thinking_text_and_call():
    answer = told(MESSAGES, THOUGHT)
    assert answer.choices == (
        Choice(
            parts=(Thinking("Let me", "EqQB"), Text("Hello"), ToolCall("toolu_1", "f", '{"a": 1}')), stop="tool_calls"
        ),
    )
    assert answer.usage == Usage(input=15, output=15, cached=2, cache_write=3)


def test_thinking_reaches_a_chat_caller_without_its_signature():
    sent, dropped = translated(MESSAGES, CHAT, THOUGHT)
    deltas = [json.loads(line[6:]) for line in sent.decode().splitlines() if line.startswith("data: {")]
    assert {(one["id"], one["created"], one["model"]) for one in deltas} == {("msg_1", 7, "claude")}
    assert deltas[0]["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    assert [one["choices"][0]["finish_reason"] for one in deltas[:-1]] == [None] * (len(deltas) - 2) + ["tool_calls"]
    assert all(one["usage"] is None for one in deltas[:-1])
    assert (deltas[-1]["choices"], deltas[-1]["usage"]["prompt_tokens"]) == ([], 15)
    assert sent.endswith(b"data: [DONE]\n\n")
    assert told(CHAT, sent).choices[0].parts[0] == Thinking("Let me", field="reasoning_content")
    assert dropped == ("thinking.signature",)


def test_a_caller_may_not_want_usage():
    encoder = CHAT.stream_encoder(Peek("m", stream=True, wants_usage=False), created=1)
    assert b"usage" not in encoder.feed(events_of(Answer(id="a", model="m", choices=(Choice(),), usage=Usage(1, 2))))


@pytest.mark.parametrize(
    ("body", "wrong"),
    [
        (PARALLEL.replace(b"data: [DONE]\n\n", b""), "cut"),
        (lines(chunk('{"content":"x"}'), "[DONE]"), "no finish_reason"),
        (lines("[DONE]"), "no finish_reason"),
        (lines(chunk('{"content":"x"}', '"stop"'), chunk('{"content":"y"}'), "[DONE]"), "after its finish_reason"),
        (lines(chunk('{"tool_calls":[{"index":0,"function":{"arguments":"{}"}}]}')), "never began"),
        (lines('{"choices": 5}'), "wrong shape"),
        (lines('{"choices": ['), "not valid JSON"),
        (lines(chunk('{"content":"x"}', '"error"')), "broke the answer off"),
        (b"<html>busy</html>", "cut"),
    ],
)
def test_a_lying_chat_stream_is_found_out(body, wrong):
    with pytest.raises(UpstreamLied, match=wrong):
        told(CHAT, body)


START = THOUGHT[: THOUGHT.index(b"event: content_block_start")]
OPEN = '{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}'
DELTA = '{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"x"}}'
CLOSE = '{"type":"content_block_stop","index":0}'
STOPPED = '{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":1}}'
STOP = '{"type":"message_stop"}'


@pytest.mark.parametrize(
    ("body", "wrong"),
    [
        (named(OPEN), "begins with content_block_start"),
        (START + START, "begins twice"),
        (START + named(DELTA), "not open"),
        (START + named(OPEN, CLOSE, DELTA), "not open"),
        (START + named(OPEN, OPEN), "out of order"),
        (START + named(OPEN, STOPPED), "inside a block"),
        (START + named(OPEN, CLOSE, STOP), "before its answer was whole"),
        (START + named(OPEN, CLOSE, STOPPED), "cut"),
        (START + named(STOPPED, OPEN), "out of order"),
        (START + named(OPEN, DELTA.replace("text_delta", "input_json_delta")), "in a block of type text"),
        (START + b"data: {oops}\n\n", "not valid JSON"),
        (
            START + named('{"type":"content_block_start","index":0,"content_block":{"type":"text"}}'),
            "content_block.text",
        ),
        (b"", "cut"),
    ],
)
def test_a_lying_messages_stream_is_found_out(body, wrong):
    with pytest.raises(UpstreamLied, match=wrong):
        told(MESSAGES, body)


def test_an_error_inside_a_stream_is_an_event_in_every_dialect():
    chat = lines(chunk('{"content":"x"}'), '{"error":{"message":"boom","type":"server_error","code":500}}')
    other = START + named('{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}')
    for source, body, kind in ((CHAT, chat, "server_error"), (MESSAGES, other, "overloaded_error")):
        decoder = source.stream_decoder()
        events = [*decoder.feed(body), *decoder.end()]
        assert isinstance(events[-1], Failed)
        assert events[-1].kind == kind
        with pytest.raises(UpstreamFailed, match=kind):
            assemble(events)
        assert json.loads(CHAT.stream_encoder(WANTED).feed(events).split(b"data: ")[-1])["error"]["type"] == kind
        last = MESSAGES.stream_encoder(WANTED).feed(events).split(b"event: ")[-1]
        assert last.startswith(b"error\n")
        assert json.loads(last.split(b"data: ")[1])["error"]["type"] in {"api_error", "overloaded_error"}


@pytest.mark.parametrize(
    ("where", "body"),
    [
        (CHAT, b'{"error":{"message":"x"}}'),
        (CHAT, b'{"choices":[{}],"error":{"message":"x"}}'),
        (CHAT, b'{"object":"chat.completion"}'),
        (CHAT, b'{"choices":[{"index":0}'),
        (CHAT, b'{"choices":[{}],"usage":{"prompt_tokens":-5}}'),
        (MESSAGES, b'{"type":"error","error":{"type":"overloaded_error","message":"x"}}'),
        (MESSAGES, b'{"type":"message"}'),
        (MESSAGES, b'{"type":"message","content":[],"usage":{"output_tokens":"many"}}'),
        (dialect("openai_embeddings"), b'{"object":"list"}'),
        (dialect("openai_embeddings"), b'{"data":[],"error":"x"}'),
        (dialect("anthropic_count_tokens"), b"{}"),
        (dialect("anthropic_count_tokens"), b'{"input_tokens":-1}'),
    ],
)
def test_a_success_with_an_error_inside_is_a_lie(where, body):
    with pytest.raises(UpstreamLied):
        where.usage(body)


def test_answers_without_usage_say_nothing():
    assert CHAT.usage(b'{"choices":[{}]}') is None
    assert MESSAGES.usage(b'{"type":"message","content":[]}') is None
    assert dialect("openai_embeddings").usage(b'{"data":[],"usage":{"prompt_tokens":4,"total_tokens":4}}') == Usage(
        input=4
    )
    assert dialect("anthropic_count_tokens").usage(b'{"input_tokens":9}') == Usage()


def test_a_call_or_refusal_shows_in_the_stop_reason_of_messages():
    for part, reason in ((ToolCall("t", "f", "{}"), "tool_use"), (Refusal("no"), "refusal")):
        answer = Answer(id="a", model="m", choices=(Choice(parts=(part,), stop="end"),))
        assert json.loads(MESSAGES.encode_answer(answer)[0])["stop_reason"] == reason
        assert f'"stop_reason":"{reason}"'.encode() in MESSAGES.stream_encoder(WANTED).feed(events_of(answer))


def test_a_call_cut_by_the_limit_is_named_and_otherwise_a_lie():
    part = ToolCall("t", "f", '{"a": "unfini')
    cut = Answer(id="a", model="m", choices=(Choice(parts=(part,), stop="length"),))
    body, dropped = MESSAGES.encode_answer(cut)
    assert (json.loads(body)["content"][0]["input"], dropped) == ({}, ("tool_calls.arguments",))
    with pytest.raises(UpstreamLied):
        MESSAGES.encode_answer(msgspec.structs.replace(cut, choices=(Choice(parts=(part,)),)))


def test_an_index_used_again_with_a_new_id_is_a_new_call():
    first = '{"tool_calls":[{"index":0,"id":"a","type":"function","function":{"name":"f","arguments":"{}"}}]}'
    second = first.replace('"a"', '"b"')
    answer = told(CHAT, lines(chunk(first), chunk(second), chunk("{}", '"stop"'), "[DONE]"))
    assert [part.id for part in answer.choices[0].parts] == ["a", "b"]


def test_log_probabilities_are_joined():
    with_logprobs = [
        chunk(f'{{"content":"{word}"}}').replace(
            '"logprobs":null', f'"logprobs":{{"content":[{{"token":"{word}"}}],"refusal":null}}'
        )
        for word in ("a", "b")
    ]
    answer = told(CHAT, lines(*with_logprobs, chunk("{}", '"stop"'), "[DONE]"))
    assert json.loads(bytes(answer.choices[0].logprobs)) == {"content": [{"token": "a"}, {"token": "b"}]}
    assert MESSAGES.encode_answer(answer)[1] == ("logprobs", "system_fingerprint")


def test_line_ends_inside_what_a_vendor_wrote_cannot_break_an_event():
    text = Text("x", citations=(Raw(b'{\n "type": "page_location"\r\n}'),))
    answer = Answer(id="a", model="m", choices=(Choice(parts=(text,)),))
    body = MESSAGES.stream_encoder(WANTED).feed(events_of(answer))
    assert json.loads(bytes(told(MESSAGES, body).choices[0].parts[0].citations[0])) == {"type": "page_location"}


def test_input_counts_known_at_the_start_stand_in_message_start():
    encoder = MESSAGES.stream_encoder(WANTED)
    first = encoder.feed([Started("a", "m", usage=Usage(input=12, cached=4))])
    usage = json.loads(first.split(b"data: ")[1])["message"]["usage"]
    assert (usage["input_tokens"], usage["cache_read_input_tokens"], usage["output_tokens"]) == (8, 4, 0)


@settings(max_examples=40, deadline=None)
@given(answer=st.one_of(openai_answers(), anthropic_answers(), responses_answers()), data=st.data())
def test_the_official_types_accept_what_we_write(answer, data):
    events = data.draw(streams(answer))
    ChatCompletion.model_validate_json(CHAT.encode_answer(answer, created=1)[0])
    for line in CHAT.stream_encoder(WANTED, created=1).feed(events).split(b"\n\n")[:-2]:
        ChatCompletionChunk.model_validate_json(line.removeprefix(b"data: "))
    Message.model_validate_json(MESSAGES.encode_answer(answer)[0])
    for event in MESSAGES.stream_encoder(WANTED).feed(events).split(b"\n\n")[:-1]:
        name, body = event.split(b"\ndata: ")
        assert EVENT.validate_json(body).type == name.removeprefix(b"event: ").decode()
    Response.model_validate_json(RESPONSES.encode_answer(answer, created=1)[0])
    for number, event in enumerate(RESPONSES.stream_encoder(WANTED, created=1).feed(events).split(b"\n\n")[:-1]):
        name, body = event.split(b"\ndata: ")
        told = RESPONSE_EVENT.validate_json(body)
        assert (told.type, told.sequence_number) == (name.removeprefix(b"event: ").decode(), number)


@pytest.mark.parametrize(
    "events",
    [
        [],
        [Started("a", "m")],
        [Opened(0, Text(""))],
        [Started("a", "m"), Started("a", "m")],
        [Started("a", "m"), Grown(0, "x")],
        [Started("a", "m"), Opened(0, Text("")), Opened(0, Text(""))],
        [Started("a", "m"), Opened(0, Text("")), Stopped("end")],
        [Started("a", "m"), Stopped("end"), Stopped("end")],
        [Started("a", "m"), Stopped("end"), Counted(Usage())],
    ],
)
def test_what_is_no_legal_sequence_is_no_answer(events):
    with pytest.raises(UpstreamLied):
        assemble(events)


def test_errors_of_ours_can_stand_in_a_stream_that_has_begun():
    error = UpstreamTimeout("silence", retry_after=1)
    assert CHAT.error_event(error, "r").startswith(b'data: {"error":{"message":"silence')
    assert MESSAGES.error_event(error, "r").startswith(
        b'event: error\ndata: {"type":"error","error":{"type":"timeout_error"'
    )
