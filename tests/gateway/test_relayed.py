"""Pictures, sound, rankings and moderations through the call machine: relayed as they are, priced, bounded."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest

from freehold.ledger.frames import Close, Open, Refused
from freehold.ledger.meter import FREE
from tests.gateway import pieces as p
from tests.gateway.guarded_calls import answer, answered, frames
from tests.gateway.machine import Machine
from tests.gateway.relayed_calls import (
    ALL,
    BOUNDARY,
    EDITS,
    HEAR,
    IMAGES,
    MODERATE,
    PRICE,
    RANK,
    SPEECH,
    TRANSLATE,
    ask,
    closed,
    edit,
    form,
    machine_of,
    post,
    post_form,
    refused,
)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return machine_of(tmp_path)


def test_pictures_are_relayed_and_charged_by_their_number(machine) -> None:
    body = b'{ "prompt": "a caf\\u00e9", "model":"rented","n":2, "size":"1024x1024"}'
    connection = machine.caller()
    machine.ask(connection, post(IMAGES, body))
    said = b'{"created":1,"data":[{"b64_json":"AAAA"},{"b64_json":"BBBB"}]}'
    upstream = answer(machine, p.response(said))
    sent = upstream.transport.sent
    assert sent.startswith(b"POST /v1/images/generations HTTP/1.1\r\n")
    assert sent.endswith(body.replace(b'"rented"', b'"vendor-upstream"'))
    found = answered(connection)
    assert (found.status, found.body, found.headers["content-type"]) == (200, said, "application/json")
    assert closed(machine).cost == Decimal("0.08") and not closed(machine).tried[0].usage.estimated
    (opened,) = frames(machine, Open)
    assert opened.dialect == "openai_images" and opened.reserved == Decimal("0.08")


def test_pictures_sold_by_tokens_cost_what_usage_says(tmp_path) -> None:
    machine = machine_of(tmp_path, price=p.PRICE)
    ask(machine, IMAGES, prompt="a cat")
    usage = {"input_tokens": 100_000, "output_tokens": 1_000_000, "total_tokens": 1_100_000}
    answer(machine, p.response(json.dumps({"created": 1, "data": [{"b64_json": "A"}], "usage": usage}).encode()))
    assert closed(machine).cost == Decimal(31)


def test_a_stream_of_pictures_ends_or_errs(machine) -> None:
    connection = ask(machine, IMAGES, prompt="a cat", stream=True, partial_images=1)
    usage = {"input_tokens": 1, "output_tokens": 2, "total_tokens": 3}
    first = p.event("image_generation.partial_image", b64_json="AAAA", partial_image_index=0)
    last = p.event("image_generation.completed", b64_json="BBBB", usage=usage)
    answer(machine, p.chunked(first, last))
    assert answered(connection).body == first + last
    assert closed(machine).outcome == "ok" and closed(machine).tried[0].usage.output == 2
    connection = ask(machine, IMAGES, prompt="a cat", stream=True)
    answer(machine, p.chunked(first))
    assert not answered(connection).complete and frames(machine, Close)[-1].outcome == "broken"


def test_sound_goes_on_as_it_comes_with_the_kind_the_target_says(machine) -> None:
    connection = ask(machine, SPEECH, input="hello, you", voice="alloy")
    upstream = answer(machine, p.chunked(b"\xff\xfb" + b"s" * 5000, end=b"", kind="audio/mpeg"))
    assert b"s" * 5000 in connection.transport.sent and not frames(machine, Close)
    machine.answer(upstream, b"3\r\nend\r\n0\r\n\r\n")
    found = answered(connection)
    assert found.headers["content-type"] == "audio/mpeg" and found.body == b"\xff\xfb" + b"s" * 5000 + b"end"
    assert closed(machine).cost == 10 * Decimal("0.000015") and found.complete


@pytest.mark.parametrize(
    "reply",
    [
        p.chunked(b"\xff\xfbshort", kind="audio/aac"),
        p.chunked(bytes(9), kind="audio/pcm"),
        p.response(b"\xffwhole", kind="audio/wav"),
    ],
)
def test_short_sound_and_sound_of_known_length_come_whole(machine, reply) -> None:
    connection = ask(machine, SPEECH, input="hi", voice="alloy")
    answer(machine, reply)
    found = answered(connection)
    assert found.status == 200 and found.complete and found.body[:1] in (b"\xff", b"\0")
    assert closed(machine).outcome == "ok" and closed(machine).delivered == len(found.body)


def test_sound_that_is_cut_never_looks_whole_and_is_charged(machine) -> None:
    connection = ask(machine, SPEECH, input="hello, you", voice="alloy")
    upstream = answer(machine, p.chunked(b"s" * 5000, end=b"", kind="audio/mpeg"))
    machine.lose(upstream)
    assert not answered(connection).complete and answered(connection).body == b"s" * 5000
    assert closed(machine).outcome == "broken" and closed(machine).cost == 10 * Decimal("0.000015")


def test_speech_in_events_ends_with_its_own_mark(machine) -> None:
    ask(machine, SPEECH, input="hi", voice="alloy", stream_format="sse")
    usage = {"input_tokens": 3, "output_tokens": 9, "total_tokens": 12}
    events = p.event("speech.audio.delta", audio="AAAA") + p.event("speech.audio.done", usage=usage)
    answer(machine, p.chunked(events))
    assert closed(machine).tried[0].usage.output == 9 and closed(machine).outcome == "ok"
    connection = ask(machine, SPEECH, input="hi", voice="alloy", stream_format="sse")
    answer(machine, p.chunked(p.event("speech.audio.delta", audio="AAAA" * 9)))
    assert not answered(connection).complete


def test_nothing_that_a_browser_would_run_is_passed_on_as_such(machine) -> None:
    connection = ask(machine, SPEECH, input="hi", voice="alloy")
    answer(machine, p.chunked(b"<script>" * 600, kind="text/html"))
    assert answered(connection).headers["content-type"] == "application/octet-stream"


@pytest.mark.parametrize(("path", "dialect"), [(HEAR, "openai_transcriptions"), (TRANSLATE, "openai_translations")])
def test_a_form_is_relayed_with_the_model_replaced(machine, path, dialect) -> None:
    body = form(("model", "rented"), ("response_format", "json"), ("prompt", "names: Café"))
    connection = machine.caller()
    machine.ask(connection, post_form(path, body))
    upstream = answer(machine, p.response(b'{"text":"hello","usage":{"type":"duration","seconds":7}}'))
    head, _, sent = upstream.transport.sent.partition(b"\r\n\r\n")
    assert sent == body.replace(b"\r\n\r\nrented\r\n", b"\r\n\r\nvendor-upstream\r\n")
    assert f"content-type: multipart/form-data; boundary={BOUNDARY}".encode() in head
    assert b"application/json" not in head and f"content-length: {len(sent)}".encode() in head
    assert head.startswith(f"POST {path} HTTP/1.1".encode())
    assert answered(connection).body.startswith(b'{"text":"hello"') and closed(machine).cost == Decimal("0.0007")
    (opened,) = frames(machine, Open)
    assert opened.dialect == dialect


def test_pictures_are_changed_by_a_form(machine) -> None:
    connection = machine.caller()
    machine.ask(connection, post_form(EDITS, edit(("model", "rented"), ("prompt", "a hat"), ("n", "2"))))
    assert frames(machine, Open)[0].reserved == Decimal("0.08")
    upstream = answer(machine, p.response(b'{"created":1,"data":[{"b64_json":"AAAA"}]}'))
    assert upstream.transport.sent.startswith(b"POST /v1/images/edits HTTP/1.1")
    assert b"\r\n\r\nvendor-upstream\r\n" in upstream.transport.sent
    assert answered(connection).status == 200 and closed(machine).cost == Decimal("0.04")


@pytest.mark.parametrize("fields", [(("n", "0"),), (("n", "129"),), (("n", "1" * 9),), (("n", "two"),)])
def test_a_number_of_pictures_that_is_none_is_refused(machine, fields) -> None:
    assert refused(machine, post_form(EDITS, edit(("model", "rented"), *fields))) == "FH-REQ-001"


def test_a_transcript_may_be_plain_text_and_its_seconds_are_those_of_the_sound(machine) -> None:
    connection = machine.caller()
    machine.ask(connection, post_form(HEAR, form(("model", "rented"), ("response_format", "text"))))
    answer(machine, p.response(b"hello there", kind="text/plain; charset=utf-8"))
    found = answered(connection)
    assert (found.body, found.headers["content-type"]) == (b"hello there", "text/plain; charset=utf-8")
    used = closed(machine).tried[0].usage
    assert (used.units, used.unit, used.estimated, used.input) == (5, "second", True, 0)


def test_the_seconds_of_subtitles_are_read_off_them(machine) -> None:
    machine.ask(machine.caller(), post_form(HEAR, form(("model", "rented"), ("response_format", "srt"))))
    answer(machine, p.response(b"1\n00:00:00,000 --> 00:01:02,500\nhello\n", kind="application/x-subrip"))
    assert closed(machine).tried[0].usage.units == 63


def test_a_streamed_transcript_ends_or_errs(machine) -> None:
    ask_it = post_form(HEAR, form(("model", "rented"), ("stream", "true")))
    connection = machine.caller()
    machine.ask(connection, ask_it)
    delta = p.event("transcript.text.delta", delta="hel")
    usage = {"type": "tokens", "input_tokens": 14, "output_tokens": 45, "total_tokens": 59}
    answer(machine, p.chunked(delta, p.event("transcript.text.done", text="hello", usage=usage)))
    assert answered(connection).complete and closed(machine).tried[0].usage.input == 14
    connection = machine.caller()
    machine.ask(connection, ask_it)
    answer(machine, p.chunked(delta))
    assert not answered(connection).complete


def test_a_ranking_is_charged_by_the_searches_it_tells(machine) -> None:
    said = {"results": [{"index": 0, "relevance_score": 0.9}], "meta": {"billed_units": {"search_units": 1}}}
    for path in (RANK, "/v2/rerank", "/rerank"):
        connection = ask(machine, path, query="q", documents=["a", {"text": "b"}])
        upstream = answer(machine, p.response(json.dumps(said).encode()))
        assert upstream.transport.sent.rpartition(b"POST ")[2].startswith(b"/v1/rerank HTTP/1.1")
        assert answered(connection).status == 200
    assert [one.cost for one in frames(machine, Close)] == [Decimal("0.002")] * 3


def test_a_ranking_sold_by_tokens_costs_what_usage_says(tmp_path) -> None:
    machine = machine_of(tmp_path, price=p.PRICE)
    ask(machine, RANK, query="q", documents=["a"])
    answer(machine, p.response(b'{"results":[],"usage":{"total_tokens":100000}}'))
    assert closed(machine).cost == Decimal(1)


def test_moderations_are_relayed(tmp_path) -> None:
    machine = machine_of(tmp_path, price=FREE)
    connection = ask(machine, MODERATE, input="is it fine?")
    answer(machine, p.response(b'{"id":"m","model":"m","results":[{"flagged":false}]}'))
    assert answered(connection).status == 200 and closed(machine).cost == 0
    connection = ask(machine, MODERATE, input="is it fine?")
    answer(machine, p.response(b'{"error":{"message":"no"}}'))
    assert answered(connection).status == 502


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (IMAGES, {"prompt": "x", "n": 3}),
        (SPEECH, {"input": "x" * 100}),
        (RANK, {"query": "q", "documents": ["a"] * 101}),
    ],
)
def test_what_has_no_tokens_is_reserved_before_it_is_sent(funded, path, body) -> None:
    machine = funded(p.target("a", 9001, dialects=ALL, price=PRICE))
    machine.ask(machine.caller(), post(path, json.dumps({"model": "assistant", **body}).encode()))
    (lease,) = machine.asked()
    least = {IMAGES: Decimal("0.12"), SPEECH: Decimal("0.0015"), RANK: Decimal("0.004")}[path]
    assert lease.need == least and not machine.connecting
    machine.grant(None)
    assert frames(machine, Refused)[0].error == "FH-LIM-004"


def test_sound_is_reserved_by_the_seconds_it_can_be(funded) -> None:
    machine = funded(p.target("a", 9001, dialects=ALL, price=PRICE))
    machine.ask(machine.caller(), post_form(HEAR, form(("model", "assistant"))))
    (lease,) = machine.asked()
    assert lease.need == Decimal("0.0005")
    machine.ask(machine.caller(), post_form(HEAR, form(("model", "assistant"), file=b"\xff" * 7500)))
    assert machine.asked()[-1].need >= Decimal("0.001")


@pytest.mark.parametrize(
    ("path", "body", "reply"),
    [
        (SPEECH, {"input": "hello, you"}, p.chunked(b"s" * 5000, kind="audio/mpeg")),
        (IMAGES, {"prompt": "x"}, p.response(b'{"data":[{"url":"https://x.example/1.png"}]}')),
        (RANK, {"query": "q", "documents": ["a"]}, p.response(b'{"results":[]}')),
    ],
)
def test_what_is_sold_by_tokens_and_told_in_none_is_not_free(tmp_path, path, body, reply) -> None:
    machine = machine_of(tmp_path, price=p.PRICE)
    ask(machine, path, **body)
    answer(machine, reply)
    (tried,) = closed(machine).tried
    assert tried.outcome == "ok" and tried.cost > 0 and (tried.usage.estimated or tried.usage.units)
    assert tried.cost <= frames(machine, Open)[0].reserved


def test_a_call_that_is_hung_up_on_is_charged_as_asked(machine) -> None:
    connection = machine.caller()
    machine.ask(connection, post_form(HEAR, form(("model", "rented"), ("stream", "true"))))
    machine.connect()
    machine.lose(connection)
    assert closed(machine).outcome == "cancelled" and closed(machine).cost == Decimal("0.0005")


# What is refused


def test_a_form_must_be_declared_as_itself(machine) -> None:
    body = form(("model", "rented"))
    assert refused(machine, post(HEAR, body)) == "FH-REQ-003"
    assert refused(machine, post_form(HEAR, body, boundary="other")) == "FH-REQ-003"
    assert refused(machine, post_form(p.CHAT, body)) == "FH-REQ-003"
    assert refused(machine, post_form(HEAR, b'{"model":"rented"}')) == "FH-REQ-001"


@pytest.mark.parametrize(
    "fields", [(), (("model", "rented"), ("model", "other")), (("model", ""),)], ids=["none", "two", "empty"]
)
def test_a_form_names_one_model(machine, fields) -> None:
    assert refused(machine, post_form(HEAR, form(*fields))) == "FH-REQ-001"


def test_a_text_is_not_smuggled_in_as_a_file(machine) -> None:
    body = form(("model", "rented")).replace(b'name="file"', b'name="prompt"')
    assert refused(machine, post_form(HEAR, body)) == "FH-REQ-001"


def test_a_dialect_that_no_target_speaks_is_refused(tmp_path) -> None:
    machine = machine_of(tmp_path, dialects=("openai_chat",))
    assert refused(machine, post(IMAGES, b'{"model":"rented","prompt":"x"}')) == "FH-REQ-004"
