"""Whole exchanges with Gemini, byte by byte as its documentation has them, and what the other dialects' callers see."""

from __future__ import annotations

import json

from freehold.gateway.dialects.registry import dialect
from freehold.gateway.ports import Peek

GEMINI, CHAT = dialect("gemini"), dialect("openai_chat")
MESSAGES, RESPONSES = dialect("anthropic_messages"), dialect("openai_responses")

ASKED = (
    b'{"systemInstruction":{"parts":[{"text":"Be brief."}]},"contents":[{"role":"user","parts":[{"text":"Weather in Bern?"},'
    b'{"inlineData":{"mimeType":"image/png","data":"AAAA"}}]},{"role":"model","parts":[{"functionCall":{"id":"c1",'
    b'"name":"weather","args":{"city":"Bern"}}}]},{"role":"user","parts":[{"functionResponse":{"id":"c1","name":"weather",'
    b'"response":{"output":"4 degrees"}}}]}],"tools":[{"functionDeclarations":[{"name":"weather","description":"Tells it.",'
    b'"parametersJsonSchema":{"type":"object"}}]}],"toolConfig":{"functionCallingConfig":{"mode":"AUTO"}},'
    b'"generationConfig":{"temperature":0.5,"maxOutputTokens":64,"stopSequences":["END"]}}'
)
CHAT_ASKS = (
    b'{"model":"r","messages":[{"role":"system","content":"Be brief."},{"role":"user","content":[{"type":"text","text":'
    b'"Weather in Bern?"},{"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA"}}]},{"role":"assistant",'
    b'"tool_calls":[{"id":"c1","type":"function","function":{"name":"weather","arguments":"{\\"city\\":\\"Bern\\"}"}}]},'
    b'{"role":"tool","tool_call_id":"c1","content":"4 degrees"}],"tools":[{"type":"function","function":{"name":"weather",'
    b'"description":"Tells it.","parameters":{"type":"object"}}}],"tool_choice":"auto","temperature":0.5,"max_tokens":64,'
    b'"stop":["END"]}'
)
MESSAGES_ASK = (
    b'{"model":"r","max_tokens":64,"system":"Be brief.","messages":[{"role":"user","content":[{"type":"text","text":'
    b'"Weather in Bern?"},{"type":"image","source":{"type":"base64","media_type":"image/png","data":"AAAA"}}]},'
    b'{"role":"assistant","content":[{"type":"tool_use","id":"c1","name":"weather","input":{"city":"Bern"}}]},{"role":'
    b'"user","content":[{"type":"tool_result","tool_use_id":"c1","content":"4 degrees"}]}],"tools":[{"name":"weather",'
    b'"description":"Tells it.","input_schema":{"type":"object"}}],"tool_choice":{"type":"auto"},"temperature":0.5,'
    b'"stop_sequences":["END"]}'
)
ANSWERED = (
    b'{"candidates":[{"content":{"parts":[{"text":"Looking.","thought":true},{"text":"One moment."},{"functionCall":'
    b'{"name":"weather","args":{"city":"Bern"}},"thoughtSignature":"c2ln"}],"role":"model"},"finishReason":"STOP","index":0}],'
    b'"usageMetadata":{"promptTokenCount":12,"candidatesTokenCount":5,"totalTokenCount":20,"cachedContentTokenCount":4,'
    b'"thoughtsTokenCount":3},"modelVersion":"gemini-3-pro","responseId":"r1"}'
)
STREAMED = (
    b'data: {"candidates":[{"content":{"parts":[{"text":"Looking.","thought":true}],"role":"model"},"index":0}],'
    b'"usageMetadata":{"promptTokenCount":12,"totalTokenCount":12,"cachedContentTokenCount":4},"modelVersion":"gemini-3-pro","responseId":"r1"}\r\n\r\n'
    b'data: {"candidates":[{"content":{"parts":[{"text":"One "}],"role":"model"},"index":0}],"modelVersion":"gemini-3-pro","responseId":"r1"}\r\n\r\n'
    b'data: {"candidates":[{"content":{"parts":[{"text":"moment."}],"role":"model"},"index":0}],"modelVersion":"gemini-3-pro","responseId":"r1"}\r\n\r\n'
    b'data: {"candidates":[{"content":{"parts":[{"functionCall":{"name":"weather","args":{"city":"Bern"}},'
    b'"thoughtSignature":"c2ln"}],"role":"model"},"index":0}],"modelVersion":"gemini-3-pro","responseId":"r1"}\r\n\r\n'
    b'data: {"candidates":[{"content":{"parts":[{"text":""}],"role":"model"},"finishReason":"STOP","index":0}],'
    b'"usageMetadata":{"promptTokenCount":12,"candidatesTokenCount":5,"totalTokenCount":20,"cachedContentTokenCount":4,'
    b'"thoughtsTokenCount":3},"modelVersion":"gemini-3-pro","responseId":"r1"}\r\n\r\n'
)


def test_requests_go_out_as_the_vendor_has_them():
    for where, body in ((CHAT, CHAT_ASKS), (MESSAGES, MESSAGES_ASK)):
        assert GEMINI.encode_request(where.decode_request(body), "m") == (ASKED, ())


def test_requests_come_in_as_others_have_them():
    request = GEMINI.decode_request(GEMINI.in_path.put(ASKED, "r", stream=False))
    newer = json.loads(CHAT_ASKS.replace(b'"max_tokens"', b'"max_completion_tokens"'))
    sent, dropped = CHAT.encode_request(request, "r")
    assert (json.loads(sent), dropped) == (newer, ())
    sent, dropped = MESSAGES.encode_request(request, "r")
    assert (json.loads(sent), dropped) == (json.loads(MESSAGES_ASK), ())


def test_an_answer_is_written_as_it_was_read():
    assert GEMINI.encode_answer(GEMINI.decode_answer(ANSWERED)) == (ANSWERED, ())


def test_a_stream_and_a_whole_answer_say_the_same_to_everybody():
    whole = GEMINI.decode_answer(ANSWERED)
    for where in (CHAT, MESSAGES, RESPONSES):
        decoder, encoder = GEMINI.stream_decoder(), where.stream_encoder(Peek("m", stream=True), created=1)
        body = encoder.feed(decoder.feed(STREAMED)) + encoder.feed(decoder.end())
        for text in (b"Looking.", b"One ", b"weather", b"Bern"):
            assert text in body
        kept, dropped = where.encode_answer(whole, created=1)
        assert set(encoder.dropped) == set(dropped) <= {"tool_calls.signature"}
        assert where.usage(kept) == GEMINI.usage(ANSWERED)


def test_usage_counts_thoughts_as_output_everywhere():
    usage = GEMINI.usage(ANSWERED)
    assert (usage.input, usage.output, usage.cached, usage.reasoning) == (12, 8, 4, 3)
    told = json.loads(CHAT.encode_answer(GEMINI.decode_answer(ANSWERED))[0])["usage"]
    assert (told["prompt_tokens"], told["completion_tokens"], told["total_tokens"]) == (12, 8, 20)
    told = json.loads(MESSAGES.encode_answer(GEMINI.decode_answer(ANSWERED))[0])["usage"]
    assert (told["input_tokens"], told["cache_read_input_tokens"], told["output_tokens"]) == (8, 4, 8)
