from __future__ import annotations

import errno
import json
import os

import pytest
from msgspec.structs import replace

from freehold.core.db import reading, writing
from freehold.core.errors import FileRefused
from freehold.gateway.dialects.registry import dialect
from freehold.identity import store as identity
from freehold.identity.keys import Key
from freehold.identity.types import SERVICE
from freehold.ledger import capture
from freehold.ledger.capture import Bodies
from freehold.ledger.frames import Scan
from freehold.ledger.intake.loader import Pace
from freehold.ledger.writer import load_once
from freehold.workflows import store
from freehold.workflows.collect import collect
from freehold.workflows.exchange import exchange
from freehold.workflows.shelf import Shelf
from freehold.workflows.store import Which
from tests.ledger.sample import START, Home, body, call_id, closed, opened

NOW = START + 1000
FIND = {
    "name": "find",
    "description": "Finds.",
    "parameters": {"type": "object", "properties": {"q": {"type": "string"}}},
}
ASKED = {
    "model": "assistant",
    "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Where is it?"}],
    "tools": [{"type": "function", "function": FIND}],
    "metadata": {"workflow": "w"},
    "user": "u1",
}
CALL = {"id": "t1", "type": "function", "function": {"name": "find", "arguments": '{"q": "it"}'}}
MESSAGE = {"role": "assistant", "content": None, "tool_calls": [CALL]}
DONE = {
    "id": "c1",
    "object": "chat.completion",
    "created": 1,
    "model": "gpt-4o",
    "choices": [{"index": 0, "message": MESSAGE, "finish_reason": "tool_calls"}],
    "usage": {"prompt_tokens": 9, "completion_tokens": 5, "total_tokens": 14},
}
ANTHROPIC = {
    "model": "assistant",
    "max_tokens": 100,
    "system": "Be brief.",
    "messages": [{"role": "user", "content": "Where is it?"}],
    "tools": [{"name": "find", "description": "Finds.", "input_schema": FIND["parameters"]}],
    "metadata": {"user_id": "u1"},
}
MESSAGED = {
    "id": "m1",
    "type": "message",
    "role": "assistant",
    "model": "gpt-4o",
    "content": [{"type": "tool_use", "id": "t1", "name": "find", "input": {"q": "it"}}],
    "stop_reason": "tool_use",
    "usage": {"input_tokens": 9, "output_tokens": 5},
}


def encoded(value):
    return json.dumps(value).encode()


def told(name, ask, **more):
    """The same request in another dialect, as its caller would send it."""
    body, _ = dialect(name).encode_request(dialect("openai_chat").decode_request(encoded({**ask, **more})), "gpt-4o")
    return body.replace(b',"strict":false', b"")  # what the dialect demands, no caller said


def streamed(name, answer):
    """The same answer as the gateway would stream it in a dialect."""
    from freehold.gateway.assemble import events_of

    speaks = dialect(name)
    peek = speaks.peek(encoded({**ANTHROPIC, "input": "x", "stream": True}))
    return speaks.stream_encoder(replace(peek, wants_usage=True), created=1).feed(
        events_of(dialect("openai_chat").decode_answer(encoded(answer)))
    )


@pytest.fixture
def home(tmp_path):
    made = Home(tmp_path / "home")
    made.begin("e1")
    yield made
    made.close()


class Live:
    """Calls as the gateway journals them, loaded into a real ledger."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.bodies = Bodies(home.path / "bodies", home.keys.sealer)
        self.shelf = Shelf(home.engine, self.bodies)

    def call(self, number, request=None, response=None, outcome="ok", **changes):
        sealer = self.home.keys.sealer
        sides = [("request", request), ("response", response)]
        kept = [body(number, side, data, sealer) for side, data in sides if data is not None]
        self.home.write("e1", opened(number, **{"stream": False, **changes}), *kept, closed(number, outcome=outcome))

    def load(self):
        load_once(self.home.path, self.home.engine, self.home.keys, pace=Pace(retention_seconds=5000.0))

    def collect(self, **more):
        self.load()
        return collect(self.home.engine, self.bodies, NOW, **more)

    def records(self):
        return list(self.shelf.records(Which()))


@pytest.fixture
def live(home):
    return Live(home)


@pytest.mark.parametrize(
    ("name", "request_body", "response_body", "stream"),
    [
        ("openai_chat", encoded(ASKED), encoded(DONE), False),
        ("openai_chat", encoded({**ASKED, "stream": True}), streamed("openai_chat", DONE), True),
        ("anthropic_messages", encoded(ANTHROPIC), encoded(MESSAGED), False),
        ("anthropic_messages", encoded({**ANTHROPIC, "stream": True}), streamed("anthropic_messages", DONE), True),
        ("openai_responses", told("openai_responses", ASKED, stream=True), streamed("openai_responses", DONE), True),
    ],
)
def test_a_call_in_any_dialect_is_one_canonical_record(live, name, request_body, response_body, stream):
    live.call(1, request_body, response_body, dialect=name, stream=stream)
    assert live.collect() == 1
    (one,) = live.records()
    asked, answered = json.loads(one.request), json.loads(one.response)
    assert asked["messages"] == ASKED["messages"]
    assert asked["tools"] == ASKED["tools"]
    assert not {"stream", "user", "metadata"} & asked.keys()
    (choice,) = answered["choices"]
    assert choice["finish_reason"] == "tool_calls"
    (called,) = choice["message"]["tool_calls"]
    assert (called["function"]["name"], json.loads(called["function"]["arguments"])) == ("find", {"q": "it"})
    assert exchange(one).answer.tool_calls[0].name == "find"
    assert (one.model, one.vendor, one.conversation) == ("gpt-4o", "", "u1")  # an owned target has no vendor


def test_a_record_says_what_the_ledger_knows_of_its_call(live):
    live.call(1, encoded(ASKED), encoded(DONE), label="confidential:GDPR", workflow="invoices", target="big")
    live.collect(vendors=lambda target: {"small": "vllm", "big": "azure-openai"}[target])
    (one,) = live.records()
    assert (one.id, one.source, one.route, one.app) == (call_id(1), "live", "assistant", "key_1")
    assert (one.label, one.workflow, one.status) == ("confidential:GDPR", "invoices", 200)
    assert (one.target, one.owned, one.vendor) == ("small", True, "vllm")
    assert (one.usage.input, one.usage.output, one.usage.cached) == (1000, 100, 200)
    assert one.latency == pytest.approx(0.5) and one.first_token == pytest.approx(0.1)
    assert one.at == pytest.approx(START + 0.01)


def test_each_call_is_collected_once_and_new_ones_later(live):
    live.call(1, encoded(ASKED), encoded(DONE))
    assert (live.collect(), live.collect()) == (1, 0)
    live.call(2, encoded(ASKED), encoded(DONE))
    assert live.collect() == 1
    assert [one.id for one in live.records()] == [call_id(1), call_id(2)]


def test_more_than_a_batch_is_collected_at_once(live):
    for number in range(1203):
        live.call(number, encoded({**ASKED, "seed": number}), encoded(DONE))
    assert live.collect() == 1203
    assert len(live.records()) == 1203


def test_what_was_interrupted_before_it_was_noted_is_not_doubled(live):
    live.call(1, encoded(ASKED), encoded(DONE))
    live.collect()
    with writing(live.home.engine) as connection:
        store.keep_collected(connection, "records", -1)
    assert live.collect() == 0
    assert len(live.records()) == 1


def test_a_disk_that_fills_loses_nothing_and_collecting_goes_on_once_there_is_room(live, monkeypatch):
    for number in range(700):
        live.call(number, encoded({**ASKED, "seed": number}), encoded(DONE))
    live.load()
    real, written = capture._write_unflushed, []

    def filling(path, data):
        written.append(path)
        if len(written) > 600:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        real(path, data)

    monkeypatch.setattr(capture, "_write_unflushed", filling)
    with pytest.raises(FileRefused, match="No space left") as told:
        live.collect()
    assert "disk has room" in told.value.hint
    assert len(live.records()) == 500, "the batch that was whole is there"
    monkeypatch.setattr(capture, "_write_unflushed", real)
    assert live.collect() == 200
    assert len({one.id for one in live.records()}) == 700


def test_what_is_no_answered_chat_is_passed_over(live):
    with writing(live.home.engine) as connection:
        identity.add(connection, Key(id="key_own", name="own", team="freehold", role=SERVICE, created_by="up"))
    live.call(1, encoded(ASKED), encoded(DONE), key_id="key_own")
    live.call(2)
    live.call(3, encoded(ASKED), None)
    live.call(4, encoded(ASKED), encoded(DONE), outcome="broken")
    live.call(5, encoded({"model": "m", "input": "x"}), encoded({"data": []}), dialect="openai_embeddings")
    live.call(6, b"not json", encoded(DONE))
    live.call(7, encoded({**ASKED, "stream": True}), streamed("openai_chat", DONE)[:-40], stream=True)
    live.call(8, encoded(ASKED), encoded(DONE))
    assert live.collect() == 1
    assert [one.id for one in live.records()] == [call_id(8)]


def test_secrets_of_live_calls_are_taken_out_of_records(live):
    secret = "sk-" + "proj-Abc123def456Ghi789jkl012"
    asked = {**ASKED, "messages": [{"role": "user", "content": f"my key is {secret}"}]}
    live.call(1, encoded(asked), encoded(DONE))
    live.collect()
    (one,) = live.records()
    assert secret.encode() not in one.request and b"[secret:openai]" in one.request


def test_erasing_a_call_erases_its_record_and_collecting_does_not_bring_it_back(live):
    for number in (1, 2):
        live.call(number, encoded({**ASKED, "seed": number}), encoded(DONE))
    live.collect()
    capture.erase_call(live.home.engine, live.bodies, call_id(1), "asked for", NOW)
    with writing(live.home.engine) as connection:
        store.keep_collected(connection, "records", -1)
    live.collect()
    assert [one.id for one in live.records()] == [call_id(2)]


def test_a_record_goes_when_the_bodies_of_its_call_go(live):
    live.call(1, encoded(ASKED), encoded(DONE))
    live.collect()
    assert capture.expire(live.home.engine, live.bodies, START + 4999) == 0
    assert capture.expire(live.home.engine, live.bodies, START + 5001) == 3
    assert live.records() == []


def test_a_call_erased_while_it_is_collected_is_not_kept(live, monkeypatch):
    live.call(1, encoded(ASKED), encoded(DONE))
    live.load()
    real = Bodies.put_all

    def erased_meanwhile(self, plain, subjects=()):
        with writing(live.home.engine) as connection:
            from freehold.ledger.store import bodies_of_call, mark_erased

            mark_erased(connection, bodies_of_call(call_id(1)), "asked for", NOW, limit=10)
        return real(self, plain, subjects)

    monkeypatch.setattr(Bodies, "put_all", erased_meanwhile)
    assert live.collect() == 0
    assert live.records() == []
    with reading(live.home.engine) as connection:
        assert store.count(connection, Which()) == 0


def test_a_record_is_sealed_with_its_subjects_key_and_goes_with_it(live):
    from freehold.ledger.keeping.erasing import Order, erase_subject

    live.call(1, encoded(ASKED), encoded(DONE), subject="ann", team="blue")
    live.call(2, encoded(ASKED), encoded(DONE), subject="bob", team="blue")
    assert live.collect() == 2
    name = live.bodies.subjects.name("person/blue/ann")
    marked = [
        one
        for one in (live.home.path / "bodies").rglob("*")
        if one.is_file() and bytes.fromhex(name) in one.read_bytes()
    ]
    assert len(marked) == 3, "request, answer and record"
    erase_subject(live.home.engine, live.bodies, Order(name, "asked to", "owner"), NOW)
    assert not [one for one in marked if one.exists()]
    assert [one.id for one in live.records()] == [call_id(2)]


def test_under_traffic_that_never_ends_it_does(live, monkeypatch):
    live.call(1, encoded(ASKED), encoded(DONE))
    live.load()
    real, calls = Shelf.put, iter(range(2, 50))

    def called_meanwhile(self, *given):
        live.call(next(calls), encoded(ASKED), encoded(DONE))
        live.load()
        return real(self, *given)

    monkeypatch.setattr(Shelf, "put", called_meanwhile)
    assert collect(live.home.engine, live.bodies, NOW) == 1
    assert collect(live.home.engine, live.bodies, NOW) == 1, "what came meanwhile is for the next time"


def test_a_call_with_stand_ins_becomes_no_record(live):
    scan = Scan("pseudonymise", "ab" * 32, 9, (("pii", "EMAIL", 1),), stand_ins=1)
    live.call(1, encoded(ASKED), encoded(DONE), scan=scan)
    live.call(2, encoded(ASKED), encoded(DONE), scan=replace(scan, stand_ins=0))
    assert live.collect() == 1
    assert [one.id for one in live.records()] == [call_id(2)]
