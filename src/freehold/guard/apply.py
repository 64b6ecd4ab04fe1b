"""What stands in the place of a finding. Never the text that was found."""

from __future__ import annotations

from typing import Protocol

from freehold.guard.types import Finding, Rule

ALTERING = ("redact", "pseudonymise", "block")
"""Actions after which the text is not what it was."""


class Vault(Protocol):
    """Keeps stand-ins: the same kind and value give the same stand-in within a conversation."""

    def stand_in(self, kind: str, value: str) -> str:
        """What stands for `value`; holds nothing of it."""


def mark(kind: str) -> str:
    """What a redacted finding becomes, such as `[EMAIL]`."""
    return f"[{kind.upper()}]"


def replacement(rule: Rule, found: Finding, value: str, vault: Vault | None) -> str:
    """What is put in place of `value`. Without a vault nothing can be turned back: it is redacted."""
    if rule.action == "pseudonymise" and vault is not None:
        return vault.stand_in(found.kind, value)
    return mark(found.kind)
