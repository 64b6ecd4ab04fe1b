"""Errors of the ledger: what was erased, what must not be, and whose journals are not taken."""

from __future__ import annotations

from freehold.core.errors import Conflict, Forbidden, NotFound


class Erased(NotFound):
    """It was erased with the key of whom it was about; the audit tree still holds its place."""

    code = "FH-NOT-010"
    hint_text = "see when and why: freehold audit show --kind subject.erased"


class Held(Conflict):
    """A legal hold forbids to erase this."""

    code = "FH-CON-013"
    hint_text = "see the holds: freehold audit hold list; who made one may release it"


class Refused(Forbidden):
    """The primary knows no replica with this token: it was removed there, or never added. It serves no calls."""

    code = "FH-POL-035"
    hint_text = "add it anew at the primary, freehold replicas add NAME --out FILE, and here: freehold up --join FILE"
