"""Gemini's answers: streamed or whole, cut anywhere, in every pair they are translated in; and what is metered."""

from __future__ import annotations

import json
from contextlib import suppress

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from freehold.core.errors import UpstreamFailed, UpstreamLied
from freehold.gateway.assemble import assemble, events_of
from freehold.gateway.dialects.registry import dialect
from freehold.gateway.messages import Counted, Ended, Failed, Started, Stopped
from freehold.gateway.ports import Peek
from freehold.ledger.meter import Usage
from tests.gateway.dialects.drawn_gemini import gemini_answers
from tests.gateway.dialects.strategies import (
    anthropic_answers,
    cut,
    openai_answers,
    respelled,
    responses_answers,
    streams,
)
from tests.gateway.dialects.test_fuzz import bent, plausible
from tests.gateway.dialects.test_meters import framed, metered
from tests.gateway.dialects.test_streams import canonical, told

GEMINI, ARRAY, CHAT = dialect("gemini"), dialect("gemini_array"), dialect("openai_chat")
MESSAGES, RESPONSES = dialect("anthropic_messages"), dialect("openai_responses")
WANTED = Peek(model="m", stream=True)
PAIRS = [
    *((GEMINI, other, gemini_answers(most=1)) for other in (CHAT, MESSAGES, RESPONSES)),
    (CHAT, GEMINI, openai_answers()),
    (MESSAGES, GEMINI, anthropic_answers()),
    (RESPONSES, GEMINI, responses_answers()),
]


@settings(max_examples=80, deadline=None)
@given(data=st.data())
def test_a_stream_cut_anywhere_tells_the_same_message(data):
    answer = data.draw(gemini_answers())
    body = respelled(data.draw, GEMINI.stream_encoder(WANTED).feed(data.draw(streams(answer))))
    assert told(GEMINI, cut(data.draw, body)) == answer


@settings(max_examples=60, deadline=None)
@given(answer=gemini_answers())
def test_a_whole_answer_survives_its_own_dialect(answer):
    body, dropped = GEMINI.encode_answer(answer)
    assert (GEMINI.decode_answer(body), dropped) == (answer, ())
    assert GEMINI.usage(body) == answer.usage


@pytest.mark.parametrize(("source", "target", "answers"), PAIRS, ids=lambda one: getattr(one, "name", ""))
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
    assert streamed.usage == answer.usage or source is MESSAGES or source is CHAT or source is RESPONSES


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_the_array_tells_what_the_events_tell(data):
    events = data.draw(streams(data.draw(gemini_answers())))
    encoder = ARRAY.stream_encoder(WANTED)
    body = b"".join(encoder.feed([one]) for one in events)
    told_events = GEMINI.stream_encoder(WANTED).feed(events)
    assert json.loads(body) == [json.loads(one[6:]) for one in told_events.split(b"\n\n") if one]


def test_an_array_that_breaks_off_stays_open():
    event = ARRAY.error_event(UpstreamLied("it broke"), "r")
    with pytest.raises(json.JSONDecodeError):
        json.loads(b'[{"candidates":[]}' + event)
    assert json.loads(b'[{"candidates":[]}' + event + b"]")[1]["error"]["status"] == "UNAVAILABLE"


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_no_cut_off_stream_looks_whole(data):
    answer = data.draw(gemini_answers())
    body = GEMINI.stream_encoder(WANTED).feed(data.draw(streams(answer)))
    end = data.draw(st.integers(0, body.rindex(b"data: ") + 40))
    with pytest.raises(UpstreamLied):
        told(GEMINI, [body[:end]])
    assert metered(GEMINI, [body[:end]])[1] is False


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_any_framing_and_any_reads_give_the_same_count(data):
    answer = data.draw(gemini_answers())
    body = GEMINI.stream_encoder(WANTED).feed(data.draw(streams(answer)))
    body = body.replace(b"\n\n", b"\r\n\r\n") if data.draw(st.booleans()) else body
    wire = framed(cut(data.draw, body)) if data.draw(st.booleans()) else body
    assert metered(GEMINI, cut(data.draw, wire)) == (answer.usage, True)


def test_a_chunk_that_is_all_hexadecimal_digits_is_content():
    counts = Usage(input=3, output=2)
    body = GEMINI.stream_encoder(WANTED).feed(
        [Started("1", "m", usage=counts), Stopped("length"), Counted(counts), Ended()]
    )
    assert body.startswith(b"data: ")
    for first in (b"d", b"da"):
        assert metered(GEMINI, [framed([first, body[len(first) :]])]) == (counts, True)


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_almost_good_answers(data):
    body = data.draw(bent(gemini_answers().map(lambda answer: json.loads(GEMINI.encode_answer(answer)[0]))))
    with suppress(UpstreamFailed):
        GEMINI.usage(body)
    with suppress(UpstreamFailed):
        answer = GEMINI.decode_answer(body)
        for target in (CHAT, MESSAGES, RESPONSES, GEMINI):
            with suppress(UpstreamFailed):
                json.loads(target.encode_answer(answer)[0])


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_almost_good_streams(data):
    """Whatever is accepted assembles: the decoder lets no illegal sequence through."""
    events = GEMINI.stream_encoder(WANTED).feed(events_of(data.draw(gemini_answers()))).split(b"\n\n")
    at = data.draw(st.integers(0, len(events) - 1))
    events[at] = data.draw(
        st.sampled_from([b"", events[0], events[at][: data.draw(st.integers(0, len(events[at])))]])
        | plausible.map(lambda one: b"data: " + one)
    )
    body = b"\n\n".join(events)
    meter = GEMINI.stream_meter()
    meter.feed(body)
    meter.end()
    decoder = GEMINI.stream_decoder()
    try:
        found = [*decoder.feed(body), *decoder.end()]
    except UpstreamFailed:
        return
    for target in (CHAT, MESSAGES, RESPONSES, GEMINI):
        with suppress(UpstreamFailed):
            target.stream_encoder(WANTED).feed(found)
    if not any(isinstance(event, Failed) for event in found):
        assemble(found)


def chunk(**fields: object) -> bytes:
    return b"data: " + json.dumps(fields).encode() + b"\r\n\r\n"


def said(*parts: dict[str, object], **more: object) -> dict[str, object]:
    return {"candidates": [{"content": {"parts": list(parts), "role": "model"}, "index": 0, **more}]}


COUNTS = {
    "promptTokenCount": 9,
    "candidatesTokenCount": 4,
    "thoughtsTokenCount": 2,
    "totalTokenCount": 15,
    "cachedContentTokenCount": 3,
}
WORD = chunk(**said({"text": "word "}), usageMetadata={"promptTokenCount": 9, "totalTokenCount": 9})
LAST = chunk(**said({"text": ""}, finishReason="STOP"), usageMetadata=COUNTS)
USED = Usage(input=9, output=6, cached=3, reasoning=2)


@pytest.mark.parametrize("size", [7, 997, 1 << 20])
def test_a_long_stream_keeps_only_its_end(size):
    body = WORD * 2000 + LAST
    meter = GEMINI.stream_meter()
    for at in range(0, len(body), size):
        meter.feed(body[at : at + size])
        assert len(meter._last._held) < 1 << 21
    assert meter.end() == (USED, True)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"", (None, False)),
        (WORD, (Usage(input=9), False)),
        (WORD + LAST[:-30], (Usage(input=9), False)),
        (LAST + chunk(usageMetadata=COUNTS), (USED, True)),
        (WORD + chunk(error={"code": 503, "message": "x", "status": "UNAVAILABLE"}), (Usage(input=9), False)),
        (chunk(promptFeedback={"blockReason": "SAFETY"}, usageMetadata={"promptTokenCount": 9}), (Usage(input=9), True)),
        (chunk(**said({"functionCall": {"name": "f", "args": {"finishReason": "STOP"}}})), (None, False)),
        (chunk(**said({"text": "x"}, finishReason="STOP"), usageMetadata={"promptTokenCount": 9, "toolUsePromptTokenCount": 5}), (Usage(input=14), True)),
    ],
)  # fmt: skip
def test_what_a_stream_told_before_it_ended(body, expected):
    assert metered(GEMINI, [body]) == expected


def test_a_prompt_the_vendor_blocks_is_an_answer_that_was_filtered():
    body = json.dumps({"promptFeedback": {"blockReason": "SAFETY"}, "responseId": "r"}).encode()
    answer = GEMINI.decode_answer(body)
    assert [(one.stop, one.parts) for one in answer.choices] == [("content_filter", ())]
    assert json.loads(GEMINI.encode_answer(answer)[0]) == json.loads(body)
    assert json.loads(CHAT.encode_answer(answer)[0])["choices"][0]["finish_reason"] == "content_filter"
    assert told(GEMINI, [b"data: " + body + b"\n\n"]) == answer


@pytest.mark.parametrize(
    ("reason", "stop"),
    [("STOP", "end"), ("MAX_TOKENS", "length"), ("SAFETY", "content_filter"), ("RECITATION", "content_filter"), ("OTHER", "end")],
)  # fmt: skip
def test_reasons_have_a_word_and_are_kept(reason, stop):
    body = json.dumps({**said({"text": "x"}, finishReason=reason), "responseId": "r", "modelVersion": "m"}).encode()
    answer = GEMINI.decode_answer(body)
    assert answer.choices[0].stop == stop
    assert json.loads(GEMINI.encode_answer(answer)[0]) == json.loads(body)


@pytest.mark.parametrize("reason", ["MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL"])
def test_an_answer_that_is_of_no_use_is_no_answer(reason):
    body = json.dumps(said(finishReason=reason)).encode()
    for read in (GEMINI.decode_answer, lambda one: told(GEMINI, [b"data: " + one + b"\n\n"])):
        with pytest.raises(UpstreamLied, match=reason):
            read(body)


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b'{"candidates":[]}',
        b'{"error":{"code":500}}',
        b'{"candidates":[{"content":{"parts":[{"functionCall":{"name":"f","partialArgs":[]}}]}}]}',
        b'{"candidates":[{"content":{"parts":[{"functionResponse":{"name":"f","response":{}}}]},"finishReason":"STOP"}]}',
    ],
)
def test_what_is_no_answer_is_the_targets_lie(body):
    with pytest.raises(UpstreamLied):
        GEMINI.decode_answer(body)


def test_a_call_cut_by_the_limit_is_named():
    answer = CHAT.decode_answer(
        b'{"id":"c","choices":[{"message":{"tool_calls":[{"id":"1","function":{"name":"f","arguments":"{\\"a"}}]},"finish_reason":"length"}]}'
    )
    body, dropped = GEMINI.encode_answer(answer)
    assert (json.loads(body)["candidates"][0]["content"]["parts"][0]["functionCall"]["args"], dropped) == (
        {}, ("tool_calls.arguments",),
    )  # fmt: skip
    whole = msgspec.structs.replace(answer, choices=(msgspec.structs.replace(answer.choices[0], stop="tool_calls"),))
    with pytest.raises(UpstreamLied):
        GEMINI.encode_answer(whole)
