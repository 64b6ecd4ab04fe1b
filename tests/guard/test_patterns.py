from __future__ import annotations

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from freehold.guard.detectors.custom import custom
from freehold.guard.detectors.patterns import Pattern, Patterns, compiled
from freehold.guard.detectors.pii import pii
from freehold.guard.detectors.prefixes import loosened, parse, prefixes, widest, written
from freehold.guard.detectors.registry import load
from freehold.guard.errors import BadPattern
from freehold.guard.types import Custom, Piece, Profile
from tests.guard.test_scanner import TEXTS

PII = pii()
OWN = Profile(name="t", custom=(Custom(name="w", words=("Falcon",)), Custom(name="p", pattern="TCK-[0-9]+a*")))
PLACES = list(load(["custom", "pii", "secrets"], OWN).values())


def found(detector, text):
    return [(one.start, one.end, one.kind, one.score) for one in detector.find(Piece(text))]


@settings(max_examples=150, deadline=None)
@given(TEXTS, TEXTS)
@example("call 030 123", "456789")
@example("4111 1111 1111 1111", "1")
@example("12 Main", " Street")
@example("x", "@example.org")
def test_what_is_settled_stays_whatever_comes(text, more):
    text, more = (one.encode("utf-8", "replace").decode() for one in (text, more))
    for detector in PLACES:
        settled = (
            detector.unsettled(text) if hasattr(detector, "unsettled") else len(text) - detector.span - detector.context
        )
        before = [one for one in found(detector, text) if one[0] < settled]
        assert before == [one for one in found(detector, text + more) if one[0] < settled], detector.name


@settings(max_examples=100, deadline=None)
@given(TEXTS, st.integers(0, 200), TEXTS)
@example("aaaaaaaaaaaa 4111 1111 1111 1111", 6, "")
def test_what_begins_somewhere_depends_on_what_stands_around_it_alone(text, cut, more):
    text, more = (one.encode("utf-8", "replace").decode() for one in (text, more))
    for detector in PLACES:
        start = max(0, min(cut, len(text)))
        whole = [one for one in found(detector, text + more) if one[0] >= start + detector.context]
        part = [(s + start, e + start, *rest) for s, e, *rest in found(detector, (text + more)[start:])]
        assert whole == [one for one in part if one[0] >= start + detector.context], detector.name


@settings(max_examples=150, deadline=None)
@given(TEXTS)
def test_the_sorting_out_of_patterns_loses_no_finding(text):
    text = text.encode("utf-8", "replace").decode()
    every = Patterns("pii", PII.patterns, PII.context)
    every.__dict__["_promising"] = lambda data: list(PII.patterns)
    assert found(PII, text) == found(every, text)


def test_a_text_of_every_script_and_no_sense_is_read_in_linear_work():
    for text in (
        "1 " * 20000,
        "4111 " * 8000,
        "a@" * 20000,
        "John Smith " * 4000,
        "a" * 40000,
        "日本" * 10000,
        "+49(" * 9000,
    ):
        PII.find(Piece(text))
        assert PII.unsettled(text) >= len(text) - PII.span - 32


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=200))
def test_no_text_makes_it_fail(text):
    text = text.encode("utf-8", "replace").decode()
    PII.find(Piece(text))
    assert 0 <= PII.unsettled(text) <= len(text)


PATTERNS = (
    r"ab?c*d+", r"(?:ab|cd){2,3}x", r"[a-f]{2}\d{3,4}(?: ?[xyz]){0,2}", r"(?i)foo(bar)?", r"\bq\w{1,3}\b", r"a|bc|def", r"^x$",
    r"a{2}b{1,}", r"[^a-z\]]{2}", r"\x41\x{42}[[:digit:]]", r"(?P<n>a)(?:b(?:c|d)?)?", r"a.?b",
)  # fmt: skip


@pytest.mark.parametrize("pattern", PATTERNS)
@given(data=st.data())
@settings(max_examples=40, deadline=None)
def test_every_beginning_of_a_match_is_a_prefix(pattern, data):
    python = pattern.replace("[[:digit:]]", r"\d").replace(r"\x{42}", "B").replace("(?i)foo(bar)?", "(?:foo(?:bar)?)")
    text = data.draw(st.from_regex(re.compile(rf"(?:{python})\Z", re.ASCII), fullmatch=True))
    for tree in (parse(pattern), loosened(parse(pattern))):
        arriving = compiled(rf"\A(?:{prefixes(tree)})\z")
        for end in range(len(text) + 1):
            assert arriving.search(text[:end].encode()) is not None, (text, end)
        assert compiled(written(tree)).search(text.encode()) is not None


def test_what_re2_does_not_know_is_refused():
    for bad in (r"(?=a)", r"(?<!a)b", "a)", "(a", "[a", "*a", "a\\", r"\Qa"):
        with pytest.raises(BadPattern):
            parse(bad)
    with pytest.raises(BadPattern):
        _ = Pattern("X", "a+").width
    with pytest.raises(BadPattern):
        compiled(r"\1")


def test_widths_are_counted():
    assert widest(parse(r"ab?(?:cd|e){2,3}\b")) == 8
    assert widest(parse("a*")) is None


def test_custom_words_are_words_and_patterns_are_bounded():
    made = custom([Custom(name="w", words=("C++", "Naïve Bayes", "x")), Custom(name="p", pattern=r"T-\d+(?:[a-c]+x)*")])
    assert made is not None
    text = "We love c++ and naïve bayes, xx, T-" + "1" * 300
    assert [(kind, text[start:end]) for start, end, kind, _ in found(made, text)][:3] == [
        ("w", "c++"),
        ("w", "naïve bayes"),
        ("p", "T-" + "1" * 128),
    ]
    assert custom([]) is None


@pytest.mark.parametrize(
    "bad",
    [
        Custom(name="x"),
        Custom(name="x", words=("",)),
        Custom(name="x", pattern="(a"),
        Custom(name="x", pattern=r"\bb*"),
    ],
)
def test_custom_patterns_that_find_nothing_are_refused(bad):
    if bad.pattern == r"\bb*":
        made = custom([bad])
        assert made is not None
        assert found(made, "bbb ccc") == [(0, 3, "x", 1.0), *[one for one in found(made, "bbb ccc") if one[0] > 0]]
        return
    with pytest.raises(BadPattern) as caught:
        custom([bad])
    assert caught.value.param == "custom.0"
