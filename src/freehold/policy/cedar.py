"""Tenants' own rules, in Cedar: they narrow what the inner rules allow, and can widen nothing.

Checked against the schema before they are in force. Default deny inside; an error while evaluating is a deny, since
Cedar itself skips a policy that raises and may allow by the next one.
"""

from __future__ import annotations

import json
from typing import Any

from freehold.core.label import Label
from freehold.policy.targets import Target
from freehold.policy.types import Where

SCHEMA = """
entity Team;
entity Target = { provider: String, model: String, region: String, offering: String, owned: Bool };
action send appliesTo {
  principal: [Team],
  resource: [Target],
  context: { level: Long, level_name: String, regimes: Set<String>, route: String }
};
"""
"""What rules may speak of. `level` is 0 public, 1 internal, 2 confidential, 3 restricted, 4 unknown."""


class Rules:
    """Rules that were checked, ready to be asked."""

    def __init__(self, text: str) -> None:
        """Raises ValueError, in words, for what is no valid set of rules."""
        found = problems(text)
        if found:
            raise ValueError("; ".join(found))
        import cedarpy

        self._cedar = cedarpy
        self._policies = cedarpy.PolicySet.from_str(text)
        self._schema = cedarpy.Schema.from_str(SCHEMA)
        self._names = _names(cedarpy.policies_to_json_str(text))

    def refuses(self, label: Label, target: Target, where: Where) -> str:
        """In words why the rules do not let it pass; empty where they do."""
        try:
            found = self._cedar.is_authorized(
                _request(label, target, where), self._policies, _entities(target, where), self._schema
            )
        except (ValueError, TypeError, RuntimeError) as error:
            return f"{target.name}: the tenants' rules could not be asked: {error}"
        errors = [str(one) for one in found.diagnostics.errors]
        if errors:
            return f"{target.name}: the tenants' rules failed: {'; '.join(errors)}"
        if found.decision != self._cedar.Decision.Allow:
            named = sorted(self._names.get(str(one), str(one)) for one in found.diagnostics.reasons)
            why = f"forbid it ({', '.join(named)})" if named else "do not permit it"
            return f"{target.name}: the tenants' rules {why} for {label} of team {where.team} on {where.route}"
        return ""


def problems(text: str) -> tuple[str, ...]:
    """What is wrong with rules as written; empty where nothing is."""
    import cedarpy

    try:
        found = cedarpy.validate_policies(text, SCHEMA)
    except (ValueError, TypeError) as error:
        return (str(error),)
    if found.validation_passed:
        return ()
    return tuple(f"{one.policy_id}: {one.error}" if one.policy_id else str(one.error) for one in found.errors)


def _names(text: str) -> dict[str, str]:
    """What policies are called by their annotation `@id`."""
    rows = json.loads(text).get("staticPolicies", {})
    told = {name: one.get("annotations", {}).get("id") for name, one in rows.items()}
    return {name: one for name, one in told.items() if one}


def _request(label: Label, target: Target, where: Where) -> dict[str, Any]:
    return {
        "principal": {"type": "Team", "id": where.team},
        "action": {"type": "Action", "id": "send"},
        "resource": {"type": "Target", "id": target.name},
        "context": {
            "level": int(label.level),
            "level_name": label.level.name.lower(),
            "regimes": sorted(label.regimes),
            "route": where.route,
        },
    }


def _entities(target: Target, where: Where) -> list[dict[str, Any]]:
    told = {
        "provider": target.provider,
        "model": target.model,
        "region": target.region,
        "offering": target.offering,
        "owned": target.owned,
    }
    return [
        {"uid": {"type": "Team", "id": where.team}, "attrs": {}, "parents": []},
        {"uid": {"type": "Target", "id": target.name}, "attrs": told, "parents": []},
    ]
