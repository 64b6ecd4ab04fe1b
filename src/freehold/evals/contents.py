"""Answers that evaluation keeps: sealed beside their record's own content, and gone when that goes."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from sqlalchemy import Engine

from freehold.core.db import reading, writing
from freehold.core.errors import NotFound
from freehold.evals import store
from freehold.grading.types import Answer
from freehold.ledger.capture import Bodies, Kept
from freehold.ledger.intake.store import subjects_of
from freehold.ledger.store import insert_bodies


class Content(msgspec.Struct, frozen=True, array_like=True):
    """An answer, with what is said about it that may quote it."""

    answer: Answer | None = None
    detail: str = ""


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Content).decode


class Contents:
    """The answers kept of one instance."""

    def __init__(self, engine: Engine, bodies: Bodies) -> None:
        self._engine = engine
        self._bodies = bodies

    def keep(self, found: Sequence[tuple[bytes, str, Content]], now: float) -> None:
        """Keep contents by record and side, as long as the record's own; those of erased records are not kept.

        One flush for all of them. Raises FileRefused where the disk is full.
        """
        ids = list({record for record, _, _ in found})
        if not ids:
            return
        with reading(self._engine) as connection:
            until, labels = store.until_of(connection, ids), store.labels_of(connection, ids)
            whose = subjects_of(connection, list(until))
        living = [one for one in found if one[0] in until]
        plain = [_encode(content) for _, _, content in living]
        with self._bodies.exclusive():
            digests = self._bodies.put_all(plain, [whose.get(record, "") for record, _, _ in living])
            rows = [
                Kept(record, side, digest, labels.get(record, "unknown"), len(data), now, until[record])
                for (record, side, _), digest, data in zip(living, digests, plain, strict=True)
            ]
            with writing(self._engine) as connection:
                insert_bodies(connection, rows)

    def load(self, wanted: Sequence[tuple[bytes, str]]) -> dict[tuple[bytes, str], Content]:
        """What is still kept, by record and side."""
        with reading(self._engine) as connection:
            digests = store.contents(connection, list({record for record, _ in wanted}))
        found: dict[tuple[bytes, str], Content] = {}
        for one in wanted:
            try:
                if one in digests:
                    found[one] = _decode(self._bodies.open(digests[one]))
            except NotFound:
                continue  # erased meanwhile
        return found
