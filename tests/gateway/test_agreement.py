"""Agreement of two members: one honest answer, paid for once, whoever fails and whoever leaves."""

from __future__ import annotations

import hashlib
import json
from decimal import Decimal

import pytest

from freehold.gateway.assemble import assemble
from freehold.grading.types import Spec
from freehold.ledger.frames import Attempt, Close, Open
from tests.gateway import pieces as p
from tests.gateway.composed import (
    BUDGET,
    CLOSE,
    DIALECT,
    FAILURES,
    HELLO,
    OTHER,
    VENDOR,
    answer,
    answered,
    asked,
    cascading,
    pair,
    sent,
    tried,
)

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


def test_the_caller_waited_for_both(tmp_path) -> None:
    machine = cascading(tmp_path)
    connection = asked(machine)
    answer(machine, HELLO)
    machine.time += 2.0
    answer(machine, HELLO)
    assert answered(connection).status == 200
    first, second = machine.ends()[-1].tried
    assert first.ended == 0.0 and first.first_token == second.ended == 2.0


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


@pytest.mark.parametrize("stream", [False, True])
def test_a_caller_of_responses_gets_what_was_agreed(tmp_path, stream: bool) -> None:
    machine = cascading(tmp_path)
    connection = machine.caller()
    machine.ask(
        connection, p.request("/v1/responses", json.dumps({"model": "pair", "input": "hi", "stream": stream}).encode())
    )
    answer(machine, HELLO, HELLO)
    got = answered(connection)
    assert (got.status, got.headers["x-freehold-composite"]) == (200, "served")
    assert not sent(machine, 0).get("stream")
    last = json.loads(got.body.strip().rpartition(b"data: ")[2])["response"] if stream else json.loads(got.body)
    assert last["output"][0]["content"][0]["text"] == "hello"


def calling(arguments: str) -> bytes:
    call = {"id": "call_1", "type": "function", "function": {"name": "refund", "arguments": arguments}}
    message = {"role": "assistant", "content": None, "tool_calls": [call]}
    return p.response(p.chat_answer(message=message, finish_reason="tool_calls"), 200, CLOSE)


@pytest.mark.parametrize("path", [p.CHAT, p.MESSAGES])
@pytest.mark.parametrize("stream", [False, True])
def test_calls_of_tools_agree_by_what_they_say_and_go_out_in_either_dialect(tmp_path, path: str, stream: bool) -> None:
    machine = cascading(tmp_path, pair(grader=Spec("tool_call")))
    schema = {"type": "object", "properties": {"order": {"type": "integer"}, "full": {"type": "boolean"}}}
    tool = {"name": "refund", "input_schema": schema}
    tools = (
        [tool] if path == p.MESSAGES else [{"type": "function", "function": {"name": "refund", "parameters": schema}}]
    )
    connection = asked(machine, path=path, stream=stream, tools=tools)
    answer(machine, calling('{"order":7,"full":true}'), calling('{ "full": true, "order": 7 }'))
    got = answered(connection)
    assert got.headers["x-freehold-composite"] == "served" and tried(machine)[1] == ("b", "agreed")
    dialect = DIALECT["openai_chat" if path == p.CHAT else "anthropic_messages"]
    if stream:
        decoder = dialect.stream_decoder()
        found = assemble(decoder.feed(got.body) + decoder.end())
    else:
        found = dialect.decode_answer(got.body)
    (choice,) = found.choices
    (call,) = choice.parts
    assert (call.name, json.loads(call.arguments), choice.stop) == ("refund", {"order": 7, "full": True}, "tool_calls")
    connection = asked(machine, path=path, stream=stream, tools=tools)
    answer(machine, calling('{"order":7}'), calling('{"order":8}'))
    assert machine.connecting[0][0].name == "v"


def test_an_http10_caller_is_served_too(tmp_path) -> None:
    machine = cascading(tmp_path)
    connection = machine.caller()
    machine.ask(connection, p.request(p.CHAT, p.chat_body("pair", stream=True)).replace(b"HTTP/1.1", b"HTTP/1.0", 1))
    answer(machine, HELLO, HELLO)
    got = answered(connection)
    assert got.complete and got.closes and got.body.endswith(b"data: [DONE]\n\n")


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
    machine = cascading(tmp_path, pair(grader=Spec("no such grader")))
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
