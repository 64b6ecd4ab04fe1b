"""The adapter to inspect-ai: the same scores as there, and a clear word where it is not installed."""

from __future__ import annotations

import importlib.util

import pytest

from freehold.grading.errors import GraderFailed
from freehold.grading.registry import agree, grade
from freehold.grading.types import Answer, Spec

THERE = importlib.util.find_spec("inspect_ai") is not None
installed = pytest.mark.skipif(not THERE, reason="inspect-ai is not installed: pip install 'freehold[inspect]'")


def spec(scorer: str, **arguments: object) -> Spec:
    return Spec("inspect", {"scorer": scorer, "with": arguments} if arguments else {"scorer": scorer})


@installed
@pytest.mark.parametrize(
    ("one", "answer", "reference", "score"),
    [
        (spec("match"), "The answer is Paris.", "Paris", 1.0),
        (spec("match", location="begin"), "The answer is Paris.", "Paris", 0.0),
        (spec("includes"), "It was paris, I think", "Paris", 1.0),
        (spec("includes", ignore_case=False), "It was paris, I think", "Paris", 0.0),
        (spec("exact"), "Paris.", "paris", 1.0),
        (spec("f1"), "the red fox", "red fox runs", 0.8),
        (spec("pattern", pattern=r"total: (\d+)"), "total: 41", "41", 1.0),
        (spec("answer", pattern="letter"), "ANSWER: B", "B", 1.0),
    ],
)
def test_it_scores_as_inspect_does(one: Spec, answer: str, reference: str, score: float) -> None:
    assert grade(one, Answer(text=answer), Answer(text=reference)).score == pytest.approx(score, abs=0.01)


@installed
def test_answers_that_score_by_each_other_agree() -> None:
    assert agree(spec("exact"), Answer(text="Paris"), Answer(text="paris."))
    assert not agree(spec("exact"), Answer(text="Paris"), Answer(text="Rome"))


@installed
def test_arguments_a_scorer_does_not_have_are_told() -> None:
    with pytest.raises(GraderFailed, match="refuses its arguments"):
        grade(spec("match", colour="red"), Answer(text="1"), Answer(text="1"))


def test_a_scorer_that_asks_a_model_is_none_of_these() -> None:
    with pytest.raises(GraderFailed, match="there is no scorer 'model_graded_qa'"):
        grade(spec("model_graded_qa"), Answer(text="1"), Answer(text="1"))


@pytest.mark.skipif(THERE, reason="inspect-ai is installed")
def test_without_inspect_ai_it_says_how_to_get_it() -> None:
    with pytest.raises(GraderFailed, match="not installed") as caught:
        grade(spec("match"), Answer(text="1"), Answer(text="1"))
    assert "freehold[inspect]" in caught.value.hint
