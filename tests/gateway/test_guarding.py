"""The guard on requests: what leaves, under which label, what is refused, and what is written down of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from freehold.guard.types import Finding, Piece
from freehold.ledger.frames import Close, Open, Refused
from tests.gateway import guards as g
from tests.gateway import pieces as p
from tests.gateway.guarded_calls import (
    answer,
    answered,
    answered_ok,
    ask,
    frames,
    sent,
    two_targets,
)
from tests.gateway.machine import Machine


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return two_targets(tmp_path)


# The request


def test_what_no_rule_changes_goes_byte_for_byte(machine) -> None:
    g.arm(machine, g.rule("redact"))
    body = b'{ "model":"rented", "messages":[{"role":"user","content":"caf\\u00e9"}],  "x_new": 1.10 }'
    connection = machine.caller()
    machine.ask(connection, p.request(p.CHAT, body))
    upstream = answer(machine, p.response(p.chat_answer()))
    assert upstream.transport.sent.endswith(body.replace(b'"rented"', b'"vendor-upstream"'))
    assert answered(connection).body == p.chat_answer()


def test_what_is_redacted_does_not_leave(machine) -> None:
    g.arm(machine, g.rule("redact"))
    call = {"id": "c1", "type": "function", "function": {"name": "mail", "arguments": json.dumps({"to": [g.EMAIL]})}}
    turns = [
        {"role": "system", "content": f"Write as {g.EMAIL}"},
        {"role": "user", "content": [{"type": "text", "text": f"Mail {g.EMAIL}!"}], "name": g.EMAIL.split("@")[0]},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": f"sent to {g.EMAIL}"},
    ]
    tools = [{"type": "function", "function": {"name": "mail", "description": f"as {g.EMAIL}", "parameters": {}}}]
    ask(machine, "rented", messages=turns, tools=tools, metadata={"who": g.EMAIL}, user=g.EMAIL, x_new={"a": g.EMAIL})
    upstream = answer(machine, p.response(p.chat_answer()))
    body = sent(upstream)
    assert g.EMAIL.encode() not in upstream.transport.sent
    assert body["messages"][0]["content"] == "Write as [EMAIL]"
    assert json.loads(body["messages"][2]["tool_calls"][0]["function"]["arguments"]) == {"to": ["[EMAIL]"]}
    assert body["messages"][3]["content"] == "sent to [EMAIL]" and body["metadata"] == {"who": "[EMAIL]"}
    assert body["x_new"] == {"a": "[EMAIL]"}
    (opened,) = frames(machine, Open)
    assert opened.scan.guard == "test" and g.scan_of(opened) == {"EMAIL": 8}


@pytest.mark.parametrize("path", [p.CHAT, p.MESSAGES])
def test_a_finding_raises_the_label_and_takes_targets_out_of_the_plan(machine, path) -> None:
    g.arm(machine, g.raising())
    connection = ask(machine, "both", messages="the patient is well", path=path)
    ((stop, _, _),) = machine.connecting
    assert stop.name == "mine"
    answer(machine, p.response(p.chat_answer()))
    assert answered(connection).status == 200
    (opened,) = frames(machine, Open)
    assert opened.label == "restricted:HIPAA" and opened.scan.label == "internal"


def test_where_no_target_may_take_the_label_the_call_is_refused(machine) -> None:
    g.arm(machine, g.raising())
    found = answered(ask(machine, "rented", messages="the patient is well"))
    assert found.status == 403 and found.headers["x-freehold-error"] == "FH-POL-002"
    (refused,) = frames(machine, Refused)
    assert refused.label == "restricted:HIPAA" and g.scan_of(refused) == {"PHI": 1}
    assert not machine.connecting


@pytest.mark.parametrize("path", [p.CHAT, p.MESSAGES])
def test_a_block_is_an_error_of_the_dialect(machine, path) -> None:
    g.arm(machine, g.rule("block", "words", "BAD"))
    found = answered(ask(machine, "both", messages="say the forbidden word", path=path))
    error = json.loads(found.body)["error"]
    assert found.status == 403 and found.headers["x-freehold-error"] == "FH-POL-030" and "BAD" in error["message"]
    assert "forbidden" not in error["message"]
    (refused,) = frames(machine, Refused)
    assert refused.error == "FH-POL-030" and g.scan_of(refused) == {"BAD": 1}


def test_a_broken_detector_makes_the_label_unknown(machine) -> None:
    g.arm(machine, g.rule("flag", "broken"))
    connection = ask(machine, "both", messages="hello")
    ((stop, _, _),) = machine.connecting
    assert stop.name == "mine"  # external is denied, owned still answers
    answer(machine, p.response(p.chat_answer()))
    assert answered(connection).status == 200
    (opened,) = frames(machine, Open)
    assert opened.label == "unknown" and opened.scan.failed == ("broken",)
    assert answered(ask(machine, "rented", messages="hello")).status == 403


def test_a_detector_broken_for_requests_alone_lets_owned_targets_answer(machine) -> None:
    g.arm(machine, g.rule("flag", "broken", directions=("in",)))
    connection = ask(machine, "both", messages="hello")
    answer(machine, p.response(p.chat_answer()))
    assert answered(connection).status == 200


def test_a_broken_detector_may_block(machine) -> None:
    g.arm(machine, g.rule("flag", "broken"), on_failure="block")
    found = answered(ask(machine, "both", messages="hello"))
    assert found.status == 403 and found.headers["x-freehold-error"] == "FH-POL-030"


def test_embeddings_are_looked_at(machine) -> None:
    g.arm(machine, g.rule("redact"), g.raising())

    def embed(value, model="rented"):
        connection = machine.caller()
        machine.ask(connection, p.request("/v1/embeddings", json.dumps({"model": model, "input": value}).encode()))
        return connection

    connection = embed(["fine", f"mail {g.EMAIL}"])
    reply = b'{"object":"list","data":[{"embedding":[0.5]}],"usage":{"prompt_tokens":2,"total_tokens":2}}'
    upstream = answer(machine, p.response(reply))
    assert sent(upstream)["input"] == ["fine", "mail [EMAIL]"]
    assert answered(connection).body == reply
    assert answered(embed("a patient")).status == 403
    found = answered(embed([[15496, 995]]))
    assert found.status == 403  # token ids are text nobody can read
    assert frames(machine, Refused)[-1].scan.failed == ("tokens",)


def test_tokens_are_counted_for_a_guarded_request_as_for_any(machine) -> None:
    g.arm(machine, g.rule("redact"))
    connection = machine.caller()
    body = {"model": "claude", "messages": [{"role": "user", "content": f"I am {g.EMAIL}"}]}
    machine.ask(connection, p.request("/v1/messages/count_tokens", json.dumps(body).encode()))
    upstream = answer(machine, p.response(b'{"input_tokens": 7}'))
    assert sent(upstream)["messages"][0]["content"] == "I am [EMAIL]"
    assert json.loads(answered(connection).body) == {"input_tokens": 7}


def test_the_owners_words_come_first(machine) -> None:
    g.arm(machine, system="Answer as the house does.")
    ask(machine, "rented", messages=[{"role": "system", "content": "mine"}, {"role": "user", "content": "hi"}])
    body = sent(answer(machine, p.response(p.chat_answer())))
    assert [one["content"] for one in body["messages"]] == ["Answer as the house does.", "mine", "hi"]
    ask(machine, "rented", messages=body["messages"])  # as a recorded call is asked again
    assert sent(answer(machine, p.response(p.chat_answer())))["messages"] == body["messages"]
    ask(machine, "claude", path=p.MESSAGES, system="mine", messages="hi")
    body = sent(answer(machine, p.response(p.message_answer())))
    assert [one["text"] for one in body["system"]] == ["Answer as the house does.", "mine"]


def test_what_nobody_looked_at_does_not_count_as_scanned(machine) -> None:
    g.arm(machine, g.rule("flag", directions=("in",)))
    ask(machine, "rented", messages="twelve chars")
    answer(machine, p.response(p.chat_answer("and more")))
    (close,) = frames(machine, Close)
    assert close.scanned == len("twelve chars") and close.scan.characters == 0


class Counting(g.Emails):
    """Notes what it was shown."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def find(self, piece: Piece) -> list[Finding]:
        self.seen.append(piece.text)
        return super().find(piece)


def test_a_conversation_sent_again_is_looked_at_where_it_is_new(machine) -> None:
    armed = g.arm(machine, g.rule("redact", directions=("in",)))
    detector = Counting()
    armed.guard.detectors["pii"] = detector
    first = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Tell me about rain."}]
    ask(machine, "rented", messages=first)
    answer(machine, p.response(p.chat_answer("It is wet.")))
    assert "Be brief." in detector.seen
    detector.seen.clear()
    more = [*first, {"role": "assistant", "content": "It is wet."}, {"role": "user", "content": f"I am {g.EMAIL}"}]
    ask(machine, "rented", messages=more)
    assert sent(answer(machine, p.response(p.chat_answer())))["messages"][3]["content"] == "I am [EMAIL]"
    assert "Be brief." not in detector.seen and "Tell me about rain." not in detector.seen
    (one, two) = frames(machine, Open)
    assert two.scan.characters == one.scan.characters + len("It is wet.") + len(f"I am {g.EMAIL}")
    ask(machine, "rented", messages=more)  # what held something is looked at each time
    assert sent(answer(machine, p.response(p.chat_answer())))["messages"][3]["content"] == "I am [EMAIL]"


def test_what_is_split_over_turns_is_found_though_each_was_clean(machine) -> None:
    g.arm(machine, g.rule("block", "words", "PAN"))
    first = [{"role": "user", "content": "My card begins 55555555"}]
    assert answered_ok(machine, first)
    second = [*first, {"role": "assistant", "content": "ok"}, {"role": "user", "content": "55554444 and so it ends"}]
    found = answered(ask(machine, "rented", messages=second))
    assert found.status == 403 and found.headers["x-freehold-error"] == "FH-POL-030"


def test_a_long_look_does_not_outdate_the_permit(machine, monkeypatch) -> None:
    armed = g.arm(machine, g.rule("redact"))
    emails = armed.guard.detectors["pii"]
    find = type(emails).find

    def slowly(self, piece):
        machine.time += 9
        return find(self, piece)

    monkeypatch.setattr(type(emails), "find", slowly)
    monkeypatch.setattr("freehold.gateway.guarded.Patience.late", lambda _: False)
    connection = ask(machine, "rented", messages="hello")
    answer(machine, p.response(p.chat_answer()))
    assert answered(connection).status == 200
