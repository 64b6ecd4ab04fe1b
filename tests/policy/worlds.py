"""Targets, labels, policies and contracts that the tests of this room share, and their own reading of the rules."""

from __future__ import annotations

from hypothesis import strategies as st

from freehold.core.label import UNKNOWN, Label, Level, parse_label
from freehold.core.permit import Origin
from freehold.policy.targets import Target
from freehold.policy.types import Narrowing, Policy, Where
from freehold.policy.vendors import Fact

TODAY = "2026-11-22"
NOON = 1795348800.0
"""Noon of that day."""


def fact(attribute: str, *values: str, party: str = "o", certainty: str = "contract", **more) -> Fact:
    more.setdefault("source", "contract 7")
    more.setdefault("as_of", "2026-01-01")
    return Fact(party=party, attribute=attribute, values=values, certainty=certainty, **more)


CONTRACTS = (fact("trains_by_default", "no"), fact("zero_retention", "on"))
PAPERS = (*CONTRACTS, fact("hipaa_baa", "signed"), fact("dpa", "signed"), fact("handles", "PCI"))


def rented(clearance: str = "internal", **more) -> Target:
    more.setdefault("name", "t")
    more.setdefault("offering", "o")
    return Target(
        provider="p", driver="openai", dialects=("openai_chat",), model="m",
        origin=Origin("https", "vendor.test", 443), clearance=parse_label(clearance), **more,
    )  # fmt: skip


REGIMES = ("CLASSIFIED", "GDPR", "HIPAA", "PCI", "ODD")
REGIONS = ("", "unknown", "EU", "DE", "US")
LABELS = st.builds(Label, st.sampled_from(Level), st.frozensets(st.sampled_from(REGIMES), max_size=3))
RULES = st.builds(
    Narrowing, name=st.just("a rule"), label=LABELS | st.just(Label(Level.PUBLIC)),
    teams=st.sampled_from([(), ("hr",)]), routes=st.sampled_from([(), ("talk",)]),
    regions=st.sampled_from([None, (), ("EU",), ("US", "DE")]), needs=st.sampled_from([(), ("baa",), ("no_such",)]),
    owned=st.booleans(),
)  # fmt: skip
POLICIES = st.builds(
    Policy, air_gapped=st.booleans(), closed=st.sampled_from(["", "", "", "broken"]),
    rules=st.lists(RULES, max_size=2).map(tuple), facts=st.sampled_from([(), CONTRACTS, PAPERS, PAPERS]),
)  # fmt: skip
TARGETS = st.builds(
    rented, clearance=(LABELS | st.just(UNKNOWN)).map(str), owned=st.booleans(), region=st.sampled_from(REGIONS),
    offering=st.sampled_from(["o", "", "other"]),
)  # fmt: skip
WHERES = st.builds(Where, st.sampled_from(["hr", "it", "*"]), st.sampled_from(["talk", "x", "*"]), st.just(TODAY))


def decision_of(label: Label, target: Target, policy: Policy, where: Where) -> bool:
    """The rules read once more, in one plain expression each: what the decision is checked against."""
    cleared = target.clearance.level == Level.UNKNOWN or (
        label.level <= target.clearance.level and not label.regimes - target.clearance.regimes
    )
    if not cleared or not all(_kept(rule, label, target, policy, where) for rule in policy.rules):
        return False
    if target.owned:
        return True
    return not policy.air_gapped and not policy.closed and _vouched(label, target, policy)


def _vouched(label: Label, target: Target, policy: Policy) -> bool:
    papers = set(policy.facts) if target.offering == "o" else set()
    has = {one.attribute for one in papers}
    by_regime = {
        "GDPR": target.region in ("EU", "DE") or "dpa" in has,
        "HIPAA": "hipaa_baa" in has,
        "PCI": "handles" in has,
    }
    return (
        label.level != Level.UNKNOWN
        and (label.level < Level.CONFIDENTIAL or "trains_by_default" in has)
        and (label.level < Level.RESTRICTED or "zero_retention" in has)
        and all(by_regime.get(one, False) for one in label.regimes)
    )


def _kept(rule: Narrowing, label: Label, target: Target, policy: Policy, where: Where) -> bool:
    if label.level < rule.label.level or rule.label.regimes - label.regimes:
        return True
    if rule.teams and where.team not in (*rule.teams, "*"):
        return True
    if rule.routes and where.route not in (*rule.routes, "*"):
        return True
    inside = {"EU": {"EU", "DE"}, "US": {"US"}, "DE": {"DE"}}
    if rule.regions is not None and not any(target.region in inside[one] for one in rule.regions):
        return False
    if target.owned:
        return True
    has = {one.attribute for one in policy.facts} if target.offering == "o" else set()
    return not rule.owned and all(one == "baa" and "hipaa_baa" in has for one in rule.needs)
