from __future__ import annotations

import base64

from hypothesis import given, settings
from hypothesis import strategies as st

from freehold.core.label import UNKNOWN, parse_label
from freehold.guard.inspect import inspect
from freehold.guard.profile import compile_profile
from freehold.guard.scanner import Scanner
from freehold.guard.types import Custom, Piece, Profile, Rule
from freehold.guard.vault import Vault
from tests.guard.test_scanner import TEXTS, Broken, Shout

GDPR = parse_label("restricted:GDPR")


def guard(*rules, **more):
    return compile_profile(Profile(name="t", rules=rules, custom=(Custom(name="w", words=("Falcon",)),), **more))


REDACT = guard(Rule(detector="custom", action="redact"), Rule(detector="pii", action="redact"))


def test_each_piece_is_judged_by_the_rules_of_its_source_and_direction():
    made = guard(Rule(detector="pii", action="redact", sources=("user",), directions=("in",)))
    pieces = [Piece("a@b.de", "user"), Piece("a@b.de", "system")]
    assert inspect(made, pieces, "in").texts == ("[EMAIL]", "a@b.de")
    assert inspect(made, pieces, "out").texts == ("a@b.de", "a@b.de")


def test_the_first_rule_that_fits_decides_and_pass_ignores():
    made = guard(Rule(detector="pii", kinds=("EMAIL",), action="pass"), Rule(detector="pii", action="block"))
    assert inspect(made, [Piece("a@b.de")], "in").findings == ()
    assert inspect(made, [Piece("10.1.2.3")], "in").blocked == "IP"


def test_labels_of_findings_are_joined():
    made = guard(
        Rule(detector="pii", kinds=("EMAIL",), action="raise", label=parse_label("confidential:GDPR")),
        Rule(detector="custom", action="raise", label=parse_label("restricted:MNPI")),
    )
    seen = inspect(made, [Piece("a@b.de"), Piece("Falcon")], "in")
    assert seen.label == parse_label("restricted:GDPR,MNPI")
    assert [(index, one.kind) for index, one in seen.findings] == [(0, "EMAIL"), (1, "w")]
    assert seen.scanned == len("a@b.de") + len("Falcon")
    assert seen.texts == ("a@b.de", "Falcon")


def test_asking_is_told():
    assert inspect(guard(Rule(detector="custom", action="ask")), [Piece("Falcon")], "in").ask


def test_values_in_a_code_are_found_where_the_code_stands():
    hidden = base64.b64encode(b"my mail is anna@mail.example.org, thank you").decode()
    seen = inspect(REDACT, [Piece(f"decode {hidden} now")], "in")
    assert hidden not in seen.texts[0]
    assert seen.texts[0].startswith("decode ")
    assert "EMAIL" in {one.kind for _, one in seen.findings}


def test_invisible_characters_hide_nothing():
    seen = inspect(REDACT, [Piece("mail an\u200bna@mail.exa\u200bmple.org now")], "in")
    assert "mple.org" not in seen.texts[0]


def test_a_number_over_two_turns_raises_the_label_or_blocks_but_alters_nothing():
    pieces = [Piece("my iban starts DE89 3704 0044"), Piece("noted", "assistant"), Piece("0532 0130 00")]
    raised = inspect(guard(Rule(detector="pii", action="raise", label=GDPR)), pieces, "in")
    assert raised.label == GDPR
    assert [(index, one.kind) for index, one in raised.findings] == [(2, "IBAN")]
    assert inspect(guard(Rule(detector="pii", action="block")), pieces, "in").blocked == "IBAN"
    redacted = inspect(REDACT, pieces, "in")
    assert redacted.label == UNKNOWN
    assert redacted.texts == tuple(one.text for one in pieces)


def test_what_one_turn_holds_is_not_told_twice():
    pieces = [Piece("mail a@b.de"), Piece("thank you")]
    assert len(inspect(REDACT, pieces, "in").findings) == 1
    assert inspect(REDACT, pieces, "in").label is None


def test_stand_ins_of_all_pieces_lead_back():
    made = guard(Rule(detector="pii", kinds=("EMAIL",), action="pseudonymise"), Rule(detector="pii", action="redact"))
    vault = Vault(b"k" * 32, "c")
    pieces = [Piece("to anna@mail.example.org, card 4111 1111 1111 1111"), Piece("again anna@mail.example.org")]
    seen = inspect(made, pieces, "in", vault)
    assert not any("anna@" in one for one in seen.texts)
    assert "[CREDIT_CARD]" in seen.texts[0]
    assert [vault.restore(one) for one in seen.texts] == [
        "to anna@mail.example.org, card [CREDIT_CARD]",
        "again anna@mail.example.org",
    ]


def test_a_detector_that_fails_or_is_late_fails_closed():
    made = compile_profile(Profile(name="t", rules=(Rule(detector="broken", action="flag"),)), {"broken": Broken()})
    seen = inspect(made, [Piece("x")], "in")
    assert (seen.label, seen.failed) == (UNKNOWN, ("broken",))
    blocking = compile_profile(
        Profile(name="t", rules=(Rule(detector="broken"),), on_failure="block"), {"broken": Broken()}
    )
    assert inspect(blocking, [Piece("x")], "in").blocked == "broken_failed"
    assert inspect(REDACT, [Piece("a@b.de")], "in", late=lambda: True).label == UNKNOWN


def test_a_reading_that_fails_fails_closed(monkeypatch):
    def fail(text):
        raise ValueError

    monkeypatch.setattr("freehold.guard.inspect.views", fail)
    seen = inspect(REDACT, [Piece("a@b.de")], "in")
    assert (seen.label, seen.failed) == (UNKNOWN, ("readings",))


def test_wholes_are_judged_whole_on_the_way_in():
    made = compile_profile(Profile(name="t", rules=(Rule(detector="shout", action="block"),)), {"shout": Shout()})
    text = "x" * 700 + "A" * 30 + "y" * 1200 + "B" * 20
    assert inspect(made, [Piece(text)], "in").blocked == "loud"
    assert inspect(made, [Piece(text)], "out").blocked == ""


@settings(max_examples=60, deadline=None)
@given(st.lists(TEXTS, max_size=3))
def test_a_whole_answer_is_judged_as_its_stream_is(texts):
    seen = inspect(REDACT, [Piece(one, "assistant") for one in texts], "out")
    assert seen.texts == tuple(Scanner(REDACT, "assistant").whole(one) for one in texts)


@settings(max_examples=60, deadline=None)
@given(st.lists(TEXTS, max_size=4))
def test_any_conversation_can_be_looked_at(texts):
    seen = inspect(REDACT, [Piece(one) for one in texts], "in", Vault(b"k" * 32, "c"))
    assert len(seen.texts) == len(texts)
    assert seen.failed == ()


def test_what_is_too_long_to_be_looked_at_fails_closed():
    short, long = "hello " * 100_000, "hello " * 200_000
    assert inspect(REDACT, [Piece(short)], "in").failed == ()
    seen = inspect(REDACT, [Piece(long)], "in")
    assert seen.failed == ("length",) and seen.label == UNKNOWN and seen.texts == (long,)
    assert "readings" in inspect(REDACT, [Piece("hello")], "in", late=lambda: True).failed
