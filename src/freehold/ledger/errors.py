"""Errors of the ledger: what was erased, and what must not be."""

from __future__ import annotations

from freehold.core.errors import Conflict, NotFound


class Erased(NotFound):
    """It was erased with the key of whom it was about; the audit tree still holds its place."""

    code = "FH-NOT-010"
    hint_text = "see when and why: freehold audit show --kind subject.erased"


class Held(Conflict):
    """A legal hold forbids to erase this."""

    code = "FH-CON-013"
    hint_text = "see the holds: freehold audit hold list; who made one may release it"
