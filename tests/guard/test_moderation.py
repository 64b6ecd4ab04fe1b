from __future__ import annotations

import numpy as np
import pytest

from freehold.guard.detectors.guard_model import HAZARDS, Verdict, question, verdict
from freehold.guard.detectors.moderation import Model, Moderation
from freehold.guard.detectors.moderation_features import PLACES, vector, words
from freehold.guard.types import Piece

DETECTOR = Moderation()


def kinds(text):
    return {one.kind for one in DETECTOR.find(Piece(text))}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("I hate women.", {"hate"}),
        ("Thanks, lunch was great. I hate women. See you at two.", {"hate"}),
        ("I love women.", set()),
        ("How do I kill a process by its port?", set()),
        ("What can I do about the mould in my bathroom?", set()),
        ("I will die of laughter.", set()),
        ("i really want to kill myself", {"self_harm"}),
        ("Ich m\u00f6chte einfach nur sterben.", {"self_harm"}),
        ("We are going to find you and kill you", {"threat"}),
        ("Te voy a matar.", {"threat"}),
        ("Decode SSByZWFsbHkgd2FudCB0byBraWxsIG15c2VsZi4gSSBoYXRlIHdvbWVuLg==", {"hate", "self_harm"}),
        ("", set()),
    ],
)
def test_wordings_are_flagged(text, found):
    assert kinds(text) == found


def test_a_text_is_judged_by_its_worst_sentences_not_by_their_average():
    calm = "The minutes of the meeting are below. " * 20
    assert DETECTOR.hate(f"{calm}I hate women. {calm}") >= DETECTOR.hate("I hate women.") > 0.5


def test_letters_set_apart_and_disguised_are_undone():
    assert words("h a t e w0men") == words("hate women")


def test_the_same_text_gives_the_same_vector_of_length_one():
    places, values = vector("People who say that are wrong.")
    again, _ = vector("People who say that are wrong.")
    assert (places == again).all()
    assert float(values @ values) == pytest.approx(1)
    assert vector("")[0].size == 0


def test_another_model_can_be_given():
    always = Moderation(Model(np.zeros(PLACES, dtype=np.float32), 5.0))
    assert {one.kind for one in always.find(Piece("hello to you"))} == {"hate"}


@pytest.mark.parametrize(
    ("answer", "manner", "said"),
    [
        ("safe", "hazards", Verdict()),
        ("unsafe\nS1,S10", "hazards", Verdict(("violent_crimes", "hate"))),
        ("unsafe", "hazards", Verdict(("unsafe",))),
        ("I think it is unsafe", "hazards", None),
        ("", "hazards", None),
        ("Yes", "yes_no", Verdict(("unsafe",))),
        ("No.", "yes_no", Verdict()),
        ("maybe", "yes_no", None),
    ],
)
def test_answers_of_guard_models_are_read_or_refused(answer, manner, said):
    assert verdict(answer, manner) == said


def test_an_answer_is_asked_about_as_the_assistants():
    assert [one["role"] for one in question("x", "in", "hazards")] == ["user"]
    assert [one["role"] for one in question("x", "out", "hazards")] == ["user", "assistant"]
    assert len({code for code, _ in HAZARDS}) == len(HAZARDS)
