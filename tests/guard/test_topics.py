from __future__ import annotations

import pytest

from freehold.guard.detectors.topics import Topics, topics
from freehold.guard.errors import BadPattern
from freehold.guard.profile import compile_profile
from freehold.guard.types import Custom, Finding, Piece, Profile, Rule

BETTING = Custom(name="betting", words=("Wette", "odds", "bookmaker", "jackpot"))
FALCON = Custom(name="falcon", words=("Project Falcon",))
INVOICE = Custom(name="invoice", pattern=r"(?i)\binvoice\s+no\.? ?\d+")
DETECTOR = Topics((BETTING, FALCON, INVOICE))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("The bookmaker changed his odds.", {"betting": 0.75}),
        ("The Bookmaker, the ODDS and the jackpot", {"betting": 0.875}),
        ("What are the odds?", {}),
        ("odds and odds and odds", {}),
        ("Status of project falcon?", {"falcon": 0.5}),
        ("Project Falconry", {}),
        ("Invoice no. 7 for the bookmaker's jackpot", {"betting": 0.75, "invoice": 1.0}),
        ("", {}),
    ],
)
def test_a_topic_is_told_by_different_words_of_it(text, found):
    assert {one.kind: one.score for one in DETECTOR.find(Piece(text))} == found


def test_a_topic_is_reported_over_the_whole_text():
    assert DETECTOR.find(Piece("x Project Falcon y")) == [
        Finding(detector="topics", kind="falcon", start=0, end=18, score=0.5)
    ]


def test_a_bad_pattern_is_refused_by_its_topics_name():
    with pytest.raises(BadPattern, match="look"):
        Topics((Custom(name="look", pattern="(?=x)"),))


def test_topics_of_a_profile_are_kinds_for_its_rules():
    profile = Profile(name="p", rules=(Rule(detector="topics", kinds=("falcon",), action="block"),), custom=(FALCON,))
    assert compile_profile(profile).detectors["topics"].kinds == ("falcon",)
    assert topics(()) is None
