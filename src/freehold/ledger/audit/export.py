"""The log as a folder for auditors: every leaf with its salt, every checkpoint, and the public key, as plain text.

No byte of it is free: lines are canonical JSON, in order, so that any change shows to whoever checks it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec
from sqlalchemy import URL

from freehold.core.canonical import canonical
from freehold.core.errors import BadSignature, Conflict
from freehold.ledger.audit import outside, store, verify
from freehold.ledger.audit.leaves import Leaf
from freehold.ledger.audit.offline import Log

ENTRIES = "entries.jsonl"
CHECKPOINTS = "checkpoints"
KEY = "public.key"


class Exported(msgspec.Struct, frozen=True):
    """What was written."""

    folder: str
    leaves: int
    checkpoints: int


def write(home: Path, folder: Path, url: URL | None = None) -> Exported:
    """Write the log of a home into a new folder. Raises Conflict where it has content, BadSignature on a bad leaf."""
    if folder.exists() and any(folder.iterdir()):
        raise Conflict(f"{folder} is not empty", hint="name a new folder")
    log = Log(home, url)
    (folder / CHECKPOINTS).mkdir(parents=True, exist_ok=True)
    (folder / KEY).write_text(f"{log.identity.public.hex()}\n")
    count = 0
    try:
        with log.reading() as connection, (folder / ENTRIES).open("wb") as file:
            stored = store.stored_tiles(connection)
            for leaf in log.leaves(connection):
                file.write(_line(leaf, stored) + b"\n")
                count += 1
            notes = store.all_checkpoints(connection)
    finally:
        log.engine.dispose()
    for one in notes:
        (folder / CHECKPOINTS / outside.name_of(one["size"])).write_bytes(one["note"].encode())
    return Exported(str(folder), count, len(notes))


def _line(leaf: Leaf, stored: Mapping[tuple[int, int], bytes]) -> bytes:
    if leaf.problem:
        raise BadSignature(f"leaf {leaf.number} {leaf.problem}", hint="see all that is wrong: freehold audit verify")
    if leaf.statement is None:
        return canonical({"leaf": leaf.number, "erased": verify.stored_hash(stored, leaf.number).hex()})
    return canonical({"leaf": leaf.number, "salt": leaf.salt.hex(), "statement": dict(leaf.statement)})
