"""When rented models end: rows against targets, nothing safe because nobody knows it, and moves opened from it."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freehold.assurance.lifecycle import STATES, Retirement, endings, party, plain, retirements
from freehold.core.label import UNKNOWN
from freehold.core.permit import Origin
from freehold.policy.targets import Target

TODAY = date(2026, 11, 23)


def target(name: str, model: str, host: str = "api.openai.com", offering: str = "", owned: bool = False) -> Target:
    return Target(
        name=name, provider="p", driver="openai", dialects=("openai_chat",), model=model, origin=Origin("https", host, 443),
        clearance=UNKNOWN, offering=offering, owned=owned,
    )  # fmt: skip


def row(model: str, party: str = "openai", **dates: str) -> Retirement:
    told = {"deprecated_on": "", "ends_on": "", "not_before": "", **dates}
    return Retirement(party=party, model=model, replacement="next", source="https://x.test", as_of="2026-11-01", **told)


@pytest.mark.parametrize(
    ("dates", "state", "days", "late"),
    [
        ({"ends_on": "2026-11-22"}, "ended", -1, True),
        ({"ends_on": "2026-11-23"}, "ending", 0, True),
        ({"ends_on": "2027-02-20"}, "ending", 89, True),
        ({"ends_on": "2027-02-21"}, "ending", 90, False),
        ({"deprecated_on": "2026-10-01"}, "deprecated", None, False),
        ({"deprecated_on": "2027-10-01"}, "open", None, False),
        ({"not_before": "2026-12-01"}, "open", 8, False),
        ({"not_before": "2026-12-01", "deprecated_on": "2026-11-01"}, "deprecated", 8, False),
    ],
)
def test_a_row_decides_the_state_and_the_days(dates, state, days, late) -> None:
    (found,) = endings([target("a", "gpt-4o")], [row("gpt-4o", **dates)], TODAY, 90)
    assert (found.state, found.days_left, found.late) == (state, days, late)
    assert found.source and found.as_of


def test_what_no_row_names_is_unknown_and_what_is_owned_is_its_owners() -> None:
    found = {
        one.target: one.state
        for one in endings(
            [
                target("known-vendor", "gpt-new"),
                target("nobody", "gpt-4o", host="models.example.test"),
                target("mine", "gpt-4o", owned=True),
            ],
            [row("gpt-4o", ends_on="2026-12-01")],
            TODAY,
            90,
        )
    }
    assert found == {"known-vendor": "unknown", "nobody": "unknown", "mine": "own"}


def test_the_most_urgent_stands_first() -> None:
    rows = [row("a", ends_on="2026-12-24"), row("b", ends_on="2026-12-01"), row("c", ends_on="2026-01-01")]
    found = endings([target(one, one) for one in "abcd"], rows, TODAY, 30)
    assert [one.target for one in found] == ["c", "b", "a", "d"]


@pytest.mark.parametrize(
    ("given_name", "expected"),
    [
        ("eu.anthropic.claude-3-5-sonnet-20241022-v2:0", "claude-3-5-sonnet-20241022"),
        ("anthropic.claude-3-haiku-20240307-v1:0", "claude-3-haiku-20240307"),
        ("claude-3-opus@20240229", "claude-3-opus"),
        ("publishers/google/models/gemini-2.0-flash", "gemini-2.0-flash"),
        ("GPT-4o", "gpt-4o"),
    ],
)
def test_names_of_clouds_come_off(given_name: str, expected: str) -> None:
    assert plain(given_name) == expected


def test_the_offering_says_whose_word_counts_before_the_host_does() -> None:
    assert party(target("a", "m", host="x.openai.azure.com")) == "azure"
    assert party(target("a", "m", host="gateway.example.test", offering="anthropic-api")) == "anthropic"
    assert party(target("a", "m", host="notopenai.com")) == ""


def test_the_rows_that_come_along_are_sound() -> None:
    rows = retirements()
    assert len(rows) > 400
    keys = [(one.party, one.model) for one in rows]
    assert len(set(keys)) == len(keys)
    for one in rows:
        for day in (one.deprecated_on, one.ends_on, one.not_before, one.as_of):
            assert not day or date.fromisoformat(day)
        assert one.source.startswith("https://") and one.as_of


@given(
    st.lists(st.tuples(st.sampled_from("abcdef"), st.dates(date(2024, 1, 1), date(2028, 1, 1))), max_size=8),
    st.integers(0, 400),
)
def test_every_target_is_told_once_in_order(pairs, lead) -> None:
    rows = [row(name, ends_on=day.isoformat()) for name, day in dict(pairs).items()]
    found = endings([target(one, one) for one in "abcdef"], rows, TODAY, lead)
    assert sorted(one.target for one in found) == list("abcdef")
    assert [STATES.index(one.state) for one in found] == sorted(STATES.index(one.state) for one in found)
    assert all(one.late == (one.days_left is not None and one.days_left < lead) for one in found)
