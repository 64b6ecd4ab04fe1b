"""What varies in answers is found, and put together again byte for byte."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freehold.grading.types import Answer, ToolCall
from freehold.moves.training.answers import learn
from freehold.moves.training.errors import NothingToLearn
from freehold.serving.answer_shape import render


def rendered(learned, index):
    label = learned.labels[index]
    values = [head[i] for head, i in zip(learned.heads, label, strict=True)]
    shape = learned.shapes[label[0]] if len(learned.shapes) > 1 else learned.shapes[0]
    return render(shape, values)


def assert_same(answers, learned):
    for index, one in enumerate(answers):
        if learned.labels[index] is not None:
            assert rendered(learned, index) == (one.text, one.tool_calls)


def test_a_plain_label_is_the_whole_answer_and_its_commonest_spelling_stands():
    learned = learn([Answer("card")] * 3 + [Answer("Card.")] + [Answer("pin\n")] * 2)
    assert learned.heads == (("card", "pin\n"),)
    assert learned.labels == ((0,),) * 4 + ((1,),) * 2


def test_leaves_of_one_json_form_are_labels_of_their_own_where_whole_answers_are_many():
    answers = [
        Answer(f'{{"team": "{team}",\n "urgent": {urgent}, "by": "bot", "n": {n}}}')
        for team in "abcdef"
        for urgent in ("true", "false")
        for n in range(5)
        for _ in range(2)
    ]
    learned = learn(answers)
    assert sorted(len(head) for head in learned.heads) == [2, 5, 6]
    assert None not in learned.labels
    assert_same(answers, learned)


def test_few_whole_answers_are_one_label_so_that_their_leaves_always_fit_together():
    answers = [Answer(json.dumps({"team": t, "queue": t + "-queue"})) for t in "abc" for _ in range(3)]
    learned = learn(answers)
    assert len(learned.heads) == 1 and len(learned.heads[0]) == 3
    assert_same(answers, learned)


def test_tool_calls_keep_their_arguments_as_written_and_may_differ_in_name_and_number():
    answers = [
        Answer(tool_calls=(ToolCall("close", '{ "why":"done" }'),)),
        Answer(tool_calls=(ToolCall("close", '{ "why":"done" }'), ToolCall("tell", "{}"))),
        Answer("no tool needed"),
    ] * 3
    learned = learn(answers)
    assert len(learned.shapes) == 3
    assert_same(answers, learned)


def test_answers_that_are_written_and_not_chosen_are_refused():
    with pytest.raises(NothingToLearn, match="of 60 answers"):
        learn([Answer(f"Dear customer number {i}, thank you for {i * 7}") for i in range(60)])
    with pytest.raises(NothingToLearn):
        learn([Answer(json.dumps({"total": i * 3.5, "vendor": f"firm {i}"})) for i in range(60)])


def test_rare_answers_are_left_out_and_told():
    learned = learn([Answer("a")] * 10 + [Answer("b")] * 10 + [Answer("once")])
    assert learned.heads == (("a", "b"),) and learned.labels[-1] is None


leaf = st.one_of(st.sampled_from(["x", 'q"uote', "ü\n", ""]), st.integers(0, 2), st.booleans(), st.none())


@given(
    st.lists(st.tuples(leaf, leaf, leaf), min_size=4, max_size=30),
    st.sampled_from([None, 0, 2]),
    st.booleans(),
    st.sampled_from([None, True, False]),
)
def test_whatever_is_learned_is_rendered_exactly(rows, indent, escaped, joint):
    def write(row):
        a, b, c = row
        return json.dumps({"a": a, "deep": [{"b": b}, 1.50], "c": c}, indent=indent, ensure_ascii=escaped)

    answers = [Answer(write(row)) for row in rows] * 2
    assert_same(answers, learn(answers, joint=joint))
