"""Every slip of the pen in the inner rule changes a decision, or what is told of it, in the cases below."""

from __future__ import annotations

from itertools import product

from freehold.core.label import Label, Level, parse_label
from freehold.policy.decide import decide
from freehold.policy.types import Narrowing, Policy, Where
from freehold.policy.vendors import Fact
from tests.policy.mutants import ROOMS, built, mutants, source
from tests.policy.worlds import CONTRACTS, PAPERS, TODAY, fact, rented

LABELS = tuple(
    Label(level, frozenset(regimes))
    for level in Level
    for regimes in ((), ("GDPR",), ("HIPAA",), ("GDPR", "PCI"), ("ODD",))
)
ASKERS = (Where("hr", "talk", TODAY), Where("it", "talk", TODAY), Where("hr", "x", TODAY), Where("*", "*", TODAY))


def _targets():
    for clearance, owned in product(
        ("public", "confidential:GDPR", "restricted:GDPR,HIPAA,PCI", "unknown"), (False, True)
    ):
        yield rented(clearance, owned=owned, region="EU")
    for region in ("", "unknown", "global", "DE", "de-be", "US", "EU-WEST-2", "NO", " us "):
        yield rented("restricted:GDPR,HIPAA", region=region)
        yield rented("restricted:GDPR", owned=True, region=region)
    yield rented("restricted:GDPR", offering="", region="US")
    yield rented("restricted:GDPR", offering="other", region="EU")


def _public(attribute: str, *values: str, **more) -> Fact:
    more.setdefault("certainty", "high")
    return fact(attribute, *values, source="https://x.test", **more)


def _facts():
    yield from ((), CONTRACTS, PAPERS)
    yield (*CONTRACTS, _public("residency", "US", "global"), _public("hipaa_baa", "offered"))
    yield (*CONTRACTS, _public("residency", "region"), fact("handles", "ODD", "HIPAA"))
    yield (*CONTRACTS, _public("residency", "EU"), _public("handles", "PCI", "ODD"))
    yield (*CONTRACTS, _public("residency", "EEA", "NO"))
    yield (*CONTRACTS, _public("residency", "EU", certainty="low"), fact("dpa", "signed"))
    yield (*CONTRACTS, fact("residency", "US", as_of="2027-01-01"), fact("dpa", "offered"))
    yield (fact("trains_by_default", "no", until=TODAY), fact("zero_retention", "on", as_of=TODAY))
    yield (fact("trains_by_default", "no", until="2026-11-21"), fact("zero_retention", "on", as_of="2026-11-23"))
    yield (_public("trains_by_default", "no", certainty="low"), _public("zero_retention", "on", certainty="medium"))
    yield (fact("trains_by_default", "no"), fact("trains_by_default", "yes"), fact("zero_retention", "on"))
    yield (fact("trains_by_default", "yes"), fact("trains_by_default", "no", as_of="2026-02-01"))
    yield (fact("trains_by_default", "no"), _public("trains_by_default", "yes", as_of="2026-09-01"))
    yield (_public("trains_by_default", "no"), fact("trains_by_default", "yes", party="provider/p"))
    yield (fact("trains_by_default", "no", party="target/t"), fact("trains_by_default", "yes", party="provider/p"))
    yield (fact("trains_by_default", "no", party="provider/p"), fact("trains_by_default", "yes", as_of="2026-09-01"))
    yield (fact("trains_by_default", "no", party=""), fact("trains_by_default", "no", party="target/other"))


def _rules():
    yield ()
    for label in ("public", "confidential", "confidential:GDPR"):
        yield (Narrowing(name="one", label=parse_label(label), owned=True),)
    yield (Narrowing(name="two", teams=("hr",), regions=("EU",)),)
    yield (Narrowing(name="three", routes=("talk",), regions=("US", "EEA")),)
    yield (Narrowing(name="four", teams=("hr",), routes=("talk",), needs=("baa",)),)
    yield (Narrowing(name="five", regions=()),)
    yield (Narrowing(name="six", needs=("no_such",)),)
    yield (Narrowing(name="nowhere", regions=("", "unknown")),)
    yield (Narrowing(name="seven", needs=("baa", "dpa")), Narrowing(name="eight", regions=("DE", "EU-WEST-2")))


PLACES = (Narrowing(name="places", regions=("DE", "EU-WEST-2", "US")),)
NORWAY = (Narrowing(name="norway", regions=("NO",)),)


def cases():
    targets, facts, rules = tuple(_targets()), tuple(_facts()), tuple(_rules())
    for label, target in product(LABELS, targets):
        yield from ((label, target, Policy(facts=one), ASKERS[0]) for one in facts)
        yield from ((label, target, Policy(facts=PAPERS, rules=one), where) for one in rules for where in ASKERS)
        yield from ((label, target, Policy(facts=one, rules=PLACES), ASKERS[0]) for one in facts)
        yield from ((label, target, Policy(facts=one, rules=NORWAY), ASKERS[0]) for one in facts)
        for shut in (Policy(air_gapped=True, facts=PAPERS), Policy(closed="mending", facts=PAPERS)):
            yield label, target, shut, ASKERS[1]
    yield parse_label("confidential"), rented("confidential"), Policy(facts=CONTRACTS), Where()


def test_the_rules_read_from_their_source_are_the_rules() -> None:
    again = built({room: source(room) for room in ROOMS})
    assert all(_told(again(*case)) == _told(decide(*case)) for case in cases())


def test_no_slip_of_the_pen_goes_unnoticed() -> None:
    bank = tuple(cases())
    expected = [_told(decide(*case)) for case in bank]
    alive, count = [], 0
    for where, mutated in mutants():
        count += 1
        if not _noticed(mutated, bank, expected):
            alive.append(where)
    assert not alive, f"{len(alive)} of {count} went unnoticed:\n" + "\n".join(alive)
    assert count > 60


def _noticed(mutated, bank, expected) -> bool:
    try:
        return any(_told(mutated(*case)) != told for case, told in zip(bank, expected, strict=True))
    except Exception:  # noqa: BLE001  a rule that breaks is noticed
        return True


def _told(decision) -> tuple[bool, str, str]:
    return decision.allowed, decision.reason, decision.rule
