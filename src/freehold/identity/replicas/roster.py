"""Which replicas there are, asked of the database each time: what was removed counts at once."""

from __future__ import annotations

from sqlalchemy import Engine

from freehold.core.db import reading
from freehold.identity.replicas import lifecycle, store


class Roster:
    """The replicas of one instance."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def admits(self, token: str) -> str | None:
        """The id of the replica whose token that is; None where none has it any more."""
        with reading(self._engine) as connection:
            return lifecycle.admitted(connection, token)

    def serving(self) -> frozenset[str]:
        """Ids of those that have not ended."""
        with reading(self._engine) as connection:
            return frozenset(one.id for one in store.serving(connection))

    def lost(self) -> frozenset[str]:
        """Ids of those that ended without having shipped all."""
        with reading(self._engine) as connection:
            return frozenset(one.id for one in store.everything(connection) if one.lost)
