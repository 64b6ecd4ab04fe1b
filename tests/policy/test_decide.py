"""The inner rule, enumerated: every label, target, policy and asker of a small world, against the rules read once more.

And the orders that must hold whatever the rules say: more sensitive opens nothing, less known opens nothing.
"""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from msgspec.structs import replace

from freehold.core.label import Label, Level, parse_label
from freehold.policy.decide import RULES, decide, steps
from freehold.policy.types import Narrowing, Policy, Where
from tests.policy.worlds import (
    CONTRACTS,
    LABELS,
    PAPERS,
    POLICIES,
    TARGETS,
    TODAY,
    WHERES,
    decision_of,
    fact,
    rented,
)
from tests.policy.worlds import (
    RULES as NARROWINGS,
)

FEW = ("GDPR", "HIPAA", "ODD")
ALL_LABELS = tuple(
    Label(level, frozenset(one for one, taken in zip(FEW, bits, strict=True) if taken))
    for level in Level
    for bits in product((False, True), repeat=3)
)
ALL_TARGETS = tuple(
    rented(clearance, owned=owned, region=region, offering=offering)
    for clearance in ("internal", "confidential:GDPR", "restricted:GDPR,HIPAA,ODD", "unknown")
    for owned in (False, True)
    for region in ("unknown", "DE", "US")
    for offering in ("o", "")
)
HR = Narrowing(name="hr", label=parse_label("internal"), teams=("hr",), regions=("EU",))
ALL_POLICIES = tuple(
    Policy(air_gapped=gap, closed=closed, facts=facts, rules=rules)
    for gap, closed in ((False, ""), (True, ""), (False, "broken"))
    for facts in ((), CONTRACTS, PAPERS)
    for rules in (
        (), (HR,), (Narrowing(name="n", regions=()),),
        (Narrowing(name="g", label=parse_label("public:GDPR"), owned=True), Narrowing(name="b", needs=("baa",))),
    )
)  # fmt: skip
ASKERS = tuple(Where(team, "talk", TODAY) for team in ("hr", "it", "*"))


def test_every_decision_of_a_small_world_is_as_the_rules_read() -> None:
    wrong = [
        (str(label), target, policy, where)
        for label, target, policy, where in product(ALL_LABELS, ALL_TARGETS, ALL_POLICIES, ASKERS)
        if decide(label, target, policy, where).allowed != decision_of(label, target, policy, where)
    ]
    assert not wrong, f"{len(wrong)} of {len(ALL_LABELS) * len(ALL_TARGETS) * len(ALL_POLICIES) * 3}: {wrong[0]}"


@given(LABELS, TARGETS, POLICIES, WHERES)
def test_and_so_are_decisions_beyond_it(label, target, policy, where) -> None:
    assert decide(label, target, policy, where).allowed == decision_of(label, target, policy, where)


@given(LABELS, LABELS, TARGETS, POLICIES, WHERES)
def test_raising_a_label_never_opens_a_target(label, more, target, policy, where) -> None:
    if decide(label.join(more), target, policy, where).allowed:
        assert decide(label, target, policy, where).allowed


@given(LABELS, TARGETS, POLICIES, NARROWINGS, WHERES)
def test_another_rule_never_opens_a_target(label, target, policy, rule, where) -> None:
    if decide(label, target, replace(policy, rules=(*policy.rules, rule)), where).allowed:
        assert decide(label, target, policy, where).allowed


@given(LABELS, TARGETS, POLICIES, WHERES)
def test_an_air_gap_or_a_closed_door_never_opens_a_target(label, target, policy, where) -> None:
    for shut in (replace(policy, air_gapped=True), replace(policy, closed="mending")):
        if decide(label, target, shut, where).allowed:
            assert target.owned and decide(label, target, policy, where).allowed


@given(LABELS, TARGETS, POLICIES, WHERES)
def test_knowing_nothing_never_opens_a_target(label, target, policy, where) -> None:
    """With no rows at all, and on a day before all of them."""
    for ignorant in (decide(label, target, replace(policy, facts=()), where),
                     decide(label, target, policy, replace(where, today=""))):  # fmt: skip
        if ignorant.allowed:
            assert decide(label, target, policy, where).allowed


@given(LABELS, TARGETS, POLICIES, WHERES)
def test_who_speaks_for_anybody_may_do_no_more_than_anybody(label, target, policy, where) -> None:
    if decide(label, target, policy, Where("*", "*", TODAY)).allowed:
        assert decide(label, target, policy, where).allowed


@given(LABELS, TARGETS, POLICIES, WHERES)
def test_the_steps_agree_with_the_decision_and_name_what_refused(label, target, policy, where) -> None:
    told = steps(label, target, policy, where)
    assert [name for name, _ in told] == [name for name, _ in RULES]
    refused = [(name, why) for name, why in told if why]
    found = decide(label, target, policy, where)
    assert found.reason and found.allowed == (not refused)
    if refused:
        assert (found.rule, found.reason) == refused[0]


UNKNOWN_DATA = ("unknown", "unknown:GDPR")


@pytest.mark.parametrize("label", UNKNOWN_DATA)
def test_what_is_unknown_goes_to_no_rented_target_whatever_it_is_cleared_for(label) -> None:
    target = rented("unknown", region="EU")
    assert decide(parse_label(label), target, Policy(facts=PAPERS), ASKERS[1]).rule == "unknown"
    assert decide(parse_label(label), replace(target, owned=True), Policy(), ASKERS[1]).allowed


def test_a_refusal_cites_the_row_that_is_missing_uncertain_or_over() -> None:
    def told(*facts) -> str:
        target = rented("restricted:HIPAA")
        return decide(parse_label("confidential"), target, Policy(facts=facts), ASKERS[1]).reason

    assert "nothing is known of trains_by_default at o" in told()
    low = fact("trains_by_default", "no", certainty="low", source="https://a.test", as_of="2026-10")
    assert "not certain enough: o trains_by_default = no (low certainty, https://a.test, 2026-10)" in told(low)
    assert "(contract contract 7, , since 2026-01-01 until 2026-06-30)" in told(
        fact("trains_by_default", "no", until="2026-06-30")
    )
    assert "trains_by_default = opt_out" in told(fact("trains_by_default", "opt_out", certainty="high"))
