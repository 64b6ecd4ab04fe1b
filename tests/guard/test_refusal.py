from __future__ import annotations

import pytest

from bench.refusal_phrases import OTHERS, REFUSALS, answers
from freehold.guard.detectors.refusal import Refusal
from freehold.guard.types import Piece

DETECTOR = Refusal()


@pytest.mark.parametrize("text", REFUSALS)
def test_refusals_are_known_in_twelve_languages(text):
    assert DETECTOR.score(text) >= 0.9


@pytest.mark.parametrize("text", OTHERS)
def test_what_a_model_cannot_do_or_only_sounds_like_it_is_no_refusal(text):
    assert DETECTOR.score(text) == 0


def test_emphasis_apostrophes_and_greetings_make_no_difference():
    wrong = [text for text, refuses in answers(600, seed=7) if (DETECTOR.score(text) >= 0.5) is not refuses]
    assert wrong == []


def test_an_answer_that_helps_after_all_is_half_a_refusal():
    text = "I can't write that poem, but here is another:\n1. Roses are red\n2. Violets are blue"
    (found,) = DETECTOR.find(Piece(text))
    assert 0.5 < found.score < 0.9
    assert (found.kind, found.start, found.end) == ("refusal", 0, len(text))


def test_only_the_beginning_decides():
    assert DETECTOR.find(Piece("Here is the transcript. " * 20 + "I'm sorry, but I can't help with that.")) == []
