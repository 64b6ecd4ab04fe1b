"""The salts of leaves, each derived from the one secret that it must go with.

A call's goes with its subject's key, so that destroying this key leaves a leaf that nobody can tie to anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from freehold.core.crypto import Sealer
from freehold.core.ids import as_text
from freehold.ledger import receipts
from freehold.ledger.audit.subjects import Subjects
from freehold.ledger.errors import Erased


class Salts:
    """Of one installation, as long as nothing is erased meanwhile: keys are read once."""

    def __init__(self, home: Path, sealer: Sealer) -> None:
        self._sealer = sealer
        self._subjects = Subjects(home / "subjects", sealer)
        self._graves = [(one.subject, one.last, self._subjects.doomed_key(one)) for one in self._subjects.doomed()]
        self._keys: dict[str, bytes | None] = {}

    def of_call(self, row: Mapping[str, Any]) -> bytes:
        """The salt of a call's statement. Raises Erased where its subject's key is no more, BadSignature if changed."""
        if row["form"] == 1:
            return receipts.first_call_salt(self._sealer, row["id"])
        secret = self._secret(row["subject"], row["leaf"]) if row["subject"] else None
        if secret is None:
            raise Erased(f"the key of whom {as_text('call', row['id'])} was about is destroyed")
        return receipts.call_salt(secret, row["id"])

    def of_change(self, leaf: int) -> bytes:
        """The salt of the statement about a change."""
        return receipts.change_salt(self._sealer, leaf)

    def of_intent(self, call: bytes) -> bytes:
        """The salt of an intent."""
        return receipts.intent_salt(self._sealer, call)

    def _secret(self, subject: str, leaf: int) -> bytes | None:
        doomed = sorted((last, key) for name, last, key in self._graves if name == subject and last >= leaf)
        if doomed:
            return doomed[0][1]
        if subject not in self._keys:
            self._keys[subject] = self._subjects.key(subject)
        return self._keys[subject]
