from __future__ import annotations

from hypothesis import example, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from freehold.core.label import UNKNOWN, parse_label
from freehold.guard.detectors.patterns import Pattern, Patterns
from freehold.guard.profile import compile_profile
from freehold.guard.scanner import Scanner
from freehold.guard.types import Custom, Finding, Profile, Rule
from freehold.guard.windows import WINDOW

FRAGMENTS = (
    "jo.do@mail.example.org", "a@b.de", "@", ".com", " ", "  ", "\n", ", ", "write to ", "call me on ", "+49 30 1234567",
    "030 ", "12", "4111 1111 1111 1111", "4111111111111111", "-", ".", ":", "DE89 3704 0044 0532 0130 00", "DE89", "iban ",
    "born on ", "05.05.1982", "SSN ", "078-05-1120", "My ID number is ", "57613337Q", "192.168.0.1", "2001:db8::1", "Mr ",
    "John Smith", "ship to ", "12 Main Street, Springfield, IL 62701", "x", "é", "\ud83d", "\ude00", "😀", "ß", "日本",
    "https://user:pw@host.example.com/a", "Falcon", "Falcon Nine", "TCK-", "aaaa", "MRN: ", "12345678", "(0123) ", "my mobile",
)  # fmt: skip
TEXTS = st.lists(st.one_of(st.sampled_from(FRAGMENTS), st.text(max_size=6)), max_size=14).map("".join)
CUSTOM = (Custom(name="project", words=("Falcon Nine", "Falcon")), Custom(name="ticket", pattern="TCK-[0-9]+a*"))


def guard(*rules, **more):
    return compile_profile(Profile(name="t", rules=rules, custom=CUSTOM, **more))


REDACT = guard(Rule(detector="custom", action="redact"), Rule(detector="pii", action="redact"))
BLOCK = guard(Rule(detector="pii", kinds=("IBAN", "US_SSN"), action="block"), Rule(detector="pii", action="redact"))
MIXED = guard(
    Rule(detector="pii", kinds=("EMAIL",), action="pseudonymise"),
    Rule(detector="pii", kinds=("PHONE",), action="flag"),
    Rule(detector="custom", action="redact"),
    Rule(detector="pii", action="raise", label=parse_label("restricted:GDPR")),
)


class Shout:
    """Judges wholes: one with more capitals than `most` is a finding."""

    name = "shout"
    version = "1"
    span = 0
    context = 0

    def find(self, piece):
        loud = sum(one.isupper() for one in piece.text)
        return [Finding(detector="shout", kind="loud", start=0, end=len(piece.text))] if loud > 40 else []


class Capitals:
    """Places that need a wide view: capitals, where the stretch has a question mark."""

    name = "capitals"
    version = "1"
    span = 8
    context = 0
    windowed = True

    def find(self, piece):
        if "?" not in piece.text:
            return []
        return [
            Finding(detector="capitals", kind="UP", start=at, end=at + 1)
            for at, one in enumerate(piece.text)
            if one.isupper()
        ]


class Doubles:
    """Places that overlap, without a word on what is settled: any character twice."""

    name = "doubles"
    version = "1"
    span = 2
    context = 3

    def find(self, piece):
        text = piece.text
        return [
            Finding(detector="doubles", kind="TWICE", start=at, end=at + 2)
            for at in range(len(text) - 1)
            if text[at] == text[at + 1] and text[max(0, at - 3) : at] != "xxx"
        ]


class Broken:
    name = "broken"
    version = "1"
    span = 5
    context = 0

    def find(self, piece):
        raise RuntimeError("no")


class Names:
    """A vault that counts."""

    def stand_in(self, kind, value):
        return f"<{kind}:{len(value)}>"


def own(detector, action="redact", **more):
    return compile_profile(
        Profile(
            name="t", rules=(Rule(detector=detector.name, action=action), Rule(detector="pii", action="redact")), **more
        ),
        {detector.name: detector, **REDACT.detectors},
    )


def streamed(made, chunks, **more):
    scanner = Scanner(made, "assistant", Names(), **more)
    out = "".join([*(scanner.feed(one) for one in chunks), scanner.end()])
    return out, scanner


def split(text, cuts):
    places = sorted({min(one, len(text)) for one in cuts})
    return [text[start:end] for start, end in zip([0, *places], [*places, len(text)], strict=True)]


GUARDS = [
    REDACT, BLOCK, MIXED, own(Shout()), own(Shout(), "block"), own(Shout(), "flag"), own(Capitals()), own(Capitals(), "flag"),
    own(Doubles()), own(Broken()), own(Broken(), on_failure="block"),
]  # fmt: skip


@settings(max_examples=120, deadline=None)
@given(TEXTS, st.lists(st.integers(0, 120), max_size=8), st.sampled_from(range(len(GUARDS))))
@example("x" * 30 + "aa" * 9, [7, 8, 9, 31], 8)
def test_any_split_of_a_text_gives_what_the_whole_text_gives(text, cuts, which):
    made = GUARDS[which]
    whole = Scanner(made, "assistant", Names())
    expected = whole.whole(text)
    out, scanner = streamed(made, split(text, cuts))
    assert out == expected
    assert scanner.findings == whole.findings
    assert (scanner.blocked, scanner.label, scanner.failed) == (whole.blocked, whole.label, whole.failed)
    assert streamed(made, list(text))[0] == expected


@settings(max_examples=25, deadline=None)
@given(st.lists(st.sampled_from(FRAGMENTS), max_size=60), st.sampled_from([3, 4, 5, 6, 7]), st.integers(1, 90))
def test_windows_lie_where_the_text_has_them_whatever_the_chunks(parts, which, size):
    text = ("".join(parts) + "WHY SO LOUD? " * 3) * 4
    made = GUARDS[which]
    chunks = [text[at : at + size] for at in range(0, len(text), size)]
    assert streamed(made, chunks)[0] == Scanner(made, "assistant", Names()).whole(text)


def test_what_is_redacted_is_released_as_its_kind():
    assert streamed(REDACT, ["write to jo", "@mail.exa", "mple.org today"])[0] == "write to [EMAIL] today"


def test_plain_words_are_released_up_to_the_word_that_may_begin_something():
    scanner = Scanner(REDACT, "assistant")
    assert (
        scanner.feed("The weather is fine and so is the rest of it, then")
        == "The weather is fine and so is the rest of it, "
    )
    assert scanner.held == 4
    assert scanner.feed(" we go") == "then we "


def test_nothing_from_a_blocked_finding_on_is_released():
    out, scanner = streamed(BLOCK, list("my mail is a@b.de and my SSN 078-05-1120, and more"))
    assert out == "my mail is [EMAIL] and my SSN "
    assert scanner.blocked == "US_SSN"
    assert scanner.feed("more") == ""
    assert scanner.end() == ""


def test_a_stand_in_goes_out_for_a_value_and_without_a_vault_its_kind():
    assert streamed(MIXED, ["to a@b", ".de now"])[0] == "to <EMAIL:6> now"
    scanner = Scanner(MIXED, "assistant")
    assert scanner.whole("to a@b.de now") == "to [EMAIL] now"


def test_the_rest_of_an_overlapping_finding_goes_too():
    made = compile_profile(
        Profile(name="t", rules=(Rule(detector="one", action="redact"), Rule(detector="two", action="redact"))),
        {
            "one": Patterns("one", (Pattern("A", "abcd", loose=True),)),
            "two": Patterns("two", (Pattern("B", "cdefg", loose=True),)),
        },
    )
    assert Scanner(made, "assistant").whole("xabcdefgy") == "x[A][B]y"


def test_a_flagged_finding_hides_nothing_that_is_to_be_redacted():
    made = guard(
        Rule(detector="pii", kinds=("URL",), action="flag"), Rule(detector="pii", kinds=("EMAIL",), action="redact")
    )
    scanner = Scanner(made, "assistant")
    assert "a@b.de" not in scanner.whole("my page https://x.example.com/?to=a@b.de and a@b.de")
    assert {one.kind for one in scanner.findings} >= {"EMAIL"}


def test_a_detector_that_raises_makes_the_label_unknown_or_blocks():
    out, scanner = streamed(own(Broken()), ["to a@", "b.de"])
    assert (out, scanner.label, scanner.failed) == ("to [EMAIL]", UNKNOWN, ("broken",))
    out, scanner = streamed(own(Broken(), on_failure="block"), ["to a@", "b.de"])
    assert (out, scanner.blocked) == ("", "broken_failed")


def test_a_detector_that_comes_too_late_has_failed():
    scanner = Scanner(REDACT, "assistant", late=lambda: True)
    scanner.whole("to a@b.de")
    assert scanner.label == UNKNOWN
    assert set(scanner.failed) == {"custom", "pii"}


def test_a_judge_of_wholes_that_only_flags_holds_nothing_back():
    scanner = Scanner(own(Shout(), "flag"), "assistant")
    out = scanner.feed("LOUD " * 30)
    assert scanner.held < 60 < len(out)
    scanner.end()
    assert [(one.kind, one.start, one.end) for one in scanner.findings] == [("loud", 0, 150)]


def test_a_judge_of_wholes_that_blocks_is_heard_before_its_window_is_released():
    scanner = Scanner(own(Shout(), "block"), "assistant")
    out = scanner.feed("quiet " * 200) + scanner.feed("LOUD " * 400)
    assert scanner.blocked == "loud"
    assert len(out) % WINDOW == 0
    assert "LOUD LOUD LOUD LOUD LOUD LOUD" not in out


def test_scores_below_a_rule_are_passed():
    rule = Rule(detector="pii", kinds=("IP",), action="redact", at_least=0.99)
    assert Scanner(guard(rule), "assistant").whole("at 10.1.2.3") == "at 10.1.2.3"
    assert Scanner(guard(replace(rule, at_least=0.9)), "assistant").whole("at 10.1.2.3") == "at [IP]"


def test_memory_does_not_grow_with_the_stream():
    scanner = Scanner(REDACT, "assistant")
    for _ in range(300):
        scanner.feed("nothing to see here, move along please. 12 ")
    assert len(scanner._text) < 2000
