"""Profiles that come with Freehold: what most owners want, by name. A profile of the owner's may build on one."""

from __future__ import annotations

from freehold.guard.detectors.registry import MAKERS
from freehold.guard.types import Profile, Rule

NAMES = ("protect", "pseudonymise", "strict", "watch")

IDENTIFIERS: tuple[Rule, ...] = (
    Rule(detector="pii", kinds=("URL",), action="flag", at_least=0.6),
    Rule(detector="pii", action="pseudonymise", directions=("in",)),
    Rule(detector="pii", action="flag", directions=("out",)),
)
_ATTACKS: tuple[Rule, ...] = (
    Rule(detector="injection", action="block", directions=("in",), sources=("user",), at_least=0.9),
    Rule(detector="injection", action="flag", directions=("in",)),
    Rule(detector="indirect", action="ask", directions=("in",), sources=("tool", "document")),
)


def built_in(name: str) -> Profile | None:
    """The profile by that name, of the detectors that this installation has; None for another name."""
    found = {
        "watch": Profile(
            name="watch",
            rules=(
                *(Rule(detector=one, directions=("in",)) for one in ("indirect", "injection")),
                *(Rule(detector=one) for one in ("moderation", "pii", "regulated", "secrets")),
            ),
        ),
        "protect": Profile(
            name="protect",
            rules=(Rule(detector="secrets", action="redact"), *_ATTACKS, Rule(detector="pii", action="flag")),
        ),
        "pseudonymise": Profile(
            name="pseudonymise",
            rules=(Rule(detector="secrets", action="redact"), *IDENTIFIERS, *_ATTACKS),
        ),
        "strict": Profile(
            name="strict",
            rules=(
                Rule(detector="secrets", action="block", directions=("in",)),
                Rule(detector="secrets", action="redact", directions=("out",)),
                *_raises(),
                Rule(detector="injection", action="block", directions=("in",), sources=("user", "tool", "document")),
                _ATTACKS[-1],
                Rule(detector="pii", action="redact"),
                Rule(detector="moderation", action="flag"),
            ),
            on_failure="block",
        ),
    }.get(name)
    if found is None:
        return None
    known = {one for one, _ in MAKERS}
    return Profile(
        name=found.name, rules=tuple(one for one in found.rules if one.detector in known), on_failure=found.on_failure
    )


def _raises() -> tuple[Rule, ...]:
    from freehold.guard.detectors.regulated import RAISES

    return RAISES
