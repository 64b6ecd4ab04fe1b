"""May content with this label go to this target? Plain rules, the same for every attempt of every call.

1. Air-gapped: nothing goes to a rented target.
2. The label must lie within the target's clearance.
Nothing in a request can widen this; no configuration switches it off.
"""

from __future__ import annotations

from freehold.core.label import UNKNOWN, Label
from freehold.policy.targets import Target
from freehold.policy.types import Decision, Policy


def decide(label: Label, target: Target, policy: Policy) -> Decision:
    """The decision with its reason; pure."""
    if policy.air_gapped and not target.owned:
        return Decision(False, f"{target.name} is rented and this instance is air-gapped")
    if not label.within(target.clearance):
        return Decision(False, f"{target.name} is cleared for {target.clearance}, the content is {label}")
    return Decision(
        True, f"{target.name} is cleared for {'everything' if target.clearance == UNKNOWN else target.clearance}"
    )
