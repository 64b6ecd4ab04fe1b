"""Who may take a workflow's label: what level and regimes need, against what is known of each vendor. Pure.

Invariant: the rows and rules are the policy's own, so a plan never allows what the gateway would refuse for lack of
papers; clearances and the tenants' own rules narrow further and are asked at the gateway.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence

from freehold.core.label import PUBLIC, Label, Level, parse_label
from freehold.core.permit import Origin
from freehold.planner.work import Vendor, VendorTerm
from freehold.policy.regimes import NEEDS, REGIMES, unmet
from freehold.policy.targets import Target
from freehold.policy.types import Policy
from freehold.policy.vendors import Fact, known

OFFERINGS = (
    ("anthropic", "anthropic-api"),
    ("aws", "aws-bedrock"),
    ("azure", "azure-openai"),
    ("cohere", "cohere-api"),
    ("google", "google-gemini-api"),
    ("mistral", "mistral-api"),
    ("openai", "openai-api"),
)
"""What a provider of the price book is called among the facts about vendors."""
SHOWN = ("dpa", "hipaa_baa", "processor", "residency", "retention_days", "trains_by_default", "zero_retention")


def vendors(label: str, models: Iterable[str], facts: Sequence[Fact], today: str) -> tuple[Vendor, ...]:
    """Each rented model with what is known of it, and what it lacks for the label. Raises BadRequest.

    Without a label nothing is asked for: `Work.facts` then says that none is known, and nobody may rely on `lacks`.
    """
    wanted = parse_label(label) if label else PUBLIC
    policy = Policy(facts=tuple(facts))
    return tuple(_vendor(wanted, one, policy, today) for one in dict.fromkeys(models))


def _vendor(label: Label, model: str, policy: Policy, today: str) -> Vendor:
    provider = model.partition("/")[0]
    offering = dict(OFFERINGS).get(provider, "")
    target = Target(
        name=model,
        provider=provider,
        driver="",
        dialects=(),
        model=model,
        origin=Origin("https", "", 443),
        offering=offering,
        clearance=label,
    )
    needs = {need.attribute for need in NEEDS if need.name in _asked(label)}
    return Vendor(
        model=model,
        offering=offering,
        lacks=tuple(unmet(label, target, policy, today)),
        terms=tuple(_term(target, attribute, needs, policy, today) for attribute in SHOWN),
    )


def _asked(label: Label) -> set[str]:
    """Needs that level and regimes name."""
    asked = {name for one in REGIMES if one.name in label.regimes for name in one.needs}
    if label.level >= Level.CONFIDENTIAL:
        asked.add("no_training")
    if label.level >= Level.RESTRICTED:
        asked.add("zero_retention")
    return asked


def _term(target: Target, attribute: str, needs: Container[str], policy: Policy, today: str) -> VendorTerm:
    found = known(policy.facts, target, attribute, today)
    need = next((one for one in NEEDS if one.attribute == attribute and attribute in needs), None)
    values = () if found.fact is None else found.fact.values
    return VendorTerm(
        model=target.model,
        offering=target.offering,
        attribute=attribute,
        value=", ".join(values),
        need="" if need is None else need.what,
        covered=None if need is None else bool(set(need.accepts) & set(values)),
        source=found.why,
    )
