"""Errors of the ledger: what was erased, what must not be, and whose journals are not taken."""

from __future__ import annotations

from freehold.core.errors import Conflict, FileRefused, Forbidden, NotFound, Unavailable


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


class StoreAway(Unavailable):
    """The object store that holds bodies does not answer, or refuses. What was captured waits in the home."""

    code = "FH-AVA-050"
    hint_text = "see what it says: freehold doctor; what was begun is done once it answers"


class SpoolFull(FileRefused):
    """So much waits for the object store that no more is taken, see `[bodies] spool_mb`."""

    code = "FH-AVA-051"
    hint_text = "have the object store answer again: freehold doctor; or raise [bodies] spool_mb"


class NoObjectClient(Unavailable):
    """The package that asks object stores is not installed."""

    code = "FH-AVA-052"
    hint_text = "install it: pip install 'freehold[s3]'"
