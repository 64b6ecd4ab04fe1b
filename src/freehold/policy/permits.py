"""The mint: the only place a permit is made, and only on a decision that allows it.

What was decided is remembered for one policy, one day, one team on one route, and one very target: where any of them
is another, it is decided anew.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

from freehold.core.errors import NoPermittedTarget
from freehold.core.label import Label
from freehold.core.permit import PERMIT_SECONDS, Permit
from freehold.policy.cedar import Rules
from freehold.policy.decide import decide
from freehold.policy.targets import Target
from freehold.policy.types import Decision, Policy, Where

DAY_SECONDS = 86400.0
MOST_REMEMBERED = 8192
"""Callers may name labels of their own, and memory is not theirs to fill."""


class Mint:
    """Makes permits under one version of the policy, for whoever it is scoped to."""

    def __init__(
        self, version: int, policy: Policy, *, digests: bool = True, now: float = 0.0, rules: Rules | None = None
    ) -> None:
        """`now` in Unix seconds: contracts and rows that do not hold on that day count for nothing.

        `digests` off leaves `body_sha256` empty: the permit still binds the bytes, being immutable, themselves.
        `rules` are the policy's own in Cedar, where they were read already.
        """
        self.version = version
        self.policy = policy
        self.team = "*"
        self.route = "*"
        self.base: Mint = self
        """The mint it was scoped from: one a policy snapshot and day."""
        self._digests = digests
        self._rules = rules
        if policy.cedar and rules is None:
            try:
                self._rules = Rules(policy.cedar)
            except ValueError as error:
                self.policy = _closed(policy, f"the tenants' rules cannot be read: {error}")
        self._apart = self._rules is not None or any(one.teams or one.routes for one in policy.rules)
        self._scopes: dict[tuple[str, str], Mint] = {}
        self._known: dict[tuple[Label, str], tuple[Target, Decision]] = {}
        self._begin(now)

    def scoped(self, team: str, route: str) -> Mint:
        """The mint for what one team sends on one route; itself where no rule tells teams and routes apart."""
        if not self._apart:
            return self
        found = self._scopes.get((team, route))
        if found is None:
            found = Mint(self.version, self.policy, digests=self._digests, now=self._from, rules=self._rules)
            found._bind(self, team, route)
            self._scopes[team, route] = found
        return found

    def holds(self, now: float) -> bool:
        """Is it still the day its decisions were made on?"""
        return self._from <= now < self._until

    def renewed(self, now: float) -> Mint:
        """The mint for another day."""
        return Mint(self.version, self.policy, digests=self._digests, now=now, rules=self._rules)

    def decision(self, label: Label, target: Target) -> Decision:
        """May content with `label` go to `target`?"""
        found = self._known.get((label, target.name))
        if found is not None and found[0] is target:
            return found[1]
        decision = decide(label, target, self.policy, self.where)
        if decision.allowed and self._rules is not None:
            refused = self._rules.refuses(label, target, self.where)
            if refused:
                decision = Decision(False, refused, "cedar")
        if len(self._known) >= MOST_REMEMBERED:
            self._known.clear()
        self._known[label, target.name] = (target, decision)
        return decision

    def permit(self, call_id: bytes, label: Label, target: Target, body: bytes, now: float) -> Permit:
        """Leave for `body` to go to `target`. Raises NoPermittedTarget."""
        if not self._from <= now < self._until:
            self._begin(now)
        found = self._known.get((label, target.name))
        decision = found[1] if found is not None and found[0] is target else self.decision(label, target)
        if not decision.allowed:
            raise NoPermittedTarget(decision.reason)
        digest = hashlib.sha256(body).digest() if self._digests else b""
        return Permit(call_id, target.name, target.origin, label, self.version, now + PERMIT_SECONDS, body, digest)

    def _bind(self, base: Mint, team: str, route: str) -> None:
        self.team, self.route, self.base = team, route, base
        self._apart = False
        self._begin(self._from)

    def _begin(self, now: float) -> None:
        """Forget what was decided, and decide by the rows of this day from now on."""
        self._known.clear()
        self._from = now - now % DAY_SECONDS
        self._until = self._from + DAY_SECONDS
        self.where = Where(self.team, self.route, day(now))


def day(now: float) -> str:
    """The ISO date of a moment in UTC; empty, which is before every row, for what is no moment."""
    try:
        return datetime.fromtimestamp(now, UTC).date().isoformat()
    except (ValueError, OverflowError, OSError):
        return ""


def _closed(policy: Policy, why: str) -> Policy:
    return Policy(
        air_gapped=policy.air_gapped,
        closed=policy.closed or why,
        budgets=policy.budgets,
        rules=policy.rules,
        facts=policy.facts,
    )
