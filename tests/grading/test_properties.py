"""What holds of every grader, whatever models write."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from freehold.grading.errors import GraderFailed
from freehold.grading.registry import GRADERS, agree, grade, with_embedder
from freehold.grading.types import Answer, Spec, ToolCall

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-99, 99)
    | st.floats(-9, 9)
    | st.text(max_size=6)
    | st.sampled_from(["5", "a"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=6,
)
objects = st.dictionaries(st.sampled_from("abcd"), values, max_size=4)
words = st.text(max_size=40) | st.sampled_from(
    ["42", "$1,000", "label: a", "SELECT 1", "```json\n{}\n```", "- 3", "a", "A."]
)
answers = st.builds(
    Answer,
    text=words | objects.map(json.dumps) | objects.map(lambda one: f"Here: {json.dumps(one)} done"),
    tool_calls=st.lists(
        st.builds(ToolCall, st.sampled_from(["f", "g"]), objects.map(json.dumps) | st.just("{")), max_size=3
    ).map(tuple),
    refusal=st.booleans(),
)
OPTIONS = {"regex": {"pattern": "(a+|[0-9]+)"}, "autoevals": {"scorer": "JSONDiff"}}
ALL = with_embedder(lambda text: [float(len(text)), 1.0])


def spec(kind):
    return Spec(kind, OPTIONS.get(kind, {}))


@pytest.mark.parametrize("kind", [one.name for one in GRADERS])
@settings(max_examples=60, deadline=None)
@given(one=answers, other=answers)
def test_a_grade_lies_between_0_and_1(kind, one, other):
    try:
        found = grade(spec(kind), one, other, ALL)
    except GraderFailed:
        return
    assert 0.0 <= found.score <= 1.0
    assert grade(spec(kind), one, other, ALL) == found


@pytest.mark.parametrize("kind", [one.name for one in GRADERS])
@settings(max_examples=60, deadline=None)
@given(one=answers, other=answers)
def test_agreement_is_symmetric(kind, one, other):
    assert agree(spec(kind), one, other, ALL) == agree(spec(kind), other, one, ALL)


@pytest.mark.parametrize("kind", [one.name for one in GRADERS])
@settings(max_examples=60, deadline=None)
@given(one=answers)
def test_an_answer_that_can_be_a_reference_agrees_with_itself_and_no_refusal_does(kind, one):
    try:
        usable = grade(spec(kind), one, one, ALL).score == 1.0 and not one.refusal
    except GraderFailed:
        usable = False
    if kind == "tool_call":
        usable = usable and bool(one.tool_calls)
    assert agree(spec(kind), one, one, ALL) == usable
    if one.refusal or not (one.text or one.tool_calls):
        assert not agree(spec(kind), one, one, ALL)
