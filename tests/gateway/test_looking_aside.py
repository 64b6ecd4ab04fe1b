"""A long request is looked at in another thread: others are served meanwhile, and the same comes of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from freehold.gateway.guarding import ASIDE_CHARACTERS
from freehold.ledger.frames import Open
from tests.gateway import guards as g
from tests.gateway import pieces as p
from tests.gateway.guarded_calls import answer, answered, ask, frames, sent, two_targets
from tests.gateway.machine import Machine

LONG = "the letter goes on and on; " * (ASIDE_CHARACTERS // 20)
OK = p.response(p.chat_answer("ok"))


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    made = two_targets(tmp_path)
    made.looking = []
    made.plane.aside = lambda look, then: made.looking.append((look, then))
    return made


def look(machine: Machine) -> None:
    work, then = machine.looking.pop()
    then(work())
    machine.turn()


def test_others_are_served_meanwhile_and_the_same_leaves(machine) -> None:
    g.arm(machine, g.rule("redact"))
    waiting = ask(machine, "rented", messages=f"{LONG}{g.EMAIL}")
    assert len(machine.looking) == 1 and not machine.connecting
    quick = ask(machine, "rented", messages="hello")
    answer(machine, OK)
    assert answered(quick).status == 200 and not frames(machine, Open)[1:]
    look(machine)
    upstream = answer(machine, OK)
    assert sent(upstream)["messages"][0]["content"] == f"{LONG}[EMAIL]"
    assert answered(waiting).status == 200


def test_what_is_blocked_does_not_leave(machine) -> None:
    g.arm(machine, g.rule("block"))
    waiting = ask(machine, "rented", messages=f"{LONG}{g.EMAIL}")
    look(machine)
    assert answered(waiting).status == 403 and not machine.connecting and not frames(machine, Open)


def test_who_hangs_up_meanwhile_is_not_served(machine) -> None:
    g.arm(machine, g.rule("redact"))
    waiting = ask(machine, "rented", messages=LONG)
    machine.lose(waiting)
    look(machine)
    assert not machine.connecting and not frames(machine, Open) and not machine.plane.calls


def test_a_thread_that_fails_lets_nothing_through(machine) -> None:
    g.arm(machine, g.rule("redact"))
    waiting = ask(machine, "rented", messages=LONG)
    _, then = machine.looking.pop()
    then(RuntimeError("no"))
    machine.turn()
    assert answered(waiting).status == 500 and not machine.connecting and not frames(machine, Open)
