"""The guard on every way a call may take: composites, retries, callers who leave, gateways that are killed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from freehold.guard.types import Profile, Rule
from freehold.ledger.frames import Close, Open
from freehold.policy.types import Policy
from tests.fakes.wire import Fault
from tests.gateway import composed as c
from tests.gateway import guards as g
from tests.gateway import pieces as p
from tests.gateway.guarded_calls import frames, streamed
from tests.gateway.instance import Child, Home, until

MAIL = p.response(p.chat_answer(f"write to {g.EMAIL}"), 200, c.CLOSE)
SHAME = p.response(p.chat_answer("how shameful"), 200, c.CLOSE)
SURE = p.response(p.chat_answer(f"write to {g.EMAIL}", freehold={"confidence": 0.95}), 200, c.CLOSE)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("model", "answers"), [("pair", (MAIL, MAIL)), ("sure", (SURE,))])
def test_what_a_member_said_is_looked_at_before_it_is_served(tmp_path, model, answers, stream) -> None:
    machine = c.cascading(tmp_path)
    g.arm(machine, g.rule("redact"))
    connection = c.asked(machine, model, stream=stream)
    c.answer(machine, *answers)
    found = c.answered(connection)
    assert g.EMAIL.encode() not in found.body and b"[EMAIL]" in found.body
    assert found.headers["x-freehold-composite"] == "served"
    (close,) = frames(machine, Close)
    assert g.scan_of(close) == {"EMAIL": 1} and close.outcome == "ok"


def test_what_the_last_resort_says_is_looked_at(tmp_path) -> None:
    machine = c.cascading(tmp_path)
    g.arm(machine, g.rule("redact"))
    connection = c.asked(machine)
    c.answer(machine, c.HELLO, c.OTHER, MAIL)
    assert b"[EMAIL]" in c.answered(connection).body


def test_a_members_answer_may_be_blocked(tmp_path) -> None:
    machine = c.cascading(tmp_path, money=True)
    g.arm(machine, g.rule("block", "words", "OFFENDS"))
    connection = c.asked(machine)
    while machine.asked():
        machine.grant("50")
    c.answer(machine, SHAME)
    while machine.asked():
        machine.grant("50")
    c.answer(machine, SHAME)
    found = c.answered(connection)
    assert found.status == 403 and b"shameful" not in found.body
    assert machine.ends()[-1].error == "FH-POL-031" and machine.ends()[-1].cost > 0


def test_members_get_stand_ins_and_the_caller_does_not(tmp_path) -> None:
    machine = c.cascading(tmp_path)
    g.arm(machine, g.rule("pseudonymise"))
    connection = c.asked(machine, "sure", messages=[{"role": "user", "content": f"I am {g.EMAIL}"}])
    upstream = machine.connect()
    stand_in = c.sent(machine, 0)["messages"][0]["content"].removeprefix("I am ")
    assert g.EMAIL.encode() not in upstream.transport.sent
    said = p.response(p.chat_answer(f"Dear {stand_in}!", freehold={"confidence": 0.95}), 200, c.CLOSE)
    machine.answer(upstream, said)
    assert json.loads(c.answered(connection).body)["choices"][0]["message"]["content"] == f"Dear {g.EMAIL}!"


def test_a_finding_keeps_a_composites_rented_members_out(tmp_path) -> None:
    targets = (p.free("a", 9001, clearance="unknown"), p.target("b", 9002), p.free("v", 9003, clearance="unknown"))
    machine = c.cascading(tmp_path, targets=targets)
    g.arm(machine, g.raising())
    connection = c.asked(machine, messages=[{"role": "user", "content": "the patient"}])
    c.answer(machine, c.VENDOR)
    assert c.tried(machine) == [("v", "ok")] and c.answered(connection).status == 200


def test_each_attempt_is_looked_at_anew(machine) -> None:
    g.arm(machine, g.rule("redact"))
    connection = machine.caller()
    machine.ask(connection, p.request(p.CHAT, p.chat_body("assistant", stream=True)))
    upstream = machine.connect()
    machine.answer(upstream, p.chunked(*p.chat_stream("jane."), end=b"")[:-300])
    machine.lose(upstream)  # nothing of it had gone out: its beginning was held back
    machine.answer(machine.connect(), p.chunked(*p.chat_stream(f"write to {g.EMAIL}")))
    found = c.answered(connection)
    assert streamed(found) == "write to [EMAIL]" and found.complete
    (close,) = frames(machine, Close)
    assert [one.outcome for one in close.tried] == ["unreachable", "ok"]


def test_a_caller_who_leaves_is_settled_and_told_of(machine) -> None:
    g.arm(machine, g.rule("redact"))
    connection = machine.caller()
    machine.ask(connection, p.request(p.CHAT, p.chat_body("solo", stream=True)))
    text = "all is well and nobody is here " * 10
    machine.answer(machine.connect(), p.chunked(*p.chat_stream(text), end=b"")[:-200])
    machine.lose(connection)
    (close,) = frames(machine, Close)
    assert close.outcome == "cancelled" and close.cost > 0 and close.scan is not None and close.scanned > 0


RULES = (Rule(detector="pii", kinds=("EMAIL",), action="redact"),)


@pytest.fixture
def home(tmp_path: Path, fake_openai) -> Home:
    target = p.target("gpt", fake_openai.port, model="gpt-fake", **p.LIMITS)
    policy = Policy(guards=(Profile(name="strict", rules=RULES),))
    return Home(tmp_path, p.routes((target,), p.route("gpt", "gpt", guard="strict")), p.keys(), policy)


def test_killed_while_it_streams_it_has_written_what_it_saw_before_that_left(home: Home, fake_openai) -> None:
    child = Child(home, fake_openai.key)
    fake_openai.fail(Fault("stall", after=2))
    body = p.chat_body("gpt", stream=True, messages=[{"role": "user", "content": "I am jane.doe@example.org"}])
    with child.client() as client:
        client.send(p.request(p.CHAT, body))
        until(lambda: fake_openai.requests)
        child.kill()
    opened = [one for one in home.frames() if isinstance(one, Open)]
    assert len(opened) == 1 and opened[0].scan.found == (("pii", "EMAIL", 1),)
    assert b"jane.doe" not in fake_openai.last.body
