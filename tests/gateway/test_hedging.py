"""Hedging: a slow first token is asked of the next target too; one answers, both are permitted, written down, paid."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from freehold.core.label import parse_label
from freehold.gateway.routing.figures import LEAST_SAMPLES
from freehold.gateway.routing.types import CacheRule, HedgeRule
from freehold.ledger.frames import Attempt, Close, Open
from freehold.policy.types import Budget, Policy
from tests.gateway import guards as g
from tests.gateway import pieces as p
from tests.gateway.answers import Answer, read_answers
from tests.gateway.machine import Machine

RULE = HedgeRule(2.0, whole=True)
ANSWER = p.response(p.chat_answer())
OTHER = p.response(p.chat_answer("other"))
USAGE = {"stream_options": {"include_usage": True}}
STREAM = p.chunked(*p.chat_stream())
BROKEN = p.response(b'{"error":{"message":"no"}}', 500)


def machine_with(home: Path, *targets, rule: HedgeRule = RULE, policy: Policy | None = None, **more) -> Machine:
    targets = targets or (p.target("a", 9001), p.target("b", 9002))
    route = p.route("assistant", *(one.name for one in targets), hedge=rule, **more)
    budgets = tuple(one.id for one in policy.budgets) if policy else ()
    who = p.principal(budgets=budgets, label=parse_label("internal"))
    return Machine(home, p.routes(targets, route), p.keys(who), policy)


def ask(machine: Machine, **more):
    connection = machine.caller()
    machine.ask(connection, p.request(p.CHAT, p.chat_body(**more)))
    return connection


def answered(connection) -> Answer:
    wire = connection.transport
    (found,) = read_answers(wire.sent, ["POST"], ended=wire.closed)
    return found


def raced(machine: Machine, **more):
    """A call whose first target is slow: its connection, and both upstreams."""
    connection = ask(machine, **more)
    first = machine.connect()
    machine.wait(2.1)
    return connection, first, machine.connect()


def tried(machine: Machine) -> list[tuple[int, str, str]]:
    return [(one.number, one.target, one.outcome) for one in machine.ends()[-1].tried]


@pytest.mark.parametrize("stream", [False, True])
def test_who_begins_first_answers_and_the_other_is_cancelled(tmp_path: Path, stream: bool) -> None:
    machine = machine_with(tmp_path)
    connection, first, second = raced(machine, stream=stream)
    machine.answer(second, STREAM if stream else OTHER)
    answer = answered(connection)
    assert answer.status == 200 and answer.complete and first.closed
    assert answer.headers["x-freehold-target"] == "b" and answer.headers["x-freehold-hedge"] == "won"
    assert tried(machine) == [(1, "a", "overtaken"), (2, "b", "ok")]


@pytest.mark.parametrize("stream", [False, True])
def test_the_first_may_still_win(tmp_path: Path, stream: bool) -> None:
    machine = machine_with(tmp_path)
    connection, first, second = raced(machine, stream=stream, **(USAGE if stream else {}))
    machine.answer(first, STREAM if stream else ANSWER)
    answer = answered(connection)
    assert answer.complete and second.closed
    assert answer.headers["x-freehold-target"] == "a" and answer.headers["x-freehold-hedge"] == "lost"
    assert tried(machine) == [(1, "a", "ok"), (2, "b", "overtaken")]


def test_a_head_is_no_first_token(tmp_path: Path) -> None:
    head, _, rest = STREAM.partition(b"\r\n\r\n")
    machine = machine_with(tmp_path)
    connection = ask(machine, stream=True, **USAGE)
    first = machine.connect()
    machine.answer(first, head + b"\r\n\r\n")
    machine.wait(2.1)
    second = machine.connect()
    machine.answer(second, head + b"\r\n\r\n" + rest[:10])
    assert not first.closed and not connection.transport.sent
    machine.answer(first, rest)
    assert answered(connection).complete and answered(connection).body == b"".join(p.chat_stream()) and second.closed


def test_nothing_is_asked_twice_where_the_answer_has_begun_in_time(tmp_path: Path) -> None:
    machine = machine_with(tmp_path)
    ask(machine, stream=True, **USAGE)
    machine.answer(machine.connect(), STREAM[:400])
    machine.wait(2.1)
    assert not machine.connecting and not machine.calls[-1].hedged


def test_whole_answers_take_their_time_unless_the_route_says_otherwise(tmp_path: Path) -> None:
    machine = machine_with(tmp_path, rule=HedgeRule(2.0))
    ask(machine)
    machine.connect()
    machine.wait(2.1)
    assert not machine.connecting
    ask(machine, stream=True)
    machine.connect()
    machine.wait(2.1)
    assert len(machine.connecting) == 1


def test_the_loser_is_paid_for_what_it_may_have_read(tmp_path: Path) -> None:
    machine = machine_with(tmp_path)
    _, first, second = raced(machine)
    body = first.transport.sent.partition(b"\r\n\r\n")[2]
    machine.answer(second, ANSWER)
    close = machine.ends()[-1]
    lost, won = close.tried
    assert lost.usage.estimated and lost.usage.input == len(body) // 4 and lost.usage.output == 0
    assert lost.cost == Decimal(10) * lost.usage.input / 1_000_000
    assert close.cost == lost.cost + won.cost


def test_a_loser_that_was_never_reached_costs_nothing(tmp_path: Path) -> None:
    machine = machine_with(tmp_path)
    ask(machine)
    machine.wait(2.1)
    assert [one[0].name for one in machine.connecting] == ["a", "b"]
    machine.answer(machine.connect(1), ANSWER)
    assert machine.ends()[-1].tried[0].cost == 0
    assert machine.connect().closed  # the first one's, too late


def test_both_are_written_down_before_they_are_sent_and_paid_from_one_reservation(tmp_path: Path) -> None:
    policy = Policy(budgets=(Budget(id="team/x", limit=Decimal(100)),))
    machine = machine_with(tmp_path, policy=policy)
    connection = ask(machine)
    machine.grant("10")
    first = machine.connect()
    reserved = machine.calls[-1].account.reservation.amount
    machine.wait(2.1)
    opened, attempt = machine.frames()
    assert isinstance(opened, Open) and isinstance(attempt, Attempt)
    assert (attempt.number, attempt.target) == (2, "b") and attempt.reserved > reserved == opened.reserved
    machine.answer(machine.connect(), ANSWER)
    assert answered(connection).status == 200 and first.closed
    close = machine.ends()[-1]
    assert isinstance(close, Close)
    assert machine.plane.purse.slices["team/x"].left == machine.granted["team/x"] - close.cost


def test_a_budget_that_does_not_cover_both_lets_one_go(tmp_path: Path) -> None:
    policy = Policy(budgets=(Budget(id="team/x", limit=Decimal(100)),))
    machine = machine_with(tmp_path, policy=policy)
    ask(machine)
    machine.grant(str(machine.asked()[0].need))
    first = machine.connect()
    machine.wait(2.1)
    assert not machine.connecting and not machine.asked()
    machine.answer(first, ANSWER)
    assert tried(machine) == [(1, "a", "ok")]


@pytest.mark.parametrize(("most", "asked"), [("0.000001", False), ("1", True)])
def test_a_second_that_is_too_dear_is_not_asked(tmp_path: Path, most: str, asked: bool) -> None:
    machine = machine_with(tmp_path, rule=HedgeRule(2.0, Decimal(most), whole=True))
    ask(machine)
    machine.connect()
    machine.wait(2.1)
    assert bool(machine.connecting) is asked


def test_a_target_that_may_not_take_the_label_is_never_asked(tmp_path: Path) -> None:
    machine = machine_with(
        tmp_path, p.target("a", 9001), p.target("low", 9002, clearance="public"), p.target("b", 9003)
    )
    ask(machine)
    machine.connect()
    machine.wait(2.1)
    assert [one[0].name for one in machine.connecting] == ["b"]


def test_a_policy_that_changed_meanwhile_counts(tmp_path: Path) -> None:
    machine = machine_with(tmp_path)
    ask(machine)
    machine.connect()
    machine.publish(policy=Policy(closed="for a test"))
    machine.wait(2.1)
    assert not machine.connecting


def test_where_the_first_fails_the_second_goes_on(tmp_path: Path) -> None:
    machine = machine_with(tmp_path)
    connection, first, second = raced(machine, stream=True, **USAGE)
    head, _, rest = STREAM.partition(b"\r\n\r\n")
    machine.answer(second, head + b"\r\n\r\n")
    machine.answer(first, BROKEN)
    assert not machine.connecting and not second.closed
    machine.answer(second, rest)
    answer = answered(connection)
    assert answer.complete and answer.body == b"".join(p.chat_stream())
    assert tried(machine) == [(1, "a", "failed"), (2, "b", "ok")]


def test_where_the_second_fails_the_first_goes_on_and_it_is_not_asked_again(tmp_path: Path) -> None:
    machine = machine_with(tmp_path, p.target("a", 9001), p.target("b", 9002), p.target("c", 9003))
    connection, first, second = raced(machine)
    machine.answer(second, BROKEN)
    assert not first.closed and not connection.transport.sent
    machine.answer(first, BROKEN)
    assert [one[0].name for one in machine.connecting] == ["c"]
    machine.answer(machine.connect(), ANSWER)
    assert answered(connection).status == 200
    assert tried(machine) == [(1, "a", "failed"), (2, "b", "failed"), (3, "c", "ok")]
    assert [one.number for one in machine.frames() if isinstance(one, Attempt)] == [2, 3]


@pytest.mark.parametrize(
    "stream", [p.chunked(b'data: {"error":{"message":"x"}}\n\n'), p.chunked(), ANSWER, STREAM[:105]]
)
def test_what_is_no_answer_does_not_win(tmp_path: Path, stream: bytes) -> None:
    machine = machine_with(tmp_path)
    connection, first, second = raced(machine, stream=True, **USAGE)
    machine.answer(second, stream)
    machine.lose(second)
    assert not first.closed
    machine.answer(first, STREAM)
    assert answered(connection).complete and tried(machine)[0] == (1, "a", "ok")


def test_the_callers_own_mistake_ends_both(tmp_path: Path) -> None:
    machine = machine_with(tmp_path)
    connection, first, second = raced(machine)
    machine.answer(first, p.response(b'{"error":{"message":"your fault"}}', 400))
    assert answered(connection).status == 400 and second.closed and not machine.plane.calls
    assert tried(machine) == [(1, "a", "refused"), (2, "b", "overtaken")]


def test_a_caller_who_leaves_ends_both_and_both_are_paid(tmp_path: Path) -> None:
    machine = machine_with(tmp_path)
    connection, first, second = raced(machine)
    machine.lose(connection)
    assert first.closed and second.closed
    assert tried(machine) == [(1, "a", "cancelled"), (2, "b", "cancelled")]
    assert all(one.cost > 0 for one in machine.ends()[-1].tried)
    assert all(one.in_flight == 0 for one in machine.health.values())


def test_a_stale_connection_of_the_second_is_replaced(tmp_path: Path) -> None:
    machine = machine_with(tmp_path, p.target("a", 9001), p.target("b", 9002))
    connection, _, second = raced(machine)
    machine.answer(second, ANSWER)
    assert not second.closed
    connection = ask(machine)
    machine.connect()
    machine.wait(2.1)
    assert machine.busy()[-1] is second or second in machine.busy()
    machine.lose(second)
    machine.answer(machine.connect(), OTHER)
    assert answered(connection).body == p.chat_answer("other")


def test_a_route_hedges_no_more_than_its_share(tmp_path: Path) -> None:
    machine = machine_with(tmp_path, rule=HedgeRule(2.0, ratio=0.0, whole=True))
    for _ in range(12):
        ask(machine)
        machine.connect()
    machine.wait(2.1)
    assert len(machine.connecting) == 10


def test_attempts_are_bounded(tmp_path: Path) -> None:
    machine = machine_with(tmp_path, attempts=1)
    ask(machine)
    machine.connect()
    machine.wait(2.1)
    assert not machine.connecting


def test_without_a_number_it_goes_by_what_was_seen(tmp_path: Path) -> None:
    machine = machine_with(tmp_path, rule=HedgeRule(whole=True))
    ask(machine)
    machine.connect()
    machine.wait(20.0)
    assert not machine.connecting and not machine.timers
    for _ in range(LEAST_SAMPLES):
        machine.health["a"].figures.began(0.2, machine.time)
        machine.health["a"].figures.began(0.7, machine.time, streams=False)
    ask(machine)
    machine.connect()
    machine.wait(0.6)
    assert not machine.connecting
    machine.wait(0.2)
    assert [one[0].name for one in machine.connecting] == ["b"]


def test_a_translated_second_answers_in_the_callers_dialect(tmp_path: Path) -> None:
    machine = machine_with(tmp_path, p.target("a", 9001), p.claude("c", 9004))
    connection, first, second = raced(machine, stream=True)
    machine.answer(second, p.chunked(*p.message_stream()))
    answer = answered(connection)
    assert answer.complete and b"data: [DONE]" in answer.body and first.closed
    assert tried(machine) == [(1, "a", "overtaken"), (2, "c", "ok")]


@pytest.mark.parametrize("first_wins", [False, True])
def test_a_guard_looks_at_whoever_answers(tmp_path: Path, first_wins: bool) -> None:
    machine = machine_with(tmp_path)
    g.arm(machine, g.rule("redact"))
    connection = ask(machine, stream=True)
    first = machine.connect()
    machine.wait(2.1)
    second = machine.connect()
    assert g.EMAIL.encode() not in first.transport.sent + second.transport.sent
    told = p.chunked(*p.chat_stream("write to ", g.EMAIL, " soon"))
    machine.answer(first if first_wins else second, told)
    answer = answered(connection)
    assert answer.complete and g.EMAIL.encode() not in answer.body and b"write to " in answer.body
    assert (second if first_wins else first).closed
    assert machine.ends()[-1].scanned >= len(f"write to {g.EMAIL} soon")


def test_an_answer_that_was_hedged_is_kept_as_the_winners(tmp_path: Path) -> None:
    table = p.routes(
        (p.target("a", 9001), p.target("b", 9002)), p.route("assistant", "a", "b", hedge=RULE, cache=CacheRule(60.0))
    )
    machine = Machine(tmp_path, table, p.keys())
    _, _, second = raced(machine)
    machine.answer(second, OTHER)
    answer = answered(ask(machine))
    assert answer.headers["x-freehold-cache"] == "hit" and answer.headers["x-freehold-target"] == "b"
    assert answer.body == p.chat_answer("other") and "x-freehold-hedge" not in answer.headers
    assert Decimal(answer.headers["x-freehold-saved"]) == machine.ends()[0].tried[1].cost
