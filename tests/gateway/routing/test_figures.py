"""Choice from live figures: the fastest, the cheapest, and nobody forgotten for good."""

from __future__ import annotations

import math
from collections import Counter
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from freehold.gateway.routing.choose import order_by_cost
from freehold.gateway.routing.figures import UNKNOWN_SECONDS, Figures, dearness, slowness
from freehold.ledger.meter import Price, Usage, rate
from tests.gateway import pieces as p
from tests.gateway.machine import Machine

RATE = rate(Price(input=Decimal(10), output=Decimal(40), source="test", as_of="2026-11-22"))


def cheap(name: str, port: int, **more):
    return p.target(
        name, port, price=Price(input=Decimal(1), output=Decimal(2), source="test", as_of="2026-11-22"), **more
    )


def machine_with(home: Path, choose: str, *targets, **more) -> Machine:
    names = tuple(one.name for one in targets)
    return Machine(home, p.routes(targets, p.route("assistant", names, choose=choose, **more)), p.keys())


def call(machine: Machine, seconds: float = 0.0, answer: bytes | None = None) -> str:
    """One call that its target takes so long to answer; the target's name."""
    machine.ask(machine.caller(), p.request(p.CHAT, p.chat_body()))
    upstream = machine.connect() if machine.connecting else machine.busy()[0]
    machine.time += seconds
    machine.answer(upstream, answer or p.response(p.chat_answer()))
    return machine.ends()[-1].tried[0].target


def test_the_fastest_is_asked(tmp_path: Path) -> None:
    machine = machine_with(tmp_path, "fastest", p.target("a", 9001), p.target("b", 9002))
    machine.health["a"].figures.began(2.0, machine.time)
    machine.health["b"].figures.began(0.5, machine.time)
    assert {call(machine, 0.5) for _ in range(5)} == {"b"}


def test_a_peak_counts_at_once_and_is_forgotten_in_time(tmp_path: Path) -> None:
    machine = machine_with(tmp_path, "fastest", p.target("a", 9001), p.target("b", 9002))
    for one in machine.health.values():
        one.figures.began(0.5, machine.time)
    slow = call(machine, 9.0)
    other = call(machine, 0.5)
    assert other != slow and call(machine, 0.5) == other
    machine.wait(UNKNOWN_SECONDS - 5)
    call(machine, 0.5)
    machine.wait(6.0)
    assert call(machine, 0.5) == slow  # unknown again, so it may show what it can


def test_calls_under_way_count_as_much_as_time(tmp_path: Path) -> None:
    machine = machine_with(tmp_path, "fastest", p.target("a", 9001), p.target("b", 9002))
    machine.health["a"].figures.began(1.0, machine.time)
    machine.health["b"].figures.began(1.9, machine.time)
    for _ in range(3):
        machine.ask(machine.caller(), p.request(p.CHAT, p.chat_body()))
    assert Counter(one[0].name for one in machine.connecting) == {"a": 2, "b": 1}


def test_the_cheapest_is_asked_and_what_calls_cost_counts_more_than_the_price(tmp_path: Path) -> None:
    machine = machine_with(tmp_path, "cheapest", p.target("dear", 9001), cheap("cheap", 9002))
    assert {call(machine) for _ in range(4)} == {"cheap"}
    talkative = p.response(p.chat_answer(prompt=10, completion=100_000))
    call(machine, 0.0, talkative)
    assert call(machine) == "dear"


def test_of_two_that_cost_the_same_the_faster_is_asked(tmp_path: Path) -> None:
    machine = machine_with(tmp_path, "cheapest", p.free("a", 9001), p.free("b", 9002))
    machine.health["a"].figures.began(2.0, machine.time)
    machine.health["b"].figures.began(1.0, machine.time)
    assert call(machine, 1.0) == "b"


@pytest.mark.parametrize("choose", ["fastest", "cheapest"])
def test_who_rests_comes_last_however_good(tmp_path: Path, choose: str) -> None:
    machine = machine_with(tmp_path, choose, p.target("a", 9001), cheap("b", 9002))
    machine.health["a"].figures.began(5.0, machine.time)
    machine.health["b"].breaker.rest(machine.time, 60.0)
    assert call(machine) == "a"


def test_figures_are_kept_only_where_a_route_asks(tmp_path: Path) -> None:
    machine = machine_with(tmp_path, "weighted", p.target("a", 9001), p.target("b", 9002))
    assert all(one.figures is None for one in machine.health.values())


def test_the_late_ones_are_known_once_enough_answers_are() -> None:
    figures = Figures()
    for number in range(19):
        figures.began(float(number), 0.0)
        assert figures.late() is None
    for number in range(19, 300):
        figures.began(float(number), 0.0)
    assert figures.late() == 294.0  # of the last hundred, 200 to 299


def test_a_target_that_did_not_answer_in_time_is_slow(tmp_path: Path) -> None:
    slow = p.target("a", 9001, whole_seconds=5.0)
    machine = machine_with(tmp_path, "fastest", slow, p.target("b", 9002, whole_seconds=5.0), attempts=1)
    machine.ask(machine.caller(), p.request(p.CHAT, p.chat_body()))
    lost = machine.connecting[0][0].name
    machine.connect()
    machine.wait(6.0)
    assert machine.health[lost].figures.seconds(machine.time) >= 5.0
    assert call(machine, 1.0) != lost


def test_nothing_known_is_good_and_nothing_kept_is_last() -> None:
    assert slowness(Figures(), 3, 100.0) == 0.0 and slowness(None, 0, 100.0) == math.inf
    assert dearness(Figures(), RATE) == pytest.approx(20e-6) and dearness(None, RATE) == math.inf
    figures = Figures()
    figures.cost(1.0, Usage())
    figures.cost(0.002, Usage(input=1000))
    assert dearness(figures, RATE) == pytest.approx(2e-6)


@given(st.lists(st.tuples(st.floats(0, 50), st.floats(0, 1000)), min_size=1, max_size=30))
@settings(max_examples=60)
def test_what_is_expected_lies_among_what_was_seen(seen: list[tuple[float, float]]) -> None:
    figures, now = Figures(), 0.0
    for seconds, pause in seen:
        now += pause
        figures.began(seconds, now)
    times = [seconds for seconds, _ in seen]
    assert figures.seconds(now) <= max(times) + 1e-9
    assert figures.seconds(now) >= seen[-1][0] - 1e-9 or figures.seconds(now) >= min(times) - 1e-9


@given(st.lists(st.tuples(st.floats(0, 10), st.floats(0, 10)), min_size=1, max_size=6), st.floats(0, 0.999))
@settings(max_examples=60)
def test_the_order_is_a_permutation_by_cost(arms: list[tuple[float, float]], roll: float) -> None:
    weights, costs = [one for one, _ in arms], [(one,) for _, one in arms]
    order = order_by_cost(weights, costs, roll)
    assert sorted(order) == list(range(len(arms)))
    wanted = [costs[index] for index in order if weights[index] > 0]
    assert wanted == sorted(wanted)
