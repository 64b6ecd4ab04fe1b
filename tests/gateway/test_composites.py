"""Composites: members answer first and are weighed, and whoever asked gets one honest answer, paid for once."""

from __future__ import annotations

import hashlib
import json
from decimal import Decimal
from pathlib import Path

import pytest

from freehold.core.label import parse_label
from freehold.gateway.dialects.registry import DIALECTS
from freehold.gateway.routing.types import Composite, Overlay
from freehold.grading.types import Spec
from freehold.ledger.frames import Attempt, Body, Close, Open
from freehold.policy.types import Budget, Policy
from tests.gateway import pieces as p
from tests.gateway.answers import Answer, read_answers
from tests.gateway.machine import Machine

CLOSE = "connection: close"
HELLO = p.response(p.chat_answer("hello"), 200, CLOSE)
OTHER = p.response(p.chat_answer("goodbye"), 200, CLOSE)
VENDOR = p.response(p.chat_answer("the vendor's"), 200, CLOSE)
BUDGET = "team/x"
DIALECT = {one.name: one for one in DIALECTS}


def pair(**more) -> Composite:
    more.setdefault("members", ("a", "b"))
    return Composite(name="pair", kind="agreement", escalate="v", grader=Spec("label"), **more)


def sure(**more) -> Composite:
    return Composite(name="sure", kind="confidence", members=("a",), escalate="v", threshold=0.9, **more)


def cascading(home: Path, *composites: Composite, targets=(), money: bool = False, overlays=(), **who) -> Machine:
    made = targets or (p.target("a", 9001), p.target("b", 9002), p.target("v", 9003))
    composites = composites or (pair(), sure())
    paths = tuple(p.route(one.name, one.name, attempts=1) for one in composites)
    content = p.routes(made, *paths, p.route("plain", "v"), composites=composites, overlays=overlays)
    if money:
        who["budgets"] = (BUDGET,)
    policy = Policy(budgets=(Budget(id=BUDGET, limit=Decimal(100)),) if money else ())
    return Machine(home, content, p.keys(p.principal(**who)), policy)


def asked(machine: Machine, model: str = "pair", *lines: str, path: str = p.CHAT, **more):
    connection = machine.caller()
    body = p.chat_body(model, **more) if path == p.CHAT else p.messages_body(model, **more)
    machine.ask(connection, p.request(path, body, *lines))
    return connection


def answer(machine: Machine, *datas: bytes) -> None:
    """The targets that are asked answer, one after the other."""
    for data in datas:
        machine.answer(machine.connect(), data)


def answered(connection) -> Answer:
    wire = connection.transport
    (found,) = read_answers(wire.sent, ["POST"], ended=wire.closed)
    return found


def tried(machine: Machine) -> list[tuple[str, str]]:
    return [(one.target, one.outcome) for one in machine.ends()[-1].tried]


def sent(machine: Machine, at: int) -> dict:
    return json.loads(machine.upstreams[at].transport.sent.partition(b"\r\n\r\n")[2])


# Agreement


def test_what_both_say_is_served_as_the_first_said_it(tmp_path) -> None:
    machine = cascading(tmp_path)
    connection = asked(machine)
    mine = p.chat_answer("Hello.", prompt=5, completion=2)
    answer(machine, p.response(mine, 200, CLOSE), HELLO)
    got = answered(connection)
    assert (got.status, got.body) == (200, mine), "byte for byte"
    assert got.headers["x-freehold-target"] == "a" and got.headers["x-freehold-composite"] == "served"
    assert tried(machine) == [("a", "ok"), ("b", "agreed")] and not machine.connecting
    end = machine.ends()[-1]
    assert end.cost == sum(one.cost for one in end.tried) and all(one.cost for one in end.tried)
    assert Decimal(got.headers["x-freehold-cost"]) == end.cost
    assert end.response_sha256 == hashlib.sha256(got.body).digest() and end.delivered == len(got.body)
    opened, second, _ = machine.frames()
    assert isinstance(opened, Open) and opened.target == "a"
    assert isinstance(second, Attempt) and (second.number, second.target) == (2, "b")


@pytest.mark.parametrize("stream", [False, True])
def test_where_they_differ_the_last_resort_answers(tmp_path, stream: bool) -> None:
    machine = cascading(tmp_path)
    connection = asked(machine, stream=stream)
    last = p.chunked(*p.chat_stream("ven", "dor"), lines=(CLOSE,)) if stream else VENDOR
    answer(machine, HELLO, OTHER, last)
    got = answered(connection)
    assert got.status == 200 and b"ven" in got.body and b"hello" not in got.body
    assert got.headers["x-freehold-target"] == "v" and got.headers["x-freehold-composite"] == "escalated"
    assert tried(machine) == [("a", "disagreed"), ("b", "disagreed"), ("v", "ok")]
    assert [one.number for one in machine.frames() if isinstance(one, Attempt)] == [2, 3]


def test_the_last_resort_streams_through_as_it_comes(tmp_path) -> None:
    machine = cascading(tmp_path)
    connection = asked(machine, stream=True, stream_options={"include_usage": True})
    answer(machine, HELLO, OTHER)
    whole = p.chunked(*p.chat_stream("ven", "dor"))
    upstream = machine.connect()
    at = whole.index(b"dor")
    machine.answer(upstream, whole[:at])
    assert b"ven" in machine.sent(connection) and b"dor" not in machine.sent(connection)
    machine.answer(upstream, whole[at:])
    assert b"".join(p.chat_stream("ven", "dor")) == answered(connection).body


@pytest.mark.parametrize("path", [p.CHAT, p.MESSAGES])
@pytest.mark.parametrize("usage", [False, True])
def test_a_streaming_caller_gets_what_was_agreed_as_a_proper_stream(tmp_path, path: str, usage: bool) -> None:
    machine = cascading(tmp_path)
    more = {"stream_options": {"include_usage": True}} if usage and path == p.CHAT else {}
    connection = asked(machine, path=path, stream=True, **more)
    answer(machine, HELLO, HELLO)
    for at in (0, 1):
        assert "stream_options" not in sent(machine, at) and not sent(machine, at).get("stream")
    got = answered(connection)
    assert got.status == 200 and got.complete and got.headers["content-type"].startswith("text/event-stream")
    decoder = DIALECT["openai_chat" if path == p.CHAT else "anthropic_messages"].stream_decoder()
    events = decoder.feed(got.body) + decoder.end()
    assert "".join(one.text for one in events if type(one).__name__ == "Grown") == "hello"
    assert (b'"prompt_tokens"' in got.body) == bool(more)
    end = machine.ends()[-1]
    assert end.outcome == "ok" and end.response_sha256 == hashlib.sha256(got.body).digest()


def test_a_caller_of_another_dialect_gets_its_own(tmp_path) -> None:
    machine = cascading(tmp_path)
    connection = asked(machine, path=p.MESSAGES)
    answer(machine, HELLO, HELLO)
    body = json.loads(answered(connection).body)
    assert body["type"] == "message" and body["content"] == [{"type": "text", "text": "hello"}]


def test_an_http10_caller_is_served_too(tmp_path) -> None:
    machine = cascading(tmp_path)
    connection = machine.caller()
    machine.ask(connection, p.request(p.CHAT, p.chat_body("pair", stream=True)).replace(b"HTTP/1.1", b"HTTP/1.0", 1))
    answer(machine, HELLO, HELLO)
    got = answered(connection)
    assert got.complete and got.closes and got.body.endswith(b"data: [DONE]\n\n")


FAILURES = (
    p.response(b'{"error":{"message":"no"}}', 500),
    p.response(b'{"error":{"message":"too long"}}', 400),
    p.response(b'{"error":{"message":"wait"}}', 429, "retry-after: 60"),
    p.response(b'{"error":{"message":"inside"}}'),
    p.response(p.chat_answer()[:-5]),
    p.response(b'{"choices":[]}'),
    p.chunked(*p.chat_stream()),
    b"what is this",
)


@pytest.mark.parametrize("failure", FAILURES)
@pytest.mark.parametrize("at", [0, 1])
@pytest.mark.parametrize("stream", [False, True])
def test_a_member_that_fails_in_whatever_way_is_passed_over(tmp_path, failure: bytes, at: int, stream: bool) -> None:
    machine = cascading(tmp_path)
    connection = asked(machine, stream=stream)
    last = p.chunked(*p.chat_stream("the vendor's"), lines=(CLOSE,)) if stream else VENDOR
    answer(machine, *[HELLO] * at, failure, last)
    got = answered(connection)
    assert got.status == 200 and b"the vendor's" in got.body
    assert got.headers["x-freehold-composite"] == "escalated"
    assert [one for one, _ in tried(machine)] == [*("a", "b")[: at + 1], "v"]
    if at:
        assert tried(machine)[0] == ("a", "held")


def test_a_member_is_waited_for_only_so_long(tmp_path) -> None:
    machine = cascading(tmp_path, pair(member_seconds=5.0))
    connection = asked(machine)
    upstream = machine.connect()
    machine.wait(6.0)
    assert upstream.transport.aborted
    answer(machine, VENDOR)
    assert answered(connection).status == 200 and tried(machine) == [("a", "timeout"), ("v", "ok")]


def test_members_at_rest_are_not_asked(tmp_path) -> None:
    machine = cascading(tmp_path)
    for _ in range(5):
        connection = asked(machine)
        machine.refuse_connection()
        answer(machine, VENDOR)
        assert answered(connection).status == 200
    connection = asked(machine)
    answer(machine, VENDOR)
    assert answered(connection).status == 200 and tried(machine) == [("v", "ok")]


def test_a_grader_that_breaks_is_no_agreement(tmp_path) -> None:
    machine = cascading(tmp_path, Composite(name="pair", kind="agreement", members=("a", "b"), escalate="v",
                                            grader=Spec("no such grader")))  # fmt: skip
    connection = asked(machine)
    answer(machine, HELLO, HELLO, VENDOR)
    assert answered(connection).headers["x-freehold-composite"] == "escalated"


def test_the_last_resorts_own_refusal_is_the_callers(tmp_path) -> None:
    machine = cascading(tmp_path)
    connection = asked(machine)
    body = b'{"error":{"message":"your fault"}}'
    answer(machine, HELLO, OTHER, p.response(body, 400))
    assert (answered(connection).status, answered(connection).body) == (400, body)
    assert machine.ends()[-1].cost > 0, "the members were paid for"


def test_a_caller_who_leaves_ends_it_once_and_pays_for_what_was_used(tmp_path) -> None:
    machine = cascading(tmp_path, money=True)
    connection = asked(machine)
    machine.grant("1")
    answer(machine, HELLO)
    second = machine.connect()
    machine.lose(connection)
    assert second.transport.aborted and not machine.plane.calls
    (end,) = machine.ends()
    assert end.outcome == "cancelled" and [one.outcome for one in end.tried] == ["held", "cancelled"]
    assert machine.plane.purse.slices[BUDGET].left == machine.granted[BUDGET] - end.cost
    machine.wait(10)
    assert len(machine.ends()) == 1


# Money


def test_each_member_widens_what_is_set_aside_by_what_was_spent(tmp_path) -> None:
    machine = cascading(tmp_path, money=True)
    connection = asked(machine)
    machine.grant("1")
    answer(machine, HELLO, OTHER, VENDOR)
    assert answered(connection).status == 200
    opened, second, third, close = machine.frames()
    costs = [one.cost for one in close.tried]
    bound = opened.reserved
    assert 0 <= second.reserved - (bound + costs[0]) < Decimal("0.001")
    assert 0 <= third.reserved - (bound + costs[0] + costs[1]) < Decimal("0.001")
    assert close.cost == sum(costs) <= third.reserved
    assert machine.plane.purse.slices[BUDGET].left == machine.granted[BUDGET] - close.cost


def test_no_money_for_the_last_resort_is_said_and_the_members_are_settled(tmp_path) -> None:
    dear = p.Price(input=Decimal(100_000), output=Decimal(300_000), source="test", as_of="2026-11-22")
    machine = cascading(
        tmp_path, targets=(p.target("a", 9001), p.target("b", 9002), p.target("v", 9003, price=dear)), money=True
    )
    connection = asked(machine)
    machine.grant("1")
    answer(machine, HELLO, OTHER)
    machine.grant(None)
    assert answered(connection).status == 429 and not machine.connecting
    (close,) = machine.ends()
    assert isinstance(close, Close) and close.cost > 0
    assert machine.plane.purse.slices[BUDGET].left == machine.granted[BUDGET] - close.cost


def test_free_members_draw_on_nothing_until_a_priced_one_is_asked(tmp_path) -> None:
    targets = (p.free("a", 9001), p.free("b", 9002), p.target("v", 9003))
    machine = cascading(tmp_path, targets=targets, money=True)
    connection = asked(machine)
    answer(machine, HELLO, HELLO)
    assert answered(connection).status == 200 and machine.ends()[-1].cost == 0
    connection = asked(machine)
    answer(machine, HELLO, OTHER)
    machine.grant("1")
    answer(machine, VENDOR)
    assert answered(connection).status == 200
    assert [bool(one.budgets) for one in machine.frames() if isinstance(one, Open | Attempt)][-3:] == [
        False,
        False,
        True,
    ]
    assert machine.plane.purse.slices[BUDGET].left == machine.granted[BUDGET] - machine.ends()[-1].cost


# Labels


def cleared(**clearances: str):
    return tuple(
        p.target(name, 9001 + at, clearance=clearances.get(name, "confidential")) for at, name in enumerate("abv")
    )


def test_members_that_may_not_take_the_label_are_passed_over(tmp_path) -> None:
    machine = cascading(tmp_path, targets=cleared(b="public"))
    connection = asked(machine)
    answer(machine, VENDOR)
    assert answered(connection).headers["x-freehold-composite"] == "escalated" and tried(machine) == [("v", "ok")]


def test_where_the_last_resort_may_not_take_it_members_serve_or_nobody_does(tmp_path) -> None:
    machine = cascading(tmp_path, targets=cleared(v="public"))
    connection = asked(machine)
    answer(machine, HELLO, HELLO)
    assert answered(connection).headers["x-freehold-composite"] == "served"
    connection = asked(machine)
    answer(machine, HELLO, OTHER)
    got = answered(connection)
    assert got.status == 403 and not machine.connecting and b"hello" not in got.body
    connection = asked(machine)
    machine.refuse_connection()
    assert answered(connection).status == 502 and not machine.connecting


def test_where_nothing_may_take_it_nothing_is_sent(tmp_path) -> None:
    machine = cascading(tmp_path, targets=cleared(a="public", v="public"))
    assert answered(asked(machine)).status == 403 and not machine.connecting


# Confidence


def stating(confidence: object, text: str = "hello") -> bytes:
    return p.response(p.chat_answer(text, freehold={"confidence": confidence}), 200, CLOSE)


def test_a_confident_answer_is_served_without_what_it_says_of_itself(tmp_path) -> None:
    machine = cascading(tmp_path)
    connection = asked(machine, "sure")
    answer(machine, stating(0.95))
    got = answered(connection)
    assert json.loads(got.body) == json.loads(p.chat_answer()) and got.headers["x-freehold-composite"] == "served"
    assert tried(machine) == [("a", "ok")]
    connection = asked(machine, "sure", "x-freehold-confidence: 1")
    answer(machine, stating(0.9))
    assert json.loads(answered(connection).body)["choices"][0]["freehold"] == {"confidence": 0.9}
    for path, more in ((p.CHAT, {"stream": True}), (p.MESSAGES, {}), (p.MESSAGES, {"stream": True})):
        connection = asked(machine, "sure", path=path, **more)
        answer(machine, stating(0.95))
        assert b"hello" in answered(connection).body and b"confidence" not in answered(connection).body
        assert "x-freehold-dropped" not in answered(connection).headers


@pytest.mark.parametrize("said", [0.5, None, 2.0, -1.0, "0.95", {}])
def test_an_unsure_or_silent_member_is_passed_over(tmp_path, said: object) -> None:
    machine = cascading(tmp_path)
    connection = asked(machine, "sure")
    answer(machine, stating(said), VENDOR)
    assert answered(connection).headers["x-freehold-composite"] == "escalated"
    assert tried(machine) == [("a", "unsure"), ("v", "ok")]


# Where composites are used


def test_as_an_overlays_target_and_then_the_routes_own_plan(tmp_path) -> None:
    overlay = Overlay(workflow="wf_1", target="pair", share=1.0)
    machine = cascading(tmp_path, overlays=(overlay,))
    connection = asked(machine, "plain", "x-freehold-workflow: wf_1")
    answer(machine, HELLO, HELLO)
    assert answered(connection).headers["x-freehold-composite"] == "served"
    connection = asked(machine, "plain", "x-freehold-workflow: wf_1")
    answer(machine, HELLO, OTHER, VENDOR)
    assert answered(connection).headers["x-freehold-composite"] == "escalated"
    connection = asked(machine, "plain")
    answer(machine, VENDOR)
    assert "x-freehold-composite" not in answered(connection).headers


def test_what_cannot_be_weighed_goes_to_the_last_resort(tmp_path) -> None:
    machine = cascading(tmp_path)
    connection = asked(machine, n=2)
    answer(machine, VENDOR)
    assert answered(connection).status == 200 and tried(machine) == [("v", "ok")]
    connection = machine.caller()
    machine.ask(connection, p.request("/v1/embeddings", b'{"model":"pair","input":"x"}'))
    assert machine.connecting[0][0].name == "v"


def test_a_composite_without_its_member_escalates_and_says_so(tmp_path) -> None:
    machine = cascading(tmp_path, pair(members=("a", "gone")))
    connection = asked(machine)
    answer(machine, VENDOR)
    assert answered(connection).status == 200 and "does not exist: gone" in machine.log.getvalue()


def test_a_captured_call_keeps_what_the_caller_got(tmp_path) -> None:
    content = p.routes(
        (p.target("a", 9001), p.target("b", 9002), p.target("v", 9003)),
        p.route("pair", "pair", capture=True), composites=(pair(),),
    )  # fmt: skip
    machine = Machine(tmp_path, content, p.keys(p.principal(label=parse_label("internal"))))
    connection = asked(machine, stream=True)
    answer(machine, HELLO, HELLO)
    request, response = [one for one in machine.frames() if isinstance(one, Body)]
    opened = machine.plane.sealer.open(response.sealed, response.call + b"response")
    assert opened == answered(connection).body and request.side == "request"
