"""The mint: the only place a permit is made, and only on a decision that allows it."""

from __future__ import annotations

import hashlib

from freehold.core.errors import NoPermittedTarget
from freehold.core.label import Label
from freehold.core.permit import Permit
from freehold.policy.decide import decide
from freehold.policy.targets import Target
from freehold.policy.types import Decision, Policy

PERMIT_SECONDS = 600.0
"""How long a body may wait for its connection; beyond it the decision must be made anew."""


class Mint:
    """Makes permits under one version of the policy; decisions are remembered, as both sides are immutable."""

    def __init__(self, version: int, policy: Policy, *, digests: bool = True) -> None:
        """`digests` off leaves `body_sha256` empty: the permit still binds the bytes, being immutable, themselves."""
        self.version = version
        self._digests = digests
        self.policy = policy
        self._known: dict[tuple[Label, str], Decision] = {}

    def decision(self, label: Label, target: Target) -> Decision:
        """May content with `label` go to `target`?"""
        key = (label, target.name)
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = decide(label, target, self.policy)
        return found

    def permit(self, call_id: bytes, label: Label, target: Target, body: bytes, now: float) -> Permit:
        """Leave for `body` to go to `target`. Raises NoPermittedTarget."""
        decision = self._known.get((label, target.name)) or self.decision(label, target)
        if not decision.allowed:
            raise NoPermittedTarget(decision.reason)
        digest = hashlib.sha256(body).digest() if self._digests else b""
        return Permit(call_id, target.name, target.origin, label, self.version, now + PERMIT_SECONDS, body, digest)
