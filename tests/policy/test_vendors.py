"""Regions lie in each other only where that is known; rows count only while they hold; what ships is read and fresh."""

from __future__ import annotations

from datetime import date

import pytest

from freehold.gateway.providers.vendors import VENDORS
from freehold.policy.regimes import LEVELS, NEEDS, REGIMES, place
from freehold.policy.residency import within
from freehold.policy.terms import TERMS
from freehold.policy.types import Policy
from freehold.policy.vendors import ATTRIBUTES, behind, known, packaged, stale
from tests.policy.worlds import TODAY, fact, rented

ROWS = packaged()


@pytest.mark.parametrize(
    ("inner", "outer", "lies"),
    [
        ("EU", "EU", True), ("de", "EU", True), ("DE-BE", "DE", True), ("DE-BE", "EU", True), ("EU", "EEA", True),
        ("NO", "EEA", True), ("NO", "EU", False), ("EU", "DE", False), ("GB", "EU", False), ("CH", "EEA", False),
        ("eu-west-2", "EU", False), ("eu-central-1", "EU", False), ("eu-central-1", "eu-central-1", True),
        ("us-east-1", "US", False), ("sa-east-1", "SA", False), ("US-CA", "US", True), ("global", "global", False),
        ("unknown", "unknown", False), ("", "", False), ("EU", "global", False), ("EU", "", False),
    ],
)  # fmt: skip
def test_a_region_lies_where_it_is_known_to(inner, outer, lies) -> None:
    assert within(inner, outer) is lies


def test_every_row_that_ships_speaks_of_something_with_a_source_and_a_date() -> None:
    attributes = {name for name, _ in ATTRIBUTES}
    for one in ROWS:
        assert one.attribute in attributes and one.source.startswith("https://") and one.values and one.values[0]
        assert one.as_of <= TODAY and one.certainty in ("high", "medium", "low"), "no contract ships"
    assert len({(one.party, one.attribute) for one in ROWS}) == len(ROWS)


def test_rows_are_of_offerings_that_vendors_are_known_to_have() -> None:
    named = {one.offering for one in VENDORS if one.offering}
    parties = {one.party for one in ROWS} | {one.party for one in TERMS}
    assert named <= parties
    assert {one.party for one in ROWS} <= {one.party for one in TERMS}, "whose answers, and where content goes"


def test_no_row_that_lets_content_pass_is_half_a_year_older_than_the_newest() -> None:
    accepted = {(one.attribute, value) for one in NEEDS for value in one.accepts}
    passing = [one for one in ROWS if any((one.attribute, value) in accepted for value in one.values)]
    newest = max(date.fromisoformat(f"{one.as_of}-01"[:10]) for one in ROWS)
    old = stale(tuple(passing), newest)
    decisive = ("trains_by_default", "hipaa_baa", "dpa", "zero_retention")
    assert passing and not [one.cite() for one in old if one.attribute in decisive], "a person reads them again"


def test_a_row_grows_stale_after_180_days() -> None:
    row = fact("dpa", "in_terms", certainty="high", as_of="2026-01")
    assert stale((row,), date(2026, 6, 30)) == () and stale((row,), date(2026, 7, 1)) == (row,)


def test_no_public_row_alone_opens_what_only_a_contract_may() -> None:
    assert not [one for one in ROWS if one.attribute == "handles" or one.values == ("on",)]
    assert not [one for one in ROWS if "signed" in one.values]


def test_needs_of_levels_and_regimes_are_there() -> None:
    names = {one.name for one in NEEDS}
    assert {name for _, needs in LEVELS for name in needs} | {n for one in REGIMES for n in one.needs} <= names
    assert [one.name for one in NEEDS] == sorted(names) and [one.name for one in REGIMES] == sorted(
        one.name for one in REGIMES
    )


def test_a_clock_that_is_behind_is_known_by_the_rows() -> None:
    found = behind(ROWS, "2026-07-01")
    assert found is not None and found.as_of > "2026-07-01" and behind(ROWS, TODAY) is None
    target = rented(offering="openai-api")
    assert known(ROWS, target, "trains_by_default", TODAY).fact is not None
    assert known(ROWS, target, "trains_by_default", "2026-07-01").fact is None


@pytest.mark.parametrize(
    ("offering", "region", "stands"),
    [
        ("anthropic-api", "US", "US"), ("anthropic-api", "EU", ""), ("google-gemini-api", "EU", ""),
        ("openai-api", "EU", "EU"), ("openai-api", "DE", "EU"), ("openai-api", "BR", ""),
        ("cohere-api", "EU", ""), ("azure-openai", "BR", "BR"), ("nobody", "BR", "BR"), ("nobody", "", ""),
        ("aws-bedrock", "global", ""),
    ],
)  # fmt: skip
def test_a_region_that_is_stated_counts_as_far_as_its_offering_has_it(offering, region, stands) -> None:
    target = rented(offering=offering, region=region)
    assert place(target, Policy(facts=ROWS), TODAY)[0] == stands


def test_a_contract_about_a_region_wins() -> None:
    target = rented(offering="anthropic-api", region="EU")
    paper = fact("residency", "EU", party="target/t")
    assert place(target, Policy(facts=(*ROWS, paper)), TODAY)[0] == "EU"
