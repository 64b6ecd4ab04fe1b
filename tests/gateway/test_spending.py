"""Money and limits on the way of a call: set aside before anything is sent, given back once, never overdrawn."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from freehold.ledger.frames import Attempt, Close, Open, Refused
from freehold.policy.types import Budget, Policy
from tests.gateway import pieces as p
from tests.gateway.answers import Answer, read_answers
from tests.gateway.machine import Machine

ANSWER = p.response(p.chat_answer())
COST = (7 * p.PRICE.input + 3 * p.PRICE.output) / 1_000_000


def asked(machine: Machine, **more):
    connection = machine.caller()
    machine.ask(connection, p.request(p.CHAT, p.chat_body(**more)))
    return connection


def answered(connection) -> Answer:
    wire = connection.transport
    (found,) = read_answers(wire.sent, ["POST"], ended=wire.closed)
    return found


def test_a_call_without_a_slice_waits_for_the_authority_and_then_goes(funded) -> None:
    machine = funded()
    connection = asked(machine)
    assert not machine.connecting and machine.frames() == []
    (lease,) = [one for one in machine.asked() if one.need]
    assert lease.budget == "team/x"
    while machine.asked():
        machine.grant("1")
    machine.answer(machine.connect(), ANSWER)
    assert answered(connection).status == 200
    opened, close = machine.frames()
    assert opened.reserved >= close.cost == COST
    assert machine.plane.purse.slices["team/x"].left == machine.granted["team/x"] - COST


def test_the_second_call_does_not_wait(funded) -> None:
    machine = funded()
    asked(machine)
    while machine.asked():
        machine.grant("1")
    asked(machine)
    assert len(machine.connecting) == 2


def test_an_exhausted_budget_is_named_with_the_time_it_resets(funded) -> None:
    machine = funded()
    connection = asked(machine)
    while machine.asked():
        machine.grant(None)
    answer = answered(connection)
    assert answer.status == 429 and answer.headers["x-freehold-error"] == "FH-LIM-004"
    assert b"team/x" in answer.body and b"resets at 2026-11-18" in answer.body and b"$100" in answer.body
    assert answer.headers["x-freehold-resets-at"].startswith("2026-11-18T")
    assert int(answer.headers["retry-after"]) > 3000
    (refused,) = machine.frames()
    assert isinstance(refused, Refused) and refused.error == "FH-LIM-004"


def test_a_silent_authority_is_no_exhausted_budget(funded) -> None:
    machine = funded()
    connection = asked(machine)
    machine.wait(3.0)
    answer = answered(connection)
    assert answer.status == 503 and answer.headers["x-freehold-error"] == "FH-AVA-002"
    while machine.asked():
        machine.grant("1")  # too late for that call, and harmless
    assert machine.plane.purse.slices["team/x"].left == machine.granted["team/x"]
    assert not machine.connecting


def test_an_authority_that_is_away_refuses_in_time_and_serves_once_it_is_back(funded) -> None:
    machine = funded()
    machine.leases.connection_lost(None)
    connection = asked(machine)
    machine.wait(3.0)
    assert answered(connection).status == 503
    connection = asked(machine)
    machine.leases.connection_made(machine.authority)
    while machine.asked():
        machine.grant("1")
    machine.answer(machine.connect(), ANSWER)
    assert answered(connection).status == 200


def test_a_caller_who_leaves_while_waiting_for_money_takes_none(funded) -> None:
    machine = funded()
    connection = asked(machine)
    machine.lose(connection)
    while machine.asked():
        machine.grant("1")
    assert not machine.connecting and not machine.plane.calls
    assert machine.plane.purse.slices["team/x"].left == machine.granted["team/x"]
    (refused,) = machine.frames()
    assert isinstance(refused, Refused) and refused.status == 499


def test_many_waiting_calls_share_what_is_granted_and_none_goes_beyond(funded) -> None:
    machine = funded()
    connections = [asked(machine) for _ in range(10)]
    while machine.asked():
        machine.grant("0.0101" if machine.granted.get("team/x", 0) < Decimal("0.01") else None)
    assert machine.plane.purse.slices["team/x"].left >= 0
    assert 0 < len(machine.connecting) < 10
    while machine.connecting:
        machine.answer(machine.connect(), ANSWER)
    assert {answered(one).status for one in connections} == {200, 429}
    spent = sum(one.cost for one in machine.frames() if isinstance(one, Close))
    assert machine.plane.purse.slices["team/x"].left == machine.granted["team/x"] - spent


def test_a_fallback_that_costs_more_widens_what_is_set_aside(funded) -> None:
    dear = p.Price(input=Decimal(100), output=Decimal(300), source="test", as_of="2026-11-22")
    machine = funded(p.target("a", 9001), p.target("b", 9002, price=dear))
    connection = asked(machine)
    while machine.asked():
        machine.grant("1")
    machine.refuse_connection()
    machine.answer(machine.connect(), ANSWER)
    assert answered(connection).status == 200
    opened, attempt, close = machine.frames()
    assert isinstance(attempt, Attempt) and attempt.reserved > opened.reserved
    assert close.cost == COST * 10
    assert machine.plane.purse.slices["team/x"].left == machine.granted["team/x"] - close.cost


def test_a_fallback_that_needs_more_money_than_there_is_refuses_and_gives_all_back(funded) -> None:
    dear = p.Price(input=Decimal(100_000), output=Decimal(300_000), source="test", as_of="2026-11-22")
    machine = funded(p.target("a", 9001), p.target("b", 9002, price=dear))
    connection = asked(machine)
    while machine.asked():
        machine.grant("1")
    machine.refuse_connection()
    while machine.asked():
        machine.grant(None)
    assert answered(connection).status == 429 and not machine.connecting
    assert machine.ends()[-1].outcome == "failed"
    assert machine.plane.purse.slices["team/x"].left == machine.granted["team/x"]


def test_a_priced_fallback_of_a_free_target_names_its_budget(funded) -> None:
    machine = funded(p.free("own", 9001), p.target("b", 9002))
    asked(machine)
    machine.refuse_connection()
    while machine.asked():
        machine.grant("1")
    machine.answer(machine.connect(), ANSWER)
    opened, attempt, close = machine.frames()
    assert isinstance(opened, Open) and opened.budgets == () and opened.reserved == 0
    assert [one.partition("@")[0] for one in attempt.budgets] == ["team/x"] and attempt.reserved > 0
    assert close.cost == COST == machine.granted["team/x"] - machine.plane.purse.slices["team/x"].left


def test_a_budget_that_is_not_declared_is_refused_at_once(tmp_path: Path) -> None:
    table = p.routes((p.target("a", 9001),), p.route("assistant", "a"))
    machine = Machine(tmp_path, table, p.keys(p.principal(budgets=("team/gone",))))
    assert answered(asked(machine)).status == 503
    assert not machine.connecting


def test_a_broken_stream_is_billed_by_what_was_delivered(funded) -> None:
    machine = funded()
    asked(machine, stream=True, stream_options={"include_usage": True})
    while machine.asked():
        machine.grant("1")
    upstream = machine.connect()
    data = p.chunked(*p.chat_stream("a", "b", "c", "d", "e"))
    machine.answer(upstream, data[: data.index(b'"content":"d"')])
    machine.lose(upstream)
    (close,) = machine.ends()
    assert close.outcome == "broken" and close.tried[0].usage.estimated
    assert close.tried[0].usage.output == 4 and 0 < close.cost <= machine.frames()[0].reserved
    assert machine.plane.purse.slices["team/x"].left == machine.granted["team/x"] - close.cost


@pytest.mark.parametrize("hung_up", ["before it connects", "before it answers", "midway"])
def test_a_caller_who_leaves_pays_for_what_the_target_did(funded, hung_up: str) -> None:
    machine = funded()
    connection = asked(machine, stream=True, stream_options={"include_usage": True})
    while machine.asked():
        machine.grant("1")
    if hung_up != "before it connects":
        upstream = machine.connect()
        if hung_up == "midway":
            machine.answer(upstream, p.chunked(*p.chat_stream())[:400])
    machine.lose(connection)
    (close,) = machine.ends()
    assert close.outcome == "cancelled" and close.status == 499
    assert (close.cost == 0) == (hung_up == "before it connects")
    assert all(one.closed for one in machine.upstreams)
    assert machine.plane.purse.slices["team/x"].left == machine.granted["team/x"] - close.cost


# Limits


def limited(home: Path, **limits) -> Machine:
    table = p.routes((p.target("a", 9001),), p.route("assistant", "a"))
    return Machine(home, table, p.keys(p.principal(**limits)))


def test_a_refused_call_takes_nothing_from_the_token_limit_and_gives_nothing(tmp_path: Path) -> None:
    machine = limited(tmp_path, tokens_per_minute=200)
    first = asked(machine, max_tokens=120)
    assert len(machine.connecting) == 1
    for _ in range(5):
        answer = answered(asked(machine, max_tokens=120))
        assert answer.status == 429 and answer.headers["x-freehold-error"] == "FH-LIM-003"
        assert int(answer.headers["retry-after"]) >= 1
    assert len(machine.connecting) == 1
    machine.answer(machine.connect(), ANSWER)
    assert answered(first).headers["x-ratelimit-limit-tokens"] == "200"
    asked(machine, max_tokens=120)  # the first used 10 of the tokens it took: there is room again
    assert machine.busy()


def test_requests_are_limited_and_the_wait_is_told(tmp_path: Path) -> None:
    machine = limited(tmp_path, requests_per_minute=2)
    connections = [asked(machine) for _ in range(3)]
    assert len(machine.connecting) == 2
    answer = answered(connections[2])
    assert answer.status == 429 and answer.headers["x-freehold-error"] == "FH-LIM-002"
    assert answer.headers["retry-after"] == "30" and answer.headers["x-ratelimit-remaining-requests"] == "0"
    machine.wait(31.0)
    asked(machine)
    assert len(machine.connecting) == 3


def test_limits_outlive_a_new_keys_snapshot(tmp_path: Path) -> None:
    machine = limited(tmp_path, requests_per_minute=1)
    asked(machine)
    machine.publish(keys=p.keys(p.principal(requests_per_minute=1)))
    assert answered(asked(machine)).status == 429
    machine.publish(keys=p.keys(p.principal(requests_per_minute=5)))
    asked(machine)
    assert len(machine.connecting) == 2


# The journal


def test_nothing_is_sent_when_the_journal_cannot_be_written(funded) -> None:
    machine = funded()
    machine.journal.full = True
    connection = asked(machine)
    while machine.asked():
        machine.grant("1")
    answer = answered(connection)
    assert answer.status == 503 and answer.headers["x-freehold-error"] == "FH-AVA-003"
    assert not machine.connecting and not machine.upstreams
    assert machine.plane.purse.slices["team/x"].left == machine.granted["team/x"]
    machine.journal.full = False
    asked(machine)
    machine.answer(machine.connect(), ANSWER)
    assert machine.ends()[-1].outcome == "ok"


def test_a_policy_without_the_budget_any_more_still_settles(funded) -> None:
    machine = funded()
    connection = asked(machine)
    while machine.asked():
        machine.grant("1")
    machine.publish(policy=Policy(budgets=(Budget(id="team/other", limit=Decimal(1)),)))
    machine.answer(machine.connect(), ANSWER)
    assert answered(connection).status == 200 and machine.ends()[-1].cost == COST


def test_money_is_exact_also_where_the_journal_is_not_strict(tmp_path: Path) -> None:
    target = p.target("a", 9001)
    policy = Policy(budgets=(Budget(id="team/x", limit=Decimal(100)),))
    keys = p.keys(p.principal(budgets=("team/x",)))
    machine = Machine(tmp_path, p.routes((target,), p.route("assistant", "a")), keys, policy, strict=False)
    asked(machine)
    while machine.asked():
        machine.grant("1")
    upstream = machine.connect()
    assert [type(one) for one in machine.frames()] == [Open]
    machine.answer(upstream, ANSWER)
    assert [type(one) for one in machine.frames()] == [Open, Close]
