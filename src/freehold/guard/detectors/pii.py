"""Personal data by its form."""

from __future__ import annotations

from collections.abc import Sequence

import re2

from freehold.guard.types import Finding, Piece

_EMAIL = re2.compile(r"\b[A-Za-z0-9._%+-]{1,64}@(?:[A-Za-z0-9-]{1,40}\.){1,4}[A-Za-z]{2,24}\b")


class Pii:
    """Structured identifiers of people."""

    name = "pii"
    version = "1"
    kinds = ("EMAIL",)
    span = 256
    context = 64

    def find(self, piece: Piece) -> Sequence[Finding]:
        """Findings, by start."""
        return [
            Finding(detector=self.name, kind="EMAIL", start=found.start(), end=found.end())
            for found in _EMAIL.finditer(piece.text)
        ]
