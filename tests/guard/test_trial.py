"""A profile tried on a text, and what findings of a kind led to under its rules."""

from __future__ import annotations

import pytest

from freehold.guard.profile import compile_profile
from freehold.guard.trial import leads_to, tried
from freehold.guard.types import Profile, Rule

GUARD = compile_profile(
    Profile(
        name="bank",
        rules=(
            Rule(detector="pii", kinds=("IBAN",), action="block", sources=("user",), directions=("in",)),
            Rule(detector="pii", kinds=("PHONE",), action="pass"),
            Rule(detector="pii", action="redact", at_least=0.9),
            Rule(detector="secrets", action="flag", directions=("out",)),
        ),
    )
)
TEXT = "mail a@b.de"


@pytest.mark.parametrize(
    ("what", "actions"),
    [
        (("pii", "IBAN", "in"), ("block", "redact")),
        (("pii", "IBAN", "out"), ("redact",)),
        (("pii", "PHONE", "in"), ()),
        (("secrets", "KEY", "in"), ()),
        (("secrets", "KEY", "out"), ("flag",)),
        (("schema", "mismatch", "out"), ("flag",)),
    ],
)
def test_what_a_kind_led_to_is_told_for_whoever_wrote_it(what, actions):
    assert leads_to(GUARD, *what) == actions


def test_a_trial_tells_places_and_the_text_as_it_goes_on():
    seen = tried(GUARD, TEXT, "in")
    (found,) = seen.findings
    assert (TEXT[found.start : found.end], found.found, found.action) == ("a@b.de", "a@b.de", "redact")
    assert (seen.text, seen.blocked, seen.digest) == ("mail [EMAIL]", "", GUARD.digest)


def test_a_trial_that_is_too_late_says_who_was_not_asked():
    assert tried(GUARD, TEXT, "in", late=lambda: True).failed
