"""What is compared, and how it is scored: drawn before answers are read, never from the window, in order."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from freehold.grading.types import Answer, Spec, ToolCall
from freehold.moves.pairing import compare, drawn, fault_of, side_of
from freehold.workflows.exchange import Exchange
from tests.moves.sample import RULE, WINDOW, Door, move, record

MEMBERS = ("owned-a",)


def nobody(_record: bytes) -> Answer | None:
    return None


def agreeing(_target: str, _question: str) -> str:
    return "yes"


def test_a_shadow_asks_the_candidate_about_what_the_incumbent_served() -> None:
    door = Door(lambda _target, question: "yes" if question.endswith("1") else "no")
    found = compare(move(), [record(1), record(2)], MEMBERS, door, nobody)
    assert [target for target, _ in door.asked] == ["owned-a", "owned-a"]
    assert [(one.served, one.difference, one.valid) for one in found.pairs] == [
        ("incumbent", 0.0, True),
        ("incumbent", -1.0, True),
    ]
    assert found.looked_at == record(2).id


def test_what_the_candidate_served_is_compared_with_the_incumbents_answer() -> None:
    door = Door(lambda target, _question: "no" if target == "rented" else "wrong side")
    found = compare(move("canary"), [record(1, answer="yes", target="owned-a")], MEMBERS, door, nobody)
    assert [(one.served, one.candidate, one.incumbent) for one in found.pairs] == [("candidate", 0.0, 1.0)]
    assert found.pairs[0].cost == 10**9


def test_calls_of_the_window_never_count() -> None:
    door = Door(agreeing)
    found = compare(move(), [record(1, at=WINDOW), record(2, at=WINDOW - 5)], MEMBERS, door, nobody)
    assert (found.pairs, door.asked) == ((), [])
    assert found.looked_at == record(2, at=WINDOW - 5).id


def test_a_candidate_that_does_not_answer_scores_nothing_and_a_silent_incumbent_makes_no_pair() -> None:
    down: Callable[[str, str], str | None] = lambda _target, _question: None  # noqa: E731
    found = compare(move(), [record(1)], MEMBERS, Door(down), nobody)
    assert [(one.candidate, one.incumbent, one.valid) for one in found.pairs] == [(0.0, 1.0, False)]
    some: Callable[[str, str], str | None] = lambda _target, question: None if question.endswith("1") else "yes"  # noqa: E731
    served = [record(n, target="owned-a") for n in (1, 2)]
    found = compare(move("canary"), served, MEMBERS, Door(some), nobody)
    assert ([one.record for one in found.pairs], found.missing) == ([served[1].id], 1)
    assert found.looked_at == served[1].id


def test_calls_wait_where_the_incumbent_is_nowhere_to_be_reached() -> None:
    mine, theirs = record(2, target="owned-a"), record(1)
    door = Door(lambda target, _question: None if target == "rented" else "yes")
    found = compare(move("canary"), [theirs, mine, record(3)], MEMBERS, door, nobody)
    assert [one.record for one in found.pairs] == [theirs.id]
    assert (found.looked_at, found.missing) == (theirs.id, 0), "nothing from the first unanswered call on is dealt with"
    found = compare(move("canary"), [mine, record(3)], MEMBERS, Door(agreeing), nobody)
    assert [one.record for one in found.pairs] == [mine.id, record(3).id], "and all of it is once it is back"


def test_a_round_that_takes_long_keeps_what_it_has_and_the_rest_is_for_the_next() -> None:
    door = Door(agreeing)
    calls = [record(n) for n in range(1, 6)]
    found = compare(move(), calls, MEMBERS, door, nobody, lambda: len(door.asked) == 2)
    assert [one.record for one in found.pairs] == [one.id for one in calls[:2]]
    assert found.looked_at == calls[1].id


def test_where_the_grader_breaks_the_answer_is_at_fault_unless_the_right_one_breaks_it_too() -> None:
    graded = move(rule=replace(RULE, grader=Spec("json_fields")))
    door = Door(lambda _target, _question: '{"a": 1}')
    found = compare(graded, [record(1, '{"a": 1}'), record(2, "no JSON at all")], MEMBERS, door, nobody)
    assert [(one.record, one.difference) for one in found.pairs] == [(record(1).id, 0.0)]
    assert (found.missing, found.looked_at) == (1, record(2).id)


def test_people_decide_only_where_the_two_differ_and_hold_up_what_comes_after() -> None:
    judged = move(rule=replace(RULE, reference="annotations"))
    door = Door(lambda _target, question: "no" if question.endswith(("2", "4")) else "yes")
    known = {record(2).id: Answer("no")}
    found = compare(judged, [record(n) for n in (1, 2, 3, 4, 5)], MEMBERS, door, known.get)
    assert [(one.candidate, one.incumbent, one.gold) for one in found.pairs] == [
        (1.0, 1.0, False),
        (1.0, 0.0, True),
        (1.0, 1.0, False),
    ]
    assert found.wanted == (record(4).id,)
    assert found.looked_at == record(3).id


def test_after_cut_over_the_held_back_are_always_compared_and_a_sample_of_the_others() -> None:
    owned = move("owned", share=0.98)
    served = [side_of(owned, record(n, target="owned-a"), MEMBERS).paired for n in range(4000)]
    assert 40 <= sum(served) <= 130  # 2 % of 4000, six standard deviations
    assert all(side_of(owned, record(n), MEMBERS).paired for n in range(50))


@given(st.binary(min_size=16, max_size=16), st.text("abc", min_size=1, max_size=8))
def test_drawing_depends_on_move_and_record_alone(found: bytes, name: str) -> None:
    assert 0.0 <= drawn(name, found) < 1.0
    assert drawn(name, found) == drawn(name, found)


@pytest.mark.parametrize(
    ("answer", "asked", "fault"),
    [
        (Answer("fine"), Exchange(), None),
        (Answer(""), Exchange(), "empty"),
        (Answer("  \n"), Exchange(), "empty"),
        (Answer("no", refusal=True), Exchange(), "refusal"),
        (Answer(finish="error"), Exchange(), "timeout"),
        (Answer("text"), Exchange(schema={"type": "object"}), "schema"),
        (Answer('{"a": 1}'), Exchange(schema={"type": "object"}), None),
        (Answer("text"), Exchange(answer=Answer('{"a": 1}')), "schema"),
        (Answer(tool_calls=(ToolCall("f", "{}"),)), Exchange(tools=("f",)), None),
        (Answer(tool_calls=(ToolCall("g", "{}"),)), Exchange(tools=("f",)), "tool_name"),
        (Answer(tool_calls=(ToolCall("f", "{"),)), Exchange(tools=("f",)), "schema"),
        (Answer("text"), Exchange(tools=("f",), answer=Answer(tool_calls=(ToolCall("f", "{}"),))), "schema"),
    ],
)
def test_an_answer_of_the_wrong_form_is_told_without_any_reference(
    answer: Answer, asked: Exchange, fault: str | None
) -> None:
    assert fault_of(answer, asked) == fault
