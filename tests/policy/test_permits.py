"""The mint: no permit for a label its target may not take, and the permit holds exactly the body decided on."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from freehold.core.errors import NoPermittedTarget
from freehold.core.label import Label, Level, parse_label
from freehold.core.permit import PERMIT_SECONDS
from freehold.policy.permits import DAY_SECONDS, MOST_REMEMBERED, Mint, day
from freehold.policy.types import Narrowing, Policy, Where
from tests.policy.worlds import CONTRACTS, LABELS, NOON, POLICIES, TARGETS, TODAY, decision_of, rented


@given(LABELS, TARGETS, POLICIES, st.binary(max_size=50))
def test_a_permit_is_made_exactly_where_the_rules_allow(label, target, policy, body) -> None:
    mint = Mint(3, policy, now=NOON)
    if decision_of(label, target, policy, Where("*", "*", TODAY)):
        permit = mint.permit(b"i" * 16, label, target, body, NOON)
        assert (permit.body, permit.origin, permit.label) == (body, target.origin, label)
        assert permit.body_sha256 == hashlib.sha256(body).digest()
        assert permit.expires_at == NOON + PERMIT_SECONDS and permit.policy_version == 3
    else:
        with pytest.raises(NoPermittedTarget, match=r"\S"):
            mint.permit(b"i" * 16, label, target, body, NOON)


def test_a_target_whose_clearance_was_lowered_is_decided_on_anew() -> None:
    mint, label = Mint(1, Policy(), now=NOON), parse_label("internal")
    before = rented("internal")
    assert mint.decision(label, before).allowed
    assert not mint.decision(label, replace(before, clearance=Label(Level.PUBLIC))).allowed


def test_a_contract_that_ends_today_ends_for_a_mint_that_was_made_today() -> None:
    ending = tuple(replace(one, until=TODAY) for one in CONTRACTS)
    mint, label = Mint(1, Policy(facts=ending), now=NOON), parse_label("confidential")
    target = rented("confidential")
    assert mint.permit(b"", label, target, b"x", NOON)
    with pytest.raises(NoPermittedTarget, match="not in force"):
        mint.permit(b"", label, target, b"x", NOON + DAY_SECONDS)
    assert not mint.decision(label, target).allowed, "and for whoever plans after it"
    assert mint.permit(b"", label, target, b"x", NOON), "a clock that is set back tells the day it tells"


@pytest.mark.parametrize("wrong", [0.0, -1e18, 1e18, float("nan"), float("inf")])
def test_a_clock_that_tells_nonsense_leaves_no_contract_in_force(wrong: float) -> None:
    mint, target = Mint(1, Policy(facts=CONTRACTS), now=wrong), rented("confidential")
    assert not mint.decision(parse_label("confidential"), target).allowed
    with pytest.raises(NoPermittedTarget):
        mint.permit(b"", parse_label("confidential"), target, b"x", wrong)
    owned = replace(target, owned=True)
    assert mint.permit(b"", parse_label("confidential"), owned, b"x", wrong), "owned models still answer"


def test_a_day_is_told_in_utc_and_nonsense_is_before_every_row() -> None:
    assert day(NOON) == TODAY and day(0.0) == "1970-01-01" and day(float("nan")) == ""


def test_a_team_and_a_route_have_decisions_of_their_own() -> None:
    rule = Narrowing(name="r", teams=("hr",), routes=("talk",), owned=True)
    mint, label, target = Mint(1, Policy(rules=(rule,)), now=NOON), parse_label("internal"), rented("internal")
    found = {
        (team, route): mint.scoped(team, route).decision(label, target).allowed
        for team in ("hr", "it", "*")
        for route in ("talk", "other", "*")
    }
    assert [pair for pair, allowed in found.items() if not allowed] == [
        ("hr", "talk"), ("hr", "*"), ("*", "talk"), ("*", "*"),
    ]  # fmt: skip
    assert mint.scoped("hr", "talk") is mint.scoped("hr", "talk") and mint.scoped("hr", "talk").base is mint


def test_where_nothing_tells_teams_apart_there_is_one_mint() -> None:
    mint = Mint(1, Policy(rules=(Narrowing(name="r", regions=("EU",)),)), now=NOON)
    assert mint.scoped("hr", "talk") is mint


def test_labels_that_callers_invent_do_not_fill_the_memory() -> None:
    mint, target = Mint(1, Policy(), now=NOON), rented("internal")
    for number in range(MOST_REMEMBERED + 10):
        mint.decision(Label(Level.PUBLIC, frozenset({f"R{number}"})), target)
    assert len(mint._known) <= MOST_REMEMBERED


@pytest.mark.parametrize("rules", ["permit(", "permit(principal, action, resource) when { resource.nothing == 1 };"])
def test_rules_that_cannot_be_read_keep_everything_at_home(rules: str) -> None:
    mint, target = Mint(1, Policy(cedar=rules), now=NOON), rented("internal")
    with pytest.raises(NoPermittedTarget, match="rules cannot be read"):
        mint.permit(b"", parse_label("public"), target, b"x", NOON)
    assert mint.permit(b"", parse_label("unknown"), replace(target, owned=True, clearance=Label()), b"x", NOON)
