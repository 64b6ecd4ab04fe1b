"""May content with this label go to this target? Plain rules, the same for every attempt of every call.

Every rule can only refuse; all must let it pass. Nothing in a request can widen this, no configuration switches a
rule off, and what is not known counts against the target. Tenants' rules in Cedar come after it and narrow further.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from freehold.core.label import UNKNOWN, Label, Level
from freehold.policy import regimes
from freehold.policy.residency import within_any
from freehold.policy.targets import Target
from freehold.policy.types import ANY, Decision, Narrowing, Policy, Where


class Question(msgspec.Struct, frozen=True):
    """What is decided."""

    label: Label
    target: Target
    policy: Policy
    where: Where


Rule = Callable[[Question], str]
"""In words why it refuses; empty where it lets pass."""


def decide(label: Label, target: Target, policy: Policy, where: Where = Where()) -> Decision:  # noqa: B008  immutable
    """The decision with its reason; pure."""
    asked = Question(label, target, policy, where)
    for name, rule in RULES:
        refused = rule(asked)
        if refused:
            return Decision(False, refused, name)
    everything = target.clearance == UNKNOWN
    return Decision(True, f"{target.name} is cleared for {'everything' if everything else target.clearance}")


def steps(label: Label, target: Target, policy: Policy, where: Where) -> tuple[tuple[str, str], ...]:
    """Every rule in order with what it says; empty text where it lets pass. The first that does not decides."""
    asked = Question(label, target, policy, where)
    return tuple((name, rule(asked)) for name, rule in RULES)


def _air_gap(asked: Question) -> str:
    if asked.policy.air_gapped and not asked.target.owned:
        return f"{asked.target.name} is rented and this instance is air-gapped"
    return ""


def _closed(asked: Question) -> str:
    if asked.policy.closed and not asked.target.owned:
        return f"{asked.target.name} is rented, and nothing leaves for now: {asked.policy.closed}"
    return ""


def _clearance(asked: Question) -> str:
    label, target = asked.label, asked.target
    if not label.within(target.clearance):
        return f"{target.name} is cleared for {target.clearance}, the content is {label}"
    return ""


def _unknown(asked: Question) -> str:
    if asked.label.level == Level.UNKNOWN and not asked.target.owned:
        return f"{asked.target.name} is rented, and how sensitive the content is is not known"
    return ""


def _narrowed(asked: Question) -> str:
    return next((why for why in (_breaks(asked, one) for one in asked.policy.rules) if why), "")


def _vendor(asked: Question) -> str:
    target = asked.target
    if target.owned:
        return ""
    why = next(regimes.unmet(asked.label, target, asked.policy, asked.where.today), "")
    return f"{target.name} is rented: {why}" if why else ""


RULES: tuple[tuple[str, Rule], ...] = (
    ("air_gap", _air_gap),
    ("closed", _closed),
    ("clearance", _clearance),
    ("unknown", _unknown),
    ("narrowed", _narrowed),
    ("vendor", _vendor),
)
"""In the order in which they are asked; the order only chooses the reason that is told."""


def _breaks(asked: Question, rule: Narrowing) -> str:
    """What a rule of the owner's asks for that the target is not."""
    target, where = asked.target, asked.where
    if not _holds(rule, asked.label, where):
        return ""
    if rule.owned and not target.owned:
        return f"{rule.name} keeps {asked.label} content with owned targets, {target.name} is rented"
    if rule.regions is not None:
        region, told = regimes.place(target, asked.policy, where.today)
        if not within_any(region, rule.regions):
            return f"{rule.name} wants {' or '.join(rule.regions) or 'no region at all'}: {told}"
    if target.owned:
        return ""
    short = (regimes.lacking(name, target, asked.policy, where.today) for name in rule.needs)
    return next((f"{rule.name} wants {why}" for why in short if why), "")


def _holds(rule: Narrowing, label: Label, where: Where) -> bool:
    """Is this content, from this team on this route, under the rule? Asked for anybody, it is under all of them."""
    return (
        label.level >= rule.label.level
        and label.regimes >= rule.label.regimes
        and (not rule.teams or where.team == ANY or where.team in rule.teams)
        and (not rule.routes or where.route == ANY or where.route in rule.routes)
    )
