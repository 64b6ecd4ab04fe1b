"""Callers' files: contents sealed like captured bodies, rows that say whose they are.

Invariant: a file is found by its own key's id only; what is deleted, expired or erased is found by nobody.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec
from sqlalchemy import Connection, Engine

from freehold.batches import store
from freehold.batches.types import File, file_id
from freehold.core.clock import Clock
from freehold.core.db import reading, writing
from freehold.core.errors import Exhausted, NotFound
from freehold.ledger import capture
from freehold.ledger.audit.store import append
from freehold.ledger.retention import DAY, Retention


class Content(msgspec.Struct, frozen=True):
    """One file to be kept."""

    name: str
    data: bytes
    purpose: str
    label: str
    stated: str = ""
    seconds: float | None = None
    """After which its maker wants it erased; None for the instance's own term."""


class Owner(msgspec.Struct, frozen=True):
    """Whose files they are. `name` stands in the audit log; `subject` names in rows whom they are about."""

    key_id: str
    team: str
    name: str
    subject: str = ""


class Cabinet:
    """The files of an instance."""

    def __init__(
        self, engine: Engine, bodies: capture.Bodies, retention: Retention, clock: Clock, new_id: Callable[[], bytes]
    ) -> None:
        self.engine = engine
        self.bodies = bodies
        self._retention = retention
        self._clock = clock
        self._new_id = new_id

    def keep(
        self, contents: Sequence[Content], owner: Owner, also: Callable[[Connection, Sequence[File]], None]
    ) -> list[File]:
        """Store files; `also` runs in the transaction that makes them known. Raises FileRefused."""
        now = self._clock()
        made = [self._file(one, owner, now) for one in contents]
        subjects = self.bodies.subjects
        with self.bodies.exclusive(), subjects.exclusive():
            if owner.subject:  # what is about somebody is erased with their key
                subjects.ready([owner.subject])
            digests = self.bodies.put_all([one.data for one in contents], [owner.subject] * len(contents))
            with writing(self.engine) as connection:
                for file, digest in zip(made, digests, strict=True):
                    store.add_file(connection, file, owner.team, digest)
                also(connection, made)
        return made

    def upload(self, content: Content, owner: Owner, most_bytes: int) -> File:
        """Store a caller's file. Raises Exhausted where the key's files would hold more than `most_bytes`."""
        with reading(self.engine) as connection:
            there = store.bytes_of(connection, owner.key_id)
        if there + len(content.data) > most_bytes:
            hint = "delete files that are not needed, or raise [batches] key_mebibytes"
            raise Exhausted(f"this key's files hold {there} bytes, at most {most_bytes} are kept", hint=hint)

        def noted(connection: Connection, made: Sequence[File]) -> None:
            told: dict[str, object] = {"file": made[0].id.hex(), "bytes": made[0].bytes, "label": made[0].label}
            append(connection, made[0].created_at, "file.create", owner.name, told)

        return self.keep([content], owner, noted)[0]

    def find(self, key_id: str, text: str) -> tuple[File, bytes]:
        """A file by its id, with its content's digest. Raises NotFound."""
        with reading(self.engine) as connection:
            found = store.find_file(connection, key_id, file_id(text))
        if found is None:
            raise NotFound("none of the files of this key has that id", hint="list them: GET /v1/files")
        return found

    def content(self, key_id: str, text: str) -> bytes:
        """What is in a file. Raises NotFound."""
        return self.bodies.open(self.find(key_id, text)[1])

    def delete(self, owner: Owner, text: str) -> File:
        """Erase a file for good. Raises NotFound; Held where a legal hold covers it."""
        file, _ = self.find(owner.key_id, text)
        now = self._clock()
        capture.erase_records(self.engine, self.bodies, [file.id], "deleted by its key", now)
        with writing(self.engine) as connection:
            append(connection, now, "file.delete", owner.name, {"file": file.id.hex()})
        return file

    def _file(self, content: Content, owner: Owner, now: float) -> File:
        term = self._retention.seconds(content.label)
        return File(
            id=self._new_id(),
            key_id=owner.key_id,
            purpose=content.purpose,
            name=content.name,
            bytes=len(content.data),
            label=content.label,
            stated=content.stated,
            subject=owner.subject,
            created_at=now,
            expires_at=now + (term if content.seconds is None else min(term, content.seconds)),
        )


def term_of(file_days: int, classes: Sequence[tuple[str, float]]) -> Retention:
    """How long files are kept: `file_days`, or less where the label's class says less."""
    usual = file_days * DAY
    return Retention(usual, tuple((name, min(term, usual)) for name, term in classes))
