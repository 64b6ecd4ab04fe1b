"""Retry, fallback, timeouts and stale connections: only before the first byte, only where another try may help."""

from __future__ import annotations

from pathlib import Path

import pytest

from freehold.core.errors import EgressRefused
from freehold.core.label import parse_label
from freehold.core.permit import Origin
from freehold.ledger.frames import Attempt, Close, Open
from freehold.policy.types import Policy
from tests.gateway import pieces as p
from tests.gateway.answers import Answer, read_answers
from tests.gateway.machine import Machine

ANSWER = p.response(p.chat_answer())
USAGE = {"stream_options": {"include_usage": True}}


def asked(machine: Machine, model: str = "assistant", *lines: str, **more):
    connection = machine.caller()
    machine.ask(connection, p.request(p.CHAT, p.chat_body(model, **more), *lines))
    return connection


def answered(connection) -> Answer:
    wire = connection.transport
    (found,) = read_answers(wire.sent, ["POST"], ended=wire.closed)
    return found


def tried(machine: Machine) -> list[tuple[str, str]]:
    return [(one.target, one.outcome) for one in machine.ends()[-1].tried]


def machine_with(home: Path, *targets, route=None, **more) -> Machine:
    table = p.routes(targets, route or p.route("assistant", *(one.name for one in targets)))
    return Machine(home, table, p.keys(p.principal(**more)))


@pytest.mark.parametrize("status", [401, 403, 404, 408, 409, 429, 500, 502, 503, 504, 529, 302])
def test_what_another_target_may_do_better_is_tried_there(machine, status: int) -> None:
    connection = asked(machine)
    machine.answer(machine.connect(), p.response(b'{"error":{"message":"no"}}', status))
    machine.answer(machine.connect(), ANSWER)
    answer = answered(connection)
    assert answer.status == 200 and answer.headers["x-freehold-target"] == "b"
    assert [one for one, _ in tried(machine)] == ["a", "b"]
    opened, attempt, close = machine.frames()
    assert isinstance(opened, Open) and opened.target == "a"
    assert isinstance(attempt, Attempt) and (attempt.target, attempt.number) == ("b", 2)
    assert isinstance(close, Close) and close.outcome == "ok"


@pytest.mark.parametrize("status", [400, 413, 422])
def test_the_callers_own_mistakes_go_back_as_they_came(machine, status: int) -> None:
    connection = asked(machine)
    body = b'{"error":{"message":"your fault","type":"invalid_request_error","param":"x","code":"y"}}'
    machine.answer(machine.connect(), p.response(body, status))
    answer = answered(connection)
    assert (answer.status, answer.body) == (status, body)
    assert tried(machine) == [("a", "refused")] and not machine.connecting
    assert machine.ends()[-1].outcome == "failed" and machine.ends()[-1].cost == 0
    assert machine.health["a"].breaker.allows(machine.time)


def test_a_refusal_of_our_own_key_is_never_told_as_the_callers(machine) -> None:
    connection = asked(machine, "solo")
    body = b'{"error":{"message":"Incorrect API key provided: %s","code":"invalid_api_key"}}' % p.SECRET.encode()
    machine.answer(machine.connect(), p.response(body, 401))
    while machine.timers:
        machine.wait(10)
        machine.answer(machine.busy()[0] if machine.busy() else machine.connect(), p.response(body, 401))
    answer = answered(connection)
    assert answer.status == 502 and p.SECRET.encode() not in answer.body


def test_no_fallback_once_the_answer_has_begun(machine) -> None:
    connection = asked(machine, stream=True, **USAGE)
    upstream = machine.connect()
    machine.answer(upstream, p.chunked(*p.chat_stream())[:400])
    assert connection.transport.sent
    machine.lose(upstream)
    assert not machine.connecting and not answered(connection).complete
    assert tried(machine) == [("a", "unreachable")] and machine.ends()[-1].outcome == "broken"


def test_the_same_target_is_tried_again_after_a_pause(machine) -> None:
    connection = asked(machine, "solo")
    machine.refuse_connection()
    assert not machine.connecting and len(machine.timers) == 1
    machine.wait(1.0)
    machine.answer(machine.connect(), ANSWER)
    assert answered(connection).status == 200
    assert tried(machine) == [("a", "unreachable"), ("a", "ok")]


def test_attempts_end(machine) -> None:
    connection = asked(machine, "solo")
    for _ in range(3):
        machine.refuse_connection()
        machine.wait(10.0)
    assert not machine.connecting
    answer = answered(connection)
    assert answer.status == 502 and answer.headers["x-freehold-error"] == "FH-UP-002"
    assert len(tried(machine)) == 3


def test_a_caller_who_leaves_while_a_retry_waits_is_settled_and_nothing_more_is_sent(machine) -> None:
    connection = asked(machine, "solo")
    machine.refuse_connection()
    machine.lose(connection)
    machine.wait(10.0)
    assert not machine.connecting and machine.ends()[-1].outcome == "cancelled"


def test_a_long_retry_after_is_told_not_waited_for(machine) -> None:
    connection = asked(machine, "solo")
    machine.answer(machine.connect(), p.response(b'{"error":{"message":"slow down"}}', 429, "retry-after: 30"))
    answer = answered(connection)
    assert answer.status == 429 and answer.headers["retry-after"] == "30" and not machine.timers
    assert not machine.health["a"].breaker.allows(machine.time + 29)


def test_a_short_retry_after_is_waited_for(machine) -> None:
    connection = asked(machine, "solo")
    machine.answer(machine.connect(), p.response(b"{}", 429, "retry-after: 2"))
    machine.wait(1.9)
    assert not machine.connecting and not machine.busy()
    machine.wait(0.3)
    machine.answer(machine.busy()[0] if machine.busy() else machine.connect(), ANSWER)
    assert answered(connection).status == 200


def test_retries_stop_when_their_budget_is_used_up(tmp_path: Path) -> None:
    machine = machine_with(tmp_path, p.target("a", 9001), route=p.route("assistant", "a", attempts=2, retry_ratio=0.0))
    for number in range(12):
        connection = asked(machine)
        machine.refuse_connection()
        if machine.timers:
            machine.timers.pop()[1]()
            machine.turn()
            machine.refuse_connection()
        assert answered(connection).status == 502
        assert len(tried(machine)) == (2 if number < 10 else 1)


def test_a_stale_pooled_connection_is_replaced_once_and_costs_no_attempt(machine) -> None:
    asked(machine)
    first = machine.connect()
    machine.answer(first, ANSWER)
    connection = asked(machine)
    assert machine.busy() == [first]
    machine.lose(first)
    machine.answer(machine.connect(), ANSWER)
    assert answered(connection).status == 200 and tried(machine) == [("a", "ok")]
    assert len([one for one in machine.frames() if isinstance(one, Open | Attempt)]) == 2


def test_a_fresh_connection_that_dies_is_an_attempt_lost(machine) -> None:
    asked(machine)
    machine.lose(machine.connect())
    assert [one[0].name for one in machine.connecting] == ["b"]


def test_a_pooled_connection_is_not_used_after_servers_commonly_close_it(machine) -> None:
    asked(machine)
    first = machine.connect()
    machine.answer(first, ANSWER)
    machine.wait(4.5)
    assert first.closed
    asked(machine)
    assert machine.connecting


def test_a_target_that_asks_for_close_is_not_kept(machine) -> None:
    asked(machine)
    first = machine.connect()
    machine.answer(first, p.response(p.chat_answer(), 200, "connection: close"))
    assert first.closed


# Time


@pytest.mark.parametrize(("stream", "seconds"), [(True, 5.0), (False, 20.0)])
def test_a_target_that_does_not_begin_is_left_for_the_next(tmp_path: Path, stream: bool, seconds: float) -> None:
    slow = p.target("a", 9001, first_token_seconds=5.0, whole_seconds=20.0)
    machine = machine_with(tmp_path, slow, p.target("b", 9002))
    connection = asked(machine, stream=stream)
    upstream = machine.connect()
    machine.wait(seconds - 1)
    assert not upstream.closed
    machine.wait(2)
    assert upstream.closed
    machine.answer(machine.connect(), p.chunked(*p.chat_stream()) if stream else ANSWER)
    assert answered(connection).status == 200 and tried(machine) == [("a", "timeout"), ("b", "ok")]


def test_a_route_may_be_less_patient_than_its_target(tmp_path: Path) -> None:
    route = p.route("assistant", "a", first_token_seconds=2.0, attempts=1)
    machine = machine_with(tmp_path, p.target("a", 9001), route=route)
    connection = asked(machine, stream=True)
    machine.connect()
    machine.wait(3.0)
    answer = answered(connection)
    assert answer.status == 504 and answer.headers["x-freehold-error"] == "FH-UP-003"


def test_a_stream_that_stalls_is_broken_off(tmp_path: Path) -> None:
    machine = machine_with(tmp_path, p.target("a", 9001, idle_seconds=7.0))
    connection = asked(machine, stream=True, **USAGE)
    upstream = machine.connect()
    data = p.chunked(*p.chat_stream())
    machine.answer(upstream, data[:300])
    machine.wait(6.0)
    machine.answer(upstream, data[300:350])  # a sign of life
    machine.wait(6.0)
    assert not upstream.closed
    machine.wait(2.0)
    assert upstream.closed and connection.transport.closed and not answered(connection).complete
    assert tried(machine) == [("a", "timeout")] and machine.ends()[-1].outcome == "broken"


def test_a_connection_that_comes_too_late_is_nobodys(tmp_path: Path) -> None:
    machine = machine_with(tmp_path, p.target("a", 9001, whole_seconds=2.0), p.target("b", 9002))
    connection = asked(machine)
    machine.wait(3.0)
    assert [one[0].name for one in machine.connecting] == ["a", "b"]
    late = machine.connect(0)
    assert late.closed and late.transport.sent == b""
    machine.answer(machine.connect(0), ANSWER)
    assert answered(connection).status == 200 and tried(machine) == [("a", "timeout"), ("b", "ok")]


def test_a_failure_that_comes_too_late_is_nobodys(tmp_path: Path) -> None:
    machine = machine_with(tmp_path, p.target("a", 9001, whole_seconds=2.0), p.target("b", 9002))
    connection = asked(machine)
    machine.wait(3.0)
    machine.refuse_connection(0)
    machine.answer(machine.connect(0), ANSWER)
    assert answered(connection).status == 200


def test_a_slow_caller_slows_the_target_and_is_not_held_against_it(machine) -> None:
    connection = asked(machine, "solo", stream=True, **USAGE)
    upstream = machine.connect()
    machine.answer(upstream, p.chunked(*p.chat_stream())[:300])
    connection.pause_writing()
    assert not upstream.transport.reading
    connection.resume_writing()
    assert upstream.transport.reading
    connection.pause_writing()
    machine.wait(299.0)
    assert not upstream.closed
    machine.wait(2.0)
    assert upstream.closed and connection.transport.closed
    assert machine.ends()[-1].outcome == "cancelled"
    assert machine.health["a"].breaker._row == 0


def test_an_idle_caller_is_let_go_and_one_that_dribbles_too(machine) -> None:
    idle, head, body = (machine.caller() for _ in range(3))
    ask = p.request(p.CHAT, p.chat_body())
    machine.wait(0.0)
    machine.ask(head, ask[:20])
    machine.ask(body, ask[:-5])
    for seconds, gone in (
        (29.0, set()),
        (2.0, {head}),
        (268.0, {head}),
        (2.0, {head, body}),
        (300.0, {idle, head, body}),
    ):
        for _ in range(int(seconds)):
            machine.wait(1.0)
            if not head.transport.closed:
                machine.ask(head, b"x")  # a sign of life does not help: the whole head has half a minute
        assert {one for one in (idle, head, body) if one.transport.closed} == gone


def test_a_caller_that_never_takes_its_answer_is_cut_off(machine) -> None:
    connection = machine.caller()
    wire = connection.transport
    wire.peer = None  # its transport cannot finish closing: the caller does not read
    machine.ask(connection, b"rubbish\r\n\r\n")
    assert wire.closed and not wire.aborted
    machine.wait(30.0)
    assert not wire.aborted
    machine.wait(40.0)
    assert wire.aborted


# Policy holds for every attempt


def test_a_label_keeps_a_call_from_every_attempt_it_forbids(tmp_path: Path) -> None:
    table = p.routes(
        (p.target("a", 9001, clearance="public"), p.free("own", 9002, clearance="unknown")),
        p.route("assistant", "a", "own"),
    )
    machine = Machine(tmp_path, table, p.keys(p.principal(label=parse_label("restricted"))))
    connection = asked(machine)
    assert [one[0].name for one in machine.connecting] == ["own"]
    for _ in range(3):
        machine.refuse_connection()
        machine.wait(10.0)
    assert answered(connection).status == 502
    assert {one.target for one in machine.ends()[-1].tried} == {"own"}


def test_a_call_no_target_may_take_is_refused_with_the_reason(tmp_path: Path) -> None:
    machine = machine_with(tmp_path, p.target("a", 9001, clearance="internal"))
    connection = asked(machine, "assistant", "x-freehold-label: restricted:HIPAA")
    answer = answered(connection)
    assert answer.status == 403 and b"restricted:HIPAA" in answer.body and b"internal" in answer.body
    assert not machine.connecting and machine.ends()[-1].label == "restricted:HIPAA"


def test_a_header_cannot_lower_a_label(tmp_path: Path) -> None:
    machine = machine_with(tmp_path, p.target("a", 9001, clearance="internal"), label=parse_label("restricted"))
    assert answered(asked(machine, "assistant", "x-freehold-label: public")).status == 403


def test_a_retry_obeys_the_policy_in_force_by_then(machine) -> None:
    connection = asked(machine)
    machine.publish(policy=Policy(air_gapped=True))
    machine.refuse_connection()
    assert not machine.connecting and answered(connection).status == 403
    assert tried(machine) == [("a", "unreachable")]


def test_bytes_do_not_leave_to_an_origin_their_permit_is_not_for(machine) -> None:
    connection = asked(machine)
    stop, call, attempt = machine.connecting[0]
    moved = p.target("a", 9999)
    other = type(stop)(moved, stop.driver, "", stop.health)
    machine.connecting[0] = (other, call, attempt)
    upstream = machine.connect()
    assert upstream.transport.sent == b"" and upstream.closed
    assert other.origin == Origin("http", "127.0.0.1", 9999)
    assert answered(connection).headers["x-freehold-error"] == EgressRefused.code


# Translation


def test_where_no_further_target_can_be_translated_to_the_failure_is_told(tmp_path: Path) -> None:
    only_messages = p.claude("c", 9002)
    machine = machine_with(
        tmp_path, p.target("a", 9001), only_messages, route=p.route("assistant", "a", "c", strict=True)
    )
    connection = asked(machine, logit_bias={"1": 2}, seed=3)
    machine.answer(machine.connect(), p.response(b"{}", 500))
    assert answered(connection).status == 502


def test_a_defect_of_ours_ends_the_call_once_and_leaves_nothing_behind(machine) -> None:
    stop = machine.plane.table.stops["a"]
    stop.heads["openai_chat"] = p.Defect(ZeroDivisionError())
    connection = asked(machine, "solo")
    for _ in range(10):
        if machine.connecting:
            try:
                machine.connect()
            except TypeError:
                assert machine.plane.calls  # told to the loop, and ended in time by the sweep
        machine.wait(700.0)
    assert not machine.plane.calls and machine.health["a"].in_flight == 0
    assert len(machine.ends()) == 1 and answered(connection).status >= 500


def test_a_defect_on_the_way_in_is_an_honest_error(machine) -> None:
    target = machine.plane.table.stops["a"].target
    machine.plane.mint._known[parse_label("internal"), "a"] = (target, p.Defect(ZeroDivisionError()))
    connection = asked(machine, "solo")
    answer = answered(connection)
    assert answer.status == 500 and answer.headers["x-freehold-error"] == "FH-INT-001"
    assert len(machine.ends()) == 1
    log = machine.log.getvalue()
    assert "ZeroDivisionError" in log and p.PROMPT not in log and p.KEY not in log
