"""What people said, kept once, and gone with the call it is about."""

from __future__ import annotations

import json

from freehold.core.ids import as_text
from freehold.grading.types import Answer, ToolCall
from freehold.ledger.capture import erase_call
from tests.evals.conftest import WORKFLOW, number_of, record
from tests.postgres import EACH_DATABASE

pytestmark = EACH_DATABASE


def lines(*found):
    return [json.dumps(one).encode() for one in found]


def test_judgements_are_taken_by_either_name_and_once(fill, people):
    fill(record(n) for n in range(3))
    given = lines(
        {"record": as_text("rec", number_of(0)), "answer": "no"},
        {"record": "req_1", "answer": {"tool_calls": [{"name": "f", "arguments": {"a": 1}}]}},
        {"record": "req_2", "score": 0.5, "target": "owned-a", "who": "eve", "at": 7.0, "note": "so so"},
    )
    assert people.add(given, "ada", 5.0).new == 3
    again = people.add([*given, b""], "ada", 9.0)
    assert (again.read, again.new, again.known) == (3, 0, 3)
    found = {one.record: one for one in people.of(WORKFLOW)}
    assert found[number_of(0)].answer == Answer(text="no")
    assert found[number_of(1)].answer == Answer(tool_calls=(ToolCall("f", '{"a":1}'),))
    assert (found[number_of(2)].score, found[number_of(2)].who, found[number_of(2)].at) == (0.5, "eve", 7.0)


def test_bad_lines_are_told_with_their_number_and_stop_nothing(fill, people):
    fill([record(0)])
    told = people.add(
        [
            b"{oops",
            *lines(
                {"record": "req_77", "answer": "a"},
                {"record": "req_0", "answer": "a", "score": 1},
                {"record": "req_0", "score": 2},
                {"record": "req_0", "answer": ""},
                {"record": "req_0", "score": True},
                {"record": "req_0", "answer": "fine"},
            ),
        ],
        "ada",
        1.0,
    )
    assert (told.new, told.refused) == (1, 6)
    assert [one.line for one in told.rejected] == [1, 2, 3, 4, 5, 6]


def test_the_latest_word_is_the_right_answer(fill, people):
    fill([record(0)])
    people.add(
        lines({"record": "req_0", "answer": "late", "at": 20}, {"record": "req_0", "answer": "early", "at": 10}), "a", 1
    )
    gold = people.gold(WORKFLOW)
    assert gold(number_of(0)).text == "late"
    assert gold(number_of(1)) is None
    assert people.gold("wf_other")(number_of(0)) is None


def test_what_is_exported_can_be_imported(fill, people):
    fill(record(n) for n in range(2))
    people.add(lines({"record": "req_0", "answer": "a"}, {"record": "req_1", "score": 1, "note": "n"}), "ada", 3.0)
    told = people.add(people.lines(WORKFLOW), "else", 9.0)
    assert (told.new, told.known) == (0, 2)


def test_erasing_a_call_erases_what_was_said_about_it(fill, people, engine, bodies):
    fill([record(0)])
    people.add(lines({"record": "req_0", "answer": "my name is Ada"}), "ada", 3.0)
    erase_call(engine, bodies, number_of(0), "asked for", 4.0)
    (one,) = people.of(record=number_of(0))
    assert one.answer is None
    assert people.gold()(number_of(0)) is None


def test_no_content_stands_in_the_database(fill, people, engine, tmp_path):
    fill([record(0)])
    people.add(lines({"record": "req_0", "answer": "xyzzy-plugh"}), "ada", 3.0)
    engine.dispose()
    assert not any(b"xyzzy-plugh" in one.read_bytes() for one in tmp_path.rglob("*") if one.is_file())
