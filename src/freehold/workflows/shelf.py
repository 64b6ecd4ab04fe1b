"""Reading records with their content, and putting them there: files first, then rows, so no row lacks its file.

Reading holds one page in memory; what was erased is not read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import msgspec
from sqlalchemy import Engine

from freehold.core.crypto import sha256
from freehold.core.db import reading, writing
from freehold.core.errors import NotFound
from freehold.core.ids import as_text
from freehold.ledger.capture import Bodies, Kept
from freehold.ledger.intake.store import subjects_of
from freehold.ledger.store import insert_bodies
from freehold.workflows import store
from freehold.workflows.records import Record
from freehold.workflows.store import EXCHANGE, Found, Which

_PAGE = 500


class _Content(msgspec.Struct, array_like=True):
    request: bytes
    response: bytes


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Content).decode


class Shelf:
    """Every record of an instance."""

    def __init__(self, engine: Engine, bodies: Bodies) -> None:
        self._engine = engine
        self._bodies = bodies

    @property
    def bodies(self) -> Bodies:
        """Where their content lies."""
        return self._bodies

    def records(self, which: Which, after: bytes = b"") -> Iterator[Record]:
        """Records that match, in order of time, from the one after `after` on.

        Each page is one view: what is added meanwhile may be seen.
        """
        while True:
            with reading(self._engine) as connection:
                page = store.scan(connection, which, after, _PAGE)
            for one in page:
                whole = self._whole(one)
                if whole is not None:
                    yield whole
            if len(page) < _PAGE:
                return
            after = page[-1].record.id

    def one(self, id: bytes) -> Record:  # noqa: A002  the word the contract uses
        """One record with its content. Raises NotFound where there is none, or its content is erased."""
        found = next(self.records(Which(ids=(id,))), None)
        if found is None:
            raise NotFound(f"there is no record {as_text('rec', id)}, or its content was erased")
        return found

    def count(self, which: Which) -> int:
        """How many records match, also of those whose content is erased."""
        with reading(self._engine) as connection:
            return store.count(connection, which)

    def put(
        self,
        found: Sequence[Record],
        kept_at: float,
        retention_seconds: float,
        until: Mapping[bytes, float] | None = None,
    ) -> int:
        """Keep a batch, all of it or nothing; how many were new. What is there already stays as it is.

        `until` names other ends of retention, by id. What was erased meanwhile of a live call is not kept.
        Raises FileRefused where the disk is full: then no row was written, and the batch can be put again.
        """
        with reading(self._engine) as connection:
            known = store.known(connection, (one.id for one in found))
        fresh = {one.id: one for one in found if one.id not in known}
        if not fresh:
            return 0
        with reading(self._engine) as connection:
            whose = subjects_of(connection, list(fresh))
        usual, ends = kept_at + retention_seconds, until or {}
        with self._bodies.exclusive():
            plain = [_encode(_Content(one.request, one.response)) for one in fresh.values()]
            digests = self._bodies.put_all(plain, [whose.get(one, "") for one in fresh])
            kept = {
                one.id: Kept(one.id, EXCHANGE, digest, one.label, len(data), kept_at, ends.get(one.id, usual))
                for one, digest, data in zip(fresh.values(), digests, plain, strict=True)
            }
            with writing(self._engine) as connection:
                for one in store.erased(connection, list(fresh)):
                    del fresh[one], kept[one]
                new = store.insert(connection, [(one, sha256(one.request)) for one in fresh.values()])
                insert_bodies(connection, list(kept.values()))
        return new

    def _whole(self, found: Found) -> Record | None:
        try:
            content = _decode(self._bodies.open(found.digest))
        except NotFound:
            return None  # erased since the page was read
        return msgspec.structs.replace(found.record, request=content.request, response=content.response)
