from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from freehold.guard.profile import compile_profile
from freehold.guard.scanner import Scanner
from freehold.guard.types import Profile, Rule

REDACT = compile_profile(Profile(name="t", rules=(Rule(detector="pii", action="redact"),)))


def streamed(guard, chunks):
    scanner = Scanner(guard, "assistant")
    return "".join([*(scanner.feed(one) for one in chunks), scanner.end()]), scanner.findings


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.sampled_from(["a@b.de", "write to ", "x", "@", ".com", " ", "jo.do@mail.example.org", "\ud83d", "é"]))
)
def test_any_split_of_a_text_gives_what_the_whole_text_gives(chunks):
    whole = Scanner(REDACT, "assistant")
    assert streamed(REDACT, chunks) == (whole.whole("".join(chunks)), whole.findings)


def test_what_is_redacted_is_released_as_its_kind():
    assert streamed(REDACT, ["write to jo", "@mail.exa", "mple.org today"])[0] == "write to [EMAIL] today"
