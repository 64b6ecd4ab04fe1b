from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from freehold.workflows.drift import weighted_jaccard
from freehold.workflows.maturity import Measured, judge
from freehold.workflows.naming import name_of, unique
from freehold.workflows.shapes import JSON, NONE, NUMBER, SHORT, TEXT, TOOL, said_in, said_of
from freehold.workflows.types import Shape

GOOD = Measured(
    calls=900, days=28.0, likeness=0.9, regularity=1.0, agreement=None, errors=0.0, kind="label", chat=False
)


def verdict(**changes):
    values = {name: getattr(GOOD, name) for name in GOOD.__struct_fields__}
    return judge(Measured(**{**values, **changes}))


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "mature"),
        ({"likeness": None}, "mature"),
        ({"likeness": 0.11}, "immature"),
        ({"days": 3.0}, "young"),
        ({"calls": 80}, "young"),
        ({"errors": 0.5}, "young"),
        ({"chat": True, "kind": "text"}, "exploratory"),
        ({"chat": True, "likeness": 0.1}, "exploratory"),
    ],
)
def test_verdicts(changes, expected):
    found = verdict(**changes)
    assert found.verdict == expected and found.reasons


def test_chat_scores_nothing():
    assert verdict(chat=True, kind="text").score == 0


shares = st.floats(0, 1)
measured = st.builds(
    Measured,
    calls=st.integers(0, 10_000),
    days=st.floats(0, 400),
    likeness=st.none() | shares,
    regularity=shares,
    agreement=st.none() | shares,
    errors=shares,
    kind=st.sampled_from(["label", "json", "tool", "number", "short", "text", "none"]),
    chat=st.booleans(),
)


@given(measured)
def test_the_score_is_the_product_of_the_terms_that_are_shown(of):
    found = judge(of)
    assert all(0 <= term.value <= 1 for term in found.terms)
    assert found.score == pytest.approx(math.prod(term.value for term in found.terms), abs=1e-3)


def test_likeness_of_weeks():
    assert weighted_jaccard(np.array([1.0, 0.5]), np.array([1.0, 0.5])) == 1
    assert weighted_jaccard(np.array([1.0, 0.0]), np.array([0.0, 1.0])) == 0
    assert weighted_jaccard(np.array([1.0, 0.0]), np.array([1.0, 1.0])) == 0.5
    assert weighted_jaccard(np.zeros(2), np.zeros(2)) is None


@pytest.mark.parametrize(
    ("text", "kind", "names"),
    [
        ("", NONE, ()),
        ("tax", SHORT, ()),
        ("-1,204.50 %", NUMBER, ()),
        ('{"b": 1, "a": 2}', JSON, ("a", "b")),
        ('```json\n{"a": {"c": 1}}\n```', JSON, ("a",)),
        ('[{"a": 1}]', JSON, ("[]", "a")),
        ('{"cut', SHORT, ()),
        ("One sentence that says a little more than a label does.", TEXT, ()),
    ],
)
def test_shapes_of_answers(text, kind, names):
    found = said_in(text)
    assert (found.kind, found.names) == (kind, names)


@given(st.binary(max_size=200))
def test_no_answer_is_too_broken(data):
    assert said_of(data).kind in (NONE, TOOL, JSON, NUMBER, SHORT, TEXT)


def test_names():
    assert name_of([], set(), Shape(kind="json", names=("total", "date")), chat=False) == "extract-total-date"
    assert name_of([], set(), Shape(kind="tool"), chat=False) == "call-tools"
    assert name_of([], set(), Shape(kind="text"), chat=True) == "exploratory-chat"
    assert unique("a", {"a", "a-2"}) == "a-3"
