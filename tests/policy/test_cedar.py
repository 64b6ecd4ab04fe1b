"""Tenants' rules narrow, never widen; what cannot be read, speaks of nothing, or fails is a refusal."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from msgspec.structs import replace

from freehold.core.errors import NoPermittedTarget
from freehold.core.label import parse_label
from freehold.policy.cedar import Rules, problems
from freehold.policy.permits import Mint
from freehold.policy.types import Policy, Where
from tests.policy.worlds import LABELS, NOON, POLICIES, TARGETS, TODAY, WHERES, rented

EVERYTHING = "permit(principal, action, resource);"
OWNED = 'permit(principal, action, resource); @id("hr") forbid(principal == Team::"hr", action, resource) unless {resource.owned};'
OVERFLOWS = f"forbid(principal, action, resource) when {{ context.level + {2**63 - 1} > 0 }};"
HR, IT = Where("hr", "talk", TODAY), Where("it", "talk", TODAY)


@given(LABELS, TARGETS, POLICIES, WHERES)
@settings(max_examples=60)
def test_rules_that_permit_everything_change_nothing_and_others_only_refuse(label, target, policy, where) -> None:
    plain = Mint(1, policy, now=NOON).scoped(where.team, where.route).decision(label, target).allowed
    for text in (EVERYTHING, OWNED, "forbid(principal, action, resource);"):
        mint = Mint(1, replace(policy, cedar=text), now=NOON)
        found = mint.scoped(where.team, where.route).decision(label, target).allowed
        assert found == plain if text == EVERYTHING else found <= plain


def test_a_team_is_told_apart_and_the_refusal_names_the_rule() -> None:
    rules, target = Rules(OWNED), rented("internal")
    assert rules.refuses(parse_label("internal"), target, IT) == ""
    assert "forbid it (hr)" in rules.refuses(parse_label("internal"), target, HR)
    assert "do not permit it" in Rules('permit(principal == Team::"hr", action, resource);').refuses(
        parse_label("internal"), target, IT
    )


@pytest.mark.parametrize("text", [f"{EVERYTHING} {OVERFLOWS}", f"{OVERFLOWS} {EVERYTHING}"])
def test_a_rule_that_fails_refuses_although_another_permits(text) -> None:
    """Cedar itself skips what raises and allows by the other: that must not be how a `forbid` is lost."""
    told = Rules(text).refuses(parse_label("internal"), rented("internal"), IT)
    assert "failed" in told and "overflow" in told


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("permit(", "parse"),
        ("permit(principal, action, resource) when { resource.ownd };", "ownd"),
        ('permit(principal == User::"x", action, resource);', "User"),
        ('permit(principal, action == Action::"read", resource);', "read"),
        ('permit(principal, action, resource) when { context.level == "high" };', "typ"),
    ],
)  # fmt: skip
def test_what_speaks_of_nothing_there_is_is_told_before_it_is_in_force(text, why) -> None:
    assert any(why in one for one in problems(text))
    with pytest.raises(ValueError, match=why):
        Rules(text)
    mint = Mint(1, Policy(cedar=text), now=NOON)
    with pytest.raises(NoPermittedTarget, match="cannot be read"):
        mint.permit(b"", parse_label("public"), rented("internal"), b"x", NOON)


@pytest.mark.parametrize("name", ['a"b', "x\ny", "ü", "*", ""])
def test_names_with_odd_characters_are_names(name) -> None:
    target = rented("internal", name=name, region=name)
    assert Rules(EVERYTHING).refuses(parse_label("internal"), target, Where(name, name, TODAY)) == ""
    where = Where(name, name, TODAY)
    only = 'permit(principal, action, resource) when { context.route == "somewhere" };'
    assert Rules(only).refuses(parse_label("internal"), target, where)


def test_the_policy_is_asked_once_for_each_label_and_target() -> None:
    target = rented("internal")
    mint, asked = Mint(1, Policy(cedar=EVERYTHING), now=NOON).scoped("hr", "talk"), []
    rules = mint._rules
    mint._rules = type("Counting", (), {"refuses": lambda self, *what: asked.append(what) or rules.refuses(*what)})()
    for _ in range(3):
        assert mint.permit(b"", parse_label("public"), target, b"x", NOON)
    assert len(asked) == 1


def test_the_rules_in_the_pages_are_valid() -> None:
    page = Path(__file__).parents[2] / "docs/how-to/keep-data-home.md"
    found = re.findall(r"```cedar\n(.*?)```", page.read_text(), re.DOTALL)
    assert found and not [one for text in found for one in problems(text)]
