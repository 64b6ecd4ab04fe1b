"""The wall clock is set, forwards and backwards: what is under way goes on, limits neither open nor close for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from freehold.gateway.clock_steps import Steps, move
from freehold.gateway.routing.breaker import Breaker
from freehold.gateway.routing.retry import FLOOR_PER_MINUTE, RetryBudget
from freehold.ledger.frames import Close, Open
from freehold.policy.limits import Bucket
from tests.gateway import pieces as p
from tests.gateway.answers import read_answers
from tests.gateway.machine import Machine

HOUR = 3600.0
JUMPS = pytest.mark.parametrize("jump", [HOUR, -HOUR, 86_400.0 * 40, -86_400.0 * 40])


class Clocks:
    """A wall clock that can be set, and one that cannot."""

    def __init__(self) -> None:
        self.wall, self.steady = 1_795_000_000.0, 50.0
        self.steps = Steps(lambda: self.wall, lambda: self.steady)

    def pass_(self, seconds: float) -> None:
        self.wall += seconds
        self.steady += seconds


def jumped(machine: Machine, seconds: float) -> None:
    """The clock is set, and the process notices with its next tick."""
    machine.time += seconds
    move(machine.plane, seconds)
    machine.wait(0.1)


def machine_with(home: Path, **more) -> Machine:
    table = p.routes((p.target("a", 9001, idle_seconds=7.0),), p.route("assistant", "a"))
    return Machine(home, table, p.keys(p.principal(**more)))


@JUMPS
def test_a_step_is_told_once_and_time_that_passes_is_none(jump):
    clocks = Clocks()
    assert clocks.steps.taken() == 0
    clocks.pass_(7200)
    assert clocks.steps.taken() == 0, "a process that was stopped for two hours saw both clocks go on"
    clocks.wall += jump
    assert clocks.steps.taken() == pytest.approx(jump)
    assert clocks.steps.taken() == 0


def test_what_keeps_a_clock_right_is_no_step():
    clocks = Clocks()
    for _ in range(1000):
        clocks.pass_(0.1)
        clocks.wall += 0.01
        assert clocks.steps.taken() == 0


@JUMPS
@pytest.mark.parametrize("stream", [False, True])
def test_a_call_under_way_is_answered_and_settled_once(tmp_path, jump, stream):
    machine = machine_with(tmp_path)
    connection = machine.caller()
    more = {"stream": True, "stream_options": {"include_usage": True}} if stream else {}
    machine.ask(connection, p.request(p.CHAT, p.chat_body("assistant", **more)))
    upstream = machine.connect()
    data = p.chunked(*p.chat_stream()) if stream else p.response(p.chat_answer())
    machine.answer(upstream, data[: len(data) // 2])
    jumped(machine, jump)
    assert not upstream.closed
    machine.answer(upstream, data[len(data) // 2 :])
    (answer,) = read_answers(connection.transport.sent, ["POST"], ended=connection.transport.closed)
    assert answer.status == 200 and answer.complete
    opened, closed = machine.frames()
    assert isinstance(opened, Open) and isinstance(closed, Close) and closed.outcome == "ok"


@JUMPS
def test_a_silent_target_is_given_up_after_its_own_time_whatever_the_clock_says(tmp_path, jump):
    machine = machine_with(tmp_path)
    connection = machine.caller()
    machine.ask(connection, p.request(p.CHAT, p.chat_body("assistant", stream=True)))
    upstream = machine.connect()
    machine.answer(upstream, p.chunked(*p.chat_stream())[:300])
    jumped(machine, jump)
    machine.wait(6.0)
    assert not upstream.closed
    machine.wait(2.0)
    assert upstream.closed and machine.ends()[-1].outcome == "broken"


@JUMPS
def test_idle_connections_of_callers_and_targets_stay(tmp_path, jump):
    machine = machine_with(tmp_path)
    connection = machine.caller()
    ask = p.request(p.CHAT, p.chat_body("assistant"))
    machine.ask(connection, ask)
    upstream = machine.connect()
    machine.answer(upstream, p.response(p.chat_answer()))
    jumped(machine, jump)
    assert not connection.transport.closed and not upstream.closed
    machine.ask(connection, ask)
    assert not machine.connecting, "the kept connection is used again"


@JUMPS
def test_a_resting_target_rests_as_long_as_it_would_have(jump):
    breaker, now = Breaker(), 1000.0
    for _ in range(5):
        breaker.failed(now)
    breaker.move(jump)
    assert not breaker.allows(now + jump + 4.9) and breaker.allows(now + jump + 5.0)


def test_a_target_that_does_not_rest_begins_none():
    breaker = Breaker()
    breaker.move(HOUR)
    assert breaker.allows(0.0)


def test_a_request_limit_neither_opens_nor_closes_for_a_clock_that_goes_back():
    bucket, now = Bucket(60, HOUR), HOUR
    assert [bucket.take(1, now) for _ in range(60)] == [0.0] * 60 and bucket.take(1, now) > 0
    assert 0 < bucket.take(1, 0.0) <= 1.0, "it waits a second, not an hour"
    assert bucket.take(1, 1.0) == 0.0 and bucket.take(1, 1.0) > 0


def test_a_clock_that_goes_forward_fills_a_limit_once_and_no_further():
    bucket = Bucket(60, 0.0)
    assert all(bucket.take(1, 0.0) == 0.0 for _ in range(60))
    assert [bucket.take(1, HOUR) == 0.0 for _ in range(61)] == [True] * 60 + [False]


def test_retries_are_not_owed_for_a_clock_that_went_back():
    budget = RetryBudget(0.0, HOUR)
    assert budget.take(HOUR)
    assert [budget.take(0.0) for _ in range(int(FLOOR_PER_MINUTE))] == [True] * 9 + [False]
    assert budget.take(6.0), "one more after six seconds, as ever"
