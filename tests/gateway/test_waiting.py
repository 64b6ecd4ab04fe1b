"""Full targets: calls wait their turn by class, go where there is room, and are refused once too many wait."""

from __future__ import annotations

from pathlib import Path

import pytest

from freehold.gateway.routing.types import Composite
from freehold.ledger.frames import Attempt, Open
from tests.gateway import pieces as p
from tests.gateway.answers import Answer, read_answers
from tests.gateway.machine import Machine

ANSWER = p.response(p.chat_answer())


def machine_with(home: Path, *targets, **route) -> Machine:
    targets = targets or (p.target("a", 9001, most_in_flight=1, most_waiting=3, first_token_seconds=30.0),)
    return Machine(home, p.routes(targets, p.route("assistant", *(one.name for one in targets), **route)), p.keys())


def ask(machine: Machine, priority: str = "", body: bytes | None = None):
    lines = (f"x-freehold-priority: {priority}",) if priority else ()
    connection = machine.caller()
    machine.ask(connection, p.request(p.CHAT, body or p.chat_body(), *lines))
    return connection


def answered(connection) -> Answer | None:
    wire = connection.transport
    found = read_answers(wire.sent, ["POST"], ended=wire.closed)
    return found[0] if found else None


def sent(machine: Machine) -> int:
    return len(machine.busy()) + len(machine.connecting)


def finish(machine: Machine) -> None:
    """The target answers what it was sent, and the loop turns."""
    for upstream in machine.busy() or [machine.connect()]:
        machine.answer(upstream, ANSWER)
    machine.wait(0.0)


def depth(machine: Machine, name: str = "a") -> int:
    return len(machine.health[name].queue)


def test_a_call_waits_until_there_is_room(tmp_path: Path) -> None:
    machine = machine_with(tmp_path)
    first, second = ask(machine), ask(machine)
    assert sent(machine) == 1 and depth(machine) == 1
    finish(machine)
    assert answered(first).status == 200 and sent(machine) == 1 and depth(machine) == 0
    finish(machine)
    assert answered(second).status == 200 and machine.health["a"].in_flight == 0


def test_nothing_is_written_or_reserved_while_it_waits(tmp_path: Path) -> None:
    machine = machine_with(tmp_path)
    ask(machine)
    machine.connect()
    before = len(machine.frames())
    ask(machine)
    assert len(machine.frames()) == before and not machine.calls[-1].account.reservation.amount


def test_higher_classes_go_first_and_within_one_who_came_first(tmp_path: Path) -> None:
    target = p.target("a", 9001, most_in_flight=1, most_waiting=10)
    machine = machine_with(tmp_path, target)
    ask(machine)
    waiting = {name: ask(machine, name.split("-")[0]) for name in ("batch", "normal", "interactive-1", "interactive-2")}
    order = []
    for _ in range(5):
        finish(machine)
        order += [name for name, one in waiting.items() if answered(one) and name not in order]
    assert order == ["interactive-1", "interactive-2", "normal", "batch"]


def test_batch_leaves_room_for_others(tmp_path: Path) -> None:
    machine = machine_with(tmp_path, p.target("a", 9001, most_in_flight=4))
    for _ in range(4):
        ask(machine, "batch")
    assert sent(machine) == 3 and depth(machine) == 1
    ask(machine)
    assert sent(machine) == 4 and depth(machine) == 1


def test_a_caller_may_ask_for_less_than_its_route_gives_and_not_for_more(tmp_path: Path) -> None:
    machine = machine_with(tmp_path, p.target("a", 9001, most_in_flight=4), priority="batch")
    for _ in range(4):
        ask(machine, "interactive")
    assert sent(machine) == 3


def test_a_team_has_a_class_too(tmp_path: Path) -> None:
    table = p.routes((p.target("a", 9001, most_in_flight=4),), p.route("assistant", "a"))
    machine = Machine(tmp_path, table, p.keys(p.principal(priority="batch")))
    for _ in range(4):
        ask(machine, "interactive")
    assert sent(machine) == 3


def test_a_member_that_is_full_is_passed_over(tmp_path: Path) -> None:
    targets = (p.target("a", 9001, most_in_flight=1), p.target("b", 9002))
    sure = Composite(name="sure", kind="confidence", members=("a",), escalate="b", threshold=0.9)
    table = p.routes(targets, p.route("assistant", "sure"), p.route("solo", "a"), composites=(sure,))
    machine = Machine(tmp_path, table, p.keys())
    ask(machine, "", p.chat_body("solo"))
    connection = ask(machine)
    assert [one[0].name for one in machine.connecting] == ["a", "b"]
    machine.answer(machine.connect(1), ANSWER)
    assert answered(connection).headers["x-freehold-composite"] == "escalated"


def test_too_many_are_refused_and_the_lowest_class_gives_way(tmp_path: Path) -> None:
    machine = machine_with(tmp_path)
    ask(machine)
    batch = [ask(machine, "batch") for _ in range(3)]
    late = ask(machine, "batch")
    answer = answered(late)
    assert answer.status == 503 and answer.headers["x-freehold-error"] == "FH-AVA-032"
    assert answer.headers["retry-after"] == "5"
    urgent = ask(machine)
    assert answered(batch[2]).status == 503 and answered(urgent) is None and depth(machine) == 3
    finish(machine)
    assert sent(machine) == 1 and depth(machine) == 2
    finish(machine)
    assert answered(urgent).status == 200


def test_who_waited_too_long_is_told_so(tmp_path: Path) -> None:
    machine = machine_with(
        tmp_path, p.target("a", 9001, most_in_flight=1, first_token_seconds=30.0, whole_seconds=900.0)
    )
    ask(machine)
    machine.connect()
    normal, batch = ask(machine), ask(machine, "batch")
    machine.wait(31.0)
    assert answered(normal).status == 503 and answered(batch) is None and depth(machine) == 1
    machine.wait(270.0)
    assert answered(batch).status == 503 and depth(machine) == 0


def test_who_leaves_makes_room_and_is_settled(tmp_path: Path) -> None:
    machine = machine_with(tmp_path)
    ask(machine)
    gone = ask(machine)
    machine.lose(gone)
    assert depth(machine) == 0 and machine.ends()[-1].status == 499
    finish(machine)
    assert sent(machine) == 0 and not machine.plane.calls


def test_who_leaves_a_target_lets_the_next_go(tmp_path: Path) -> None:
    machine = machine_with(tmp_path)
    first = ask(machine)
    ask(machine)
    machine.connect()
    machine.lose(first)
    machine.wait(0.0)
    assert depth(machine) == 0 and sent(machine) == 1


def test_where_one_is_full_another_is_asked_but_not_by_batch(tmp_path: Path) -> None:
    machine = machine_with(tmp_path, p.target("a", 9001, most_in_flight=2), p.target("b", 9002))
    for _ in range(3):
        ask(machine)
    assert [one[0].name for one in machine.connecting] == ["a", "a", "b"]
    ask(machine, "batch")
    assert len(machine.connecting) == 3 and depth(machine) == 1


def test_a_fallback_waits_too(tmp_path: Path) -> None:
    machine = machine_with(tmp_path, p.target("b", 9002), p.target("a", 9001, most_in_flight=1))
    table = machine.plane.table
    ask(machine)
    table.stops["a"].health.in_flight = 1
    machine.refuse_connection()
    assert sent(machine) == 0 and depth(machine) == 1
    table.stops["a"].health.in_flight = 0
    machine.health["a"].queue.pump(machine.health["a"])
    machine.turn()
    finish(machine)
    assert [type(one) for one in machine.frames()[:2]] == [Open, Attempt] and machine.ends()[-1].outcome == "ok"


def test_a_new_limit_counts_at_once(tmp_path: Path) -> None:
    machine = machine_with(tmp_path)
    for _ in range(3):
        ask(machine)
    target = p.target("a", 9001, most_in_flight=0)
    machine.publish(routes=p.routes((target,), p.route("assistant", "a")))
    machine.wait(0.0)
    assert sent(machine) == 3 and depth(machine) == 0


@pytest.mark.parametrize("priority", ["urgent", "0"])
def test_a_class_that_there_is_not_is_refused(tmp_path: Path, priority: str) -> None:
    assert answered(ask(machine_with(tmp_path), priority)).status == 400
