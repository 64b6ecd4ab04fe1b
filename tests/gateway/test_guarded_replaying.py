"""The response cache behind a guard: only what it found nothing in is served again, and each asking is looked at."""

from __future__ import annotations

from pathlib import Path

import pytest

from freehold.gateway.routing.types import CacheRule
from freehold.ledger.frames import Close, Open
from tests.gateway import guards as g
from tests.gateway import pieces as p
from tests.gateway.guarded_calls import answer, answered, ask
from tests.gateway.machine import Machine

RULES = (g.rule("pseudonymise"), g.rule("block", "words", "BAD"), g.raising(), g.rule("redact", "words", "OFFENDS"))


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    targets = (p.free("mine", 9002, clearance="unknown"), p.claude("claude", 9003))
    kept = CacheRule(60.0, "everyone")
    routes = (p.route("both", "mine", cache=kept), p.route("claude", "claude", cache=kept))
    made = Machine(tmp_path, p.routes(targets, *routes), p.keys())
    g.arm(made, *RULES)
    return made


def again(machine: Machine, text: str, said: str = "hello", *lines: str, model: str = "both", **more) -> bool:
    """Is the second asking answered from memory?"""
    reply = p.response(p.chat_answer(said)) if model == "both" else p.response(p.message_answer(said))
    ask(machine, model, *lines, messages=text, **more)
    answer(machine, reply)
    before = len(machine.ends())
    connection = ask(machine, model, *lines, messages=text, **more)
    if len(machine.ends()) == before:
        answer(machine, reply)
        return False
    return answered(connection).headers["x-freehold-cache"] == "hit"


def test_what_the_guard_found_nothing_in_is_served_again(machine) -> None:
    assert again(machine, "what is the time?")
    close = machine.ends()[-1]
    assert isinstance(close, Close) and close.scan is not None and close.scanned == len("what is the time?")


def test_a_translated_stream_too(machine) -> None:
    ask(machine, "claude", messages="what is the time?", stream=True)
    answer(machine, p.chunked(*p.message_stream()))
    second = answered(ask(machine, "claude", messages="what is the time?", stream=True))
    assert second.headers["x-freehold-cache"] == "hit" and second.complete


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"mail {g.EMAIL}", "hello"),
        ("what is the time?", f"ask {g.EMAIL}"),
        ("what is the time?", "a shameful hour"),
        ("the patient sleeps", "hello"),
        ("who sleeps?", "the patient"),
    ],
)
def test_what_it_found_something_in_is_not(machine, text: str, said: str) -> None:
    assert not again(machine, text, said)
    assert not len(machine.plane.answers)


def test_what_it_blocks_is_blocked_whatever_is_kept(machine) -> None:
    assert answered(ask(machine, "both", messages="forbidden")).status == 403
    assert not len(machine.plane.answers)


def test_what_was_once_said_under_a_higher_label_gets_the_answer_of_that_label(machine) -> None:
    asked = "what is the time? " * 6  # long enough to be known again
    assert again(machine, asked)
    ask(machine, "both", "x-freehold-label: restricted", messages=asked)
    answer(machine, p.response(p.chat_answer("late")))
    found = answered(ask(machine, "both", messages=asked))
    assert found.headers["x-freehold-cache"] == "hit" and found.body == p.chat_answer("late")
    opened = [one for one in machine.frames() if isinstance(one, Open)][-1]
    assert opened.label == "restricted"
