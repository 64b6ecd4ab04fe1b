"""What an owner is told of a valid policy, on which day, and with what to do."""

from __future__ import annotations

from datetime import date

import pytest
from msgspec.structs import replace

from freehold.policy.review import review
from freehold.policy.types import Narrowing, Policy
from tests.policy.worlds import CONTRACTS, fact, rented

DAY = date(2026, 11, 22)


def told(policy: Policy, *targets, today: date = DAY) -> list[str]:
    return [one.message.partition(":")[0] for one in review(policy, targets, today)]


@pytest.mark.parametrize(
    ("since", "until", "message"),
    [
        ("2026-01-01", "2026-11-21", ["ended"]),
        ("2026-01-01", "2026-11-22", ["ends within 30 days"]),
        ("2026-01-01", "2026-12-22", ["ends within 30 days"]),
        ("2026-01-01", "2026-12-23", []),
        ("2026-01-01", "", []),
        ("2026-11-23", "", ["has not begun"]),
        ("2026-11-22", "", []),
    ],
)
def test_papers_are_told_of_when_they_end_or_have_not_begun(since, until, message) -> None:
    assert told(Policy(facts=(fact("dpa", "signed", as_of=since, until=until),))) == message


def test_public_rows_are_told_of_where_they_are_used_and_old() -> None:
    old = fact("dpa", "offered", certainty="high", as_of="2026-01-01", source="https://x.test")
    assert told(Policy(facts=(old,)), rented()) == ["not read again for long"]
    assert told(Policy(facts=(old,)), rented(offering="other")) == told(Policy(facts=(old,))) == []


def test_a_clock_that_is_behind_is_told_of() -> None:
    late = fact("dpa", "offered", certainty="high", as_of="2026-11-23", source="https://x.test")
    assert told(Policy(facts=(late,))) == [f"today is said to be {DAY}, before o dpa = offered (high certainty, https"]


def test_a_clearance_that_nothing_comes_of_is_told_of() -> None:
    target = rented("confidential")
    assert told(Policy(), target) == ["would be refused what it is cleared for"]
    assert told(Policy(facts=CONTRACTS), target) == []
    assert told(Policy(), rented("internal")) == [] and told(Policy(), rented("unknown", owned=True)) == []


def test_a_machine_that_stands_nowhere_is_told_what_to_write() -> None:
    policy = Policy(rules=(Narrowing(name="[policy] regions", regions=("EU",)),))
    embedded = rented("unknown", owned=True, region="local")
    (found,) = review(policy, [embedded], DAY)
    assert "[policy] home" in found.fix
    assert review(policy, [replace(embedded, region="EU")], DAY) == ()


def test_a_door_that_is_closed_is_told_of() -> None:
    assert told(Policy(closed="mending")) == ["no rented target may take anything"]
