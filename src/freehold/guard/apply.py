"""What stands in the place of a finding. Never the text that was found."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

ALTERING = ("redact", "pseudonymise", "block")
"""Actions after which the text is not what it was."""


class Vault(Protocol):
    """Keeps stand-ins: the same kind and value give the same stand-in within a conversation."""

    def stand_in(self, kind: str, value: str) -> str:
        """What stands for `value`; holds nothing of it."""

    def replaced(self, texts: Sequence[str], spans: Sequence[Sequence[tuple[int, int, str]]]) -> tuple[str, ...]:
        """The texts with stand-ins for these spans (start, end, kind)."""


def mark(kind: str) -> str:
    """What a redacted finding becomes, such as `[EMAIL]`."""
    return f"[{kind.upper()}]"
