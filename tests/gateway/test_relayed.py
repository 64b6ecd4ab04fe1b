"""Pictures, sound, rankings and moderations through the call machine: relayed as they are, priced, bounded, looked at."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest

from freehold.ledger.frames import Close, Open, Refused
from freehold.ledger.meter import FREE, Price
from tests.gateway import guards as g
from tests.gateway import pieces as p
from tests.gateway.guarded_calls import answer, answered, frames
from tests.gateway.machine import Machine

BOUNDARY = "----boundary7MA4"
WAV = (
    b"RIFF"
    + b"\x00" * 4
    + b"WAVEfmt "
    + b"\x10\x00\x00\x00\x01\x00\x01\x00"
    + b"\x40\x1f\x00\x00"
    + b"\x40\x1f\x00\x00"
)
SOUND = WAV + b"\x00" * (8000 * 5 - len(WAV))
"""Five seconds at 8,000 bytes a second."""
ALL = (
    "openai_image_edits", "openai_images", "openai_moderations", "openai_speech", "openai_transcriptions",
    "openai_translations", "rerank",
)  # fmt: skip
IMAGES, SPEECH, RANK, MODERATE = "/v1/images/generations", "/v1/audio/speech", "/v1/rerank", "/v1/moderations"
HEAR, TRANSLATE = "/v1/audio/transcriptions", "/v1/audio/translations"


def price(**units: str) -> Price:
    found = tuple(sorted((name, Decimal(one)) for name, one in units.items()))
    return Price(input=Decimal(0), units=found, source="test", as_of="2026-11-22")


PRICE = price(character="0.000015", image="0.04", search="0.002", second="0.0001")


def machine_of(home: Path, **more) -> Machine:
    more = {"dialects": ALL, "price": PRICE, **more}
    targets = (p.target("vendor", 9001, **more), p.target("other", 9002, **more))
    all_routes = (p.route("rented", "vendor", attempts=1), p.route("both", "vendor", "other"))
    return Machine(home, p.routes(targets, *all_routes), p.keys())


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return machine_of(tmp_path)


def form(*fields: tuple[str, str | bytes], boundary: str = BOUNDARY, file: bytes = SOUND, name: str = "a.wav") -> bytes:
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{field}"\r\n\r\n{value}\r\n'.encode()
        for field, value in fields
    ]
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\nContent-Type: audio/wav'
    return b"".join([*parts, head.encode(), b"\r\n\r\n", file, f"\r\n--{boundary}--\r\n".encode()])


def post(path: str, body: bytes, *lines: str, kind: str = "application/json") -> bytes:
    head = [f"POST {path} HTTP/1.1", "host: localhost", f"content-type: {kind}", f"content-length: {len(body)}"]
    head += [f"authorization: Bearer {p.KEY}", *lines]
    return ("\r\n".join(head) + "\r\n\r\n").encode() + body


def post_form(path: str, body: bytes, boundary: str = BOUNDARY) -> bytes:
    return post(path, body, kind=f"multipart/form-data; boundary={boundary}")


def ask(machine: Machine, path: str, **body):
    connection = machine.caller()
    body.setdefault("model", "rented")
    machine.ask(connection, post(path, json.dumps(body).encode()))
    return connection


def closed(machine: Machine) -> Close:
    (found,) = frames(machine, Close)
    return found


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


EDITS = "/v1/images/edits"


def edit(*fields: tuple[str, str]) -> bytes:
    return form(*fields, name="a.png", file=b"\x89PNG").replace(b'name="file"', b'name="image[]"')


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


def refused(machine: Machine, data: bytes) -> str:
    connection = machine.caller()
    machine.ask(connection, data)
    assert not machine.connecting
    found = answered(connection)
    assert json.loads(found.body)["error"]["message"]
    return found.headers["x-freehold-error"]


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


# Guarded


def test_texts_of_a_form_are_looked_at_and_replaced(machine) -> None:
    g.arm(machine, g.rule("redact"))
    body = form(("model", "rented"), ("prompt", f"a call with {g.EMAIL}"))
    machine.ask(machine.caller(), post_form(HEAR, body))
    upstream = answer(machine, p.response(b'{"text":"hello"}'))
    assert g.EMAIL.encode() not in upstream.transport.sent and b"a call with [EMAIL]" in upstream.transport.sent
    assert upstream.transport.sent.endswith(SOUND + f"\r\n--{BOUNDARY}--\r\n".encode())
    (opened,) = frames(machine, Open)
    assert opened.scan.unread == 1 and g.scan_of(opened) == {"EMAIL": 1}


def test_a_name_of_a_file_cannot_be_replaced_so_it_is_refused(machine) -> None:
    g.arm(machine, g.rule("redact"))
    body = form(("model", "rented"), name=f"{g.EMAIL}")
    assert refused(machine, post_form(HEAR, body)) == "FH-POL-030"


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("application/json", json.dumps({"text": f"mail {g.EMAIL}", "segments": [{"text": f"mail {g.EMAIL}"}]})),
        ("text/plain", f"mail {g.EMAIL}"),
        ("text/vtt", f"WEBVTT\n\n00:00.000 --> 00:02.000\nmail {g.EMAIL}\n"),
    ],
)
def test_a_transcript_is_looked_at(machine, kind, said) -> None:
    g.arm(machine, g.rule("redact"))
    connection = machine.caller()
    machine.ask(connection, post_form(HEAR, form(("model", "rented"))))
    answer(machine, p.response(said.encode(), kind=kind))
    found = answered(connection)
    assert g.EMAIL not in found.body.decode() and found.body.decode() == said.replace(g.EMAIL, "[EMAIL]")
    assert closed(machine).scan.characters and g.scan_of(closed(machine))["EMAIL"] >= 1


def test_a_transcript_that_holds_what_is_blocked_does_not_go_out(machine) -> None:
    g.arm(machine, g.rule("block", "words", "BAD"))
    connection = machine.caller()
    machine.ask(connection, post_form(HEAR, form(("model", "rented"))))
    answer(machine, p.response(b'{"text":"a forbidden word"}'))
    assert answered(connection).status >= 400 and b"forbidden word" not in answered(connection).body


def test_a_stream_that_cannot_be_looked_at_is_refused_behind_a_guard(machine) -> None:
    g.arm(machine, g.rule("flag"))
    assert refused(machine, post_form(HEAR, form(("model", "rented"), ("stream", "true")))) == "FH-POL-030"
    assert refused(machine, post(IMAGES, b'{"model":"rented","prompt":"x","stream":true}')) == "FH-POL-030"


@pytest.mark.parametrize(
    ("path", "body", "said"),
    [
        (IMAGES, {"prompt": g.EMAIL}, {"data": [{"b64_json": "A" * 5000, "revised_prompt": g.EMAIL}]}),
        (RANK, {"query": g.EMAIL, "documents": [g.EMAIL]}, {"results": [{"index": 0, "document": {"text": g.EMAIL}}]}),
    ],
)
def test_prompts_documents_and_what_comes_back_of_them_are_looked_at(machine, path, body, said) -> None:
    g.arm(machine, g.rule("redact"))
    connection = ask(machine, path, **body)
    upstream = answer(machine, p.response(json.dumps(said, separators=(",", ":")).encode()))
    assert g.EMAIL.encode() not in upstream.transport.sent and b"[EMAIL]" in upstream.transport.sent
    found = answered(connection)
    assert g.EMAIL.encode() not in found.body and b"[EMAIL]" in found.body
    assert (b"A" * 5000 in found.body) == (path == IMAGES)


def test_what_went_out_as_a_stand_in_comes_back_as_itself(machine) -> None:
    g.arm(machine, g.rule("pseudonymise"))
    connection = ask(machine, RANK, query="who?", documents=[f"ask {g.EMAIL}"])
    upstream = machine.connect()
    (document,) = json.loads(upstream.transport.sent.rpartition(b"\r\n\r\n")[2])["documents"]
    assert g.EMAIL not in document and document.startswith("ask ")
    said = {"results": [{"index": 0, "document": {"text": document}}]}
    machine.answer(upstream, p.response(json.dumps(said).encode()))
    assert json.loads(answered(connection).body)["results"][0]["document"]["text"] == f"ask {g.EMAIL}"


def test_text_to_speak_is_looked_at_and_its_sound_goes_on(machine) -> None:
    g.arm(machine, g.rule("redact"))
    connection = ask(machine, SPEECH, input=f"write to {g.EMAIL}", voice="alloy")
    upstream = answer(machine, p.chunked(b"sound" * 2000, kind="audio/mpeg"))
    assert b"write to [EMAIL]" in upstream.transport.sent and answered(connection).body == b"sound" * 2000


def test_text_to_speak_that_raises_the_label_goes_nowhere_it_may_not(machine) -> None:
    g.arm(machine, g.raising())
    assert refused(machine, post(SPEECH, b'{"model":"rented","input":"the patient is well"}')) == "FH-POL-002"
