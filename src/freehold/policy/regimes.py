"""What levels and regimes ask of a rented target before content goes there: rows, with the law they come from.

A regime without a row, the owner's own for instance, goes to owned targets alone unless a contract names it.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from freehold.core.label import Label, Level
from freehold.policy.residency import NOWHERE, normal, within, within_any
from freehold.policy.targets import Target
from freehold.policy.types import Policy
from freehold.policy.vendors import Fact, known


class Need(msgspec.Struct, frozen=True):
    """Something that must be known of a rented target."""

    name: str
    attribute: str
    accepts: tuple[str, ...]
    what: str


NEEDS: tuple[Need, ...] = (
    Need("baa", "hipaa_baa", ("in_terms", "signed"), "a business associate agreement in force"),
    Need("dpa", "dpa", ("in_terms", "signed"), "a processor agreement in force"),
    Need("indemnity", "indemnity", ("conditional", "yes"), "indemnity for its outputs"),
    Need("iso27001", "certificates", ("iso27001",), "the certificate ISO 27001"),
    Need("no_training", "trains_by_default", ("no",), "that content trains nothing"),
    Need("soc2", "certificates", ("soc2",), "a SOC 2 report"),
    Need("zero_retention", "zero_retention", ("on",), "that nothing is kept"),
)


class Regime(msgspec.Struct, frozen=True):
    """A regime's row: any one of `needs`, or a place in `regions`, is enough; with neither only a contract is."""

    name: str
    source: str
    needs: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()


REGIMES: tuple[Regime, ...] = (
    Regime("CLASSIFIED", "national security classification: no vendor's public terms cover it"),
    Regime("EXPORT", "15 CFR 734 and 22 CFR 120: release to a foreign person is an export"),
    Regime("GDPR", "Regulation (EU) 2016/679, art. 28 and 44", needs=("dpa",), regions=("EEA",)),
    Regime("HIPAA", "45 CFR 164.502(e): a business associate contract", needs=("baa",)),
    Regime("MNPI", "Regulation (EU) 596/2014, art. 10; 17 CFR 243: disclosure"),
    Regime("PCI", "PCI DSS 4.0, requirement 12.8: a written agreement with each service provider"),
    Regime("PRIVILEGED", "legal professional privilege: telling a third party may end it"),
)

LEVELS: tuple[tuple[Level, tuple[str, ...]], ...] = (
    (Level.CONFIDENTIAL, ("no_training",)),
    (Level.RESTRICTED, ("zero_retention",)),
)
"""From this level up, what every rented target must be known for."""


def place(target: Target, policy: Policy, today: str) -> tuple[str, str]:
    """The region that may be relied on, empty for none, and where that is said.

    What the owner states of a rented target counts unless what is known of its offering speaks against it.
    """
    stated = normal(target.region)
    if stated in NOWHERE:
        return "", f"{target.name} states no region"
    said = f"{target.name} stands in {target.region}"
    if target.owned:
        return stated, said
    found = known(policy.facts, target, "residency", today)
    if found.fact is None:
        told = any(one.attribute == "residency" and one.party == target.offering for one in policy.facts)
        return ("", f"{said}, but {found.why}") if told else (stated, said)
    offered = [normal(one) for one in found.fact.values]
    if normal("region") in offered or stated in offered:
        return stated, f"{said}; {found.why}"
    wider = next((one for one in sorted(offered) if within(stated, one)), "")
    return wider, f"{said}; {found.why}" if wider else f"{said}, against {found.why}"


def unmet(label: Label, target: Target, policy: Policy, today: str) -> Iterator[str]:
    """Each thing that level and regimes of the label ask of a rented target and that is not known of it."""
    for level, needs in LEVELS:
        if label.level >= level:
            for name in needs:
                why = lacking(name, target, policy, today)
                if why:
                    yield f"{level.name.lower()} content needs {why}"
    rows = {one.name: one for one in REGIMES}
    for name in sorted(label.regimes):
        why = _regime(rows.get(name) or Regime(name, "a regime of the owner's"), target, policy, today)
        if why:
            yield f"{name} needs {why}"


def lacking(name: str, target: Target, policy: Policy, today: str) -> str:
    """What a need lacks, with the row that says so; empty where it is met. A need that nobody knows is never met."""
    need = next((one for one in NEEDS if one.name == name), None)
    if need is None:
        return f"{name!r}, which is no need there is"
    found = known(policy.facts, target, need.attribute, today)
    if found.fact is not None and set(need.accepts) & set(found.fact.values):
        return ""
    return f"{need.what}: {found.why}"


def _regime(row: Regime, target: Target, policy: Policy, today: str) -> str:
    by_contract = known(policy.facts, target, "handles", today)
    if by_contract.fact is not None and _names(by_contract.fact, row.name):
        return ""
    why: list[str] = []
    if row.regions:
        region, told = place(target, policy, today)
        if within_any(region, row.regions):
            return ""
        why.append(f"a target in {' or '.join(row.regions)} ({told})")
    for name in row.needs:
        short = lacking(name, target, policy, today)
        if not short:
            return ""
        why.append(short)
    return ", or ".join(why) or f"an owned target, or a contract that names it: {by_contract.why}"


def _names(fact: Fact, regime: str) -> bool:
    return fact.certainty == "contract" and regime in fact.values
