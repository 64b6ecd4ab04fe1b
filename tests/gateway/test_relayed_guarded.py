"""Pictures, sound and rankings behind a guard: what is looked at, replaced, refused, and what passes unread."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from freehold.ledger.frames import Open
from tests.gateway import guards as g
from tests.gateway import pieces as p
from tests.gateway.guarded_calls import answer, answered, frames
from tests.gateway.machine import Machine
from tests.gateway.relayed_calls import (
    BOUNDARY,
    HEAR,
    IMAGES,
    RANK,
    SOUND,
    SPEECH,
    ask,
    closed,
    form,
    machine_of,
    post,
    post_form,
    refused,
)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return machine_of(tmp_path)


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
