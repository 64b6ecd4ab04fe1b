"""Captured bodies: compressed, sealed, content-addressed files under `home/bodies`, each with a time to go.

A body's name is a keyed digest, so equal bodies are one file and the name tells nothing. A file goes when the last
row that refers to it is erased; the row stays as a tombstone. With an object store the folder is the spool: all is
written there first, and goes once the store has confirmed it (`objects/carrier.py`). What is read is found in either.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, suppress
from pathlib import Path

import msgspec
import zstandard
from sqlalchemy import ColumnElement, Connection, Engine

from freehold.core.crypto import Sealer, write_private
from freehold.core.db import writing
from freehold.core.errors import BadSignature, FileRefused, NotFound
from freehold.core.lock import locked
from freehold.ledger import store
from freehold.ledger.audit.store import append
from freehold.ledger.audit.subjects import Subjects
from freehold.ledger.errors import SpoolFull, StoreAway
from freehold.ledger.frames import Body
from freehold.ledger.keeping import store as keeping
from freehold.ledger.keeping.holds import refuse
from freehold.ledger.objects.place import Objects

_PURPOSE = b"body"
_OF_SUBJECT = b"\0FHSUBJ1"
"""Begins a file that is sealed with its subject's key, whose name follows."""
_NAME = 16
_RETENTION = "retention"
_AT_ONCE = 500
"""Rows a transaction erases, so that the writer never waits long."""
_DELETERS = 8
"""Threads that delete from an object store: they wait for its answers."""
_STORE = ".store"
"""Folder beside the bodies' own: its lock, the store's name, and a mark while the spool is full."""
_WRITERS = 4
"""Threads that write one batch: they wait for the disk, not for each other."""


Seal = Callable[[bytes], bytes]
"""Packed content to a file's bytes."""


class Kept(msgspec.Struct, frozen=True):
    """One captured body as a row: `digest` is None where it did not open, and `size` then -1."""

    call: bytes
    side: str
    digest: bytes | None
    label: str
    size: int
    kept_at: float
    retention_until: float


class Bodies:
    """The folder of body files, and the object store they are shipped to where there is one."""

    def __init__(self, folder: Path, sealer: Sealer, afar: Objects | None = None) -> None:
        self._folder = folder
        self._sealer = sealer
        self._afar = afar
        self._full = folder / _STORE / "full"
        self._named = folder / _STORE / "place"
        self.subjects = Subjects(folder.parent / "subjects", sealer)

    @property
    def folder(self) -> Path:
        """Where they lie, or wait to be shipped."""
        return self._folder

    def exclusive(self) -> AbstractContextManager[None]:
        """Holds off other processes between writing a file and its row, and between reading rows and deleting."""
        return locked(self._folder)

    def shipping(self) -> AbstractContextManager[None]:
        """Holds off other processes between asking the object store and going by its answer.

        Taken before `exclusive`, never within it: who keeps a body waits for no store.
        """
        return locked(self._folder / _STORE)

    def keep(self, body: Body, retention_seconds: float, subject: str = "") -> Kept:
        """Store one captured body (call inside `exclusive`), under the key of its subject (see `audit.subjects`).

        What does not open is noted and not kept, and so is what comes while the spool is full.
        """
        until = body.at + retention_seconds
        try:
            plain = self._sealer.open(body.sealed, body.call + body.side.encode())
        except BadSignature:
            return Kept(body.call, body.side, None, body.label, -1, body.at, until)
        digest, seal = self._way(subject, plain)
        path = self._path(digest)
        if not path.exists():
            if self._full.exists():
                return Kept(body.call, body.side, None, body.label, -1, body.at, until)
            packed = zstandard.ZstdCompressor(level=3).compress(plain)
            write_private(path, seal(packed))
        return Kept(body.call, body.side, digest, body.label, len(plain), body.at, until)

    def put_all(self, plain: Sequence[bytes], subjects: Sequence[str] = ()) -> list[bytes]:
        """Store contents that came by another way than the journal (call inside `exclusive`); their digests.

        `subjects` names whose key each is kept under, empty for nobody's. One flush for all of them: when this
        returns, every file survives a power cut. Raises FileRefused where the disk is full or will not be written;
        files that no row refers to do no harm. Raises SpoolFull where too much waits for the object store.
        """
        ways = [self._way(whose, one) for whose, one in zip(subjects or [""] * len(plain), plain, strict=True)]
        found = [digest for digest, _ in ways]
        whole = zip(ways, plain, strict=True)
        fresh = {digest: (seal, one) for (digest, seal), one in whole if not self._path(digest).exists()}
        if not fresh:
            return found
        if self._full.exists():
            raise SpoolFull(f"{self._folder} holds as much as may wait for the object store")
        shares = [list(fresh.items())[at::_WRITERS] for at in range(_WRITERS)]
        try:
            with ThreadPoolExecutor(_WRITERS) as writers:
                for _ in writers.map(self._write_share, shares):
                    pass
        except OSError as error:
            raise FileRefused.of(error) from error
        os.sync()
        return found

    def _write_share(self, share: Sequence[tuple[bytes, tuple[Seal, bytes]]]) -> None:
        pack = zstandard.ZstdCompressor(level=3).compress
        for digest, (seal, one) in share:
            path = self._path(digest)
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            _write_unflushed(path, seal(pack(one)))

    def _way(self, subject: str, plain: bytes) -> tuple[bytes, Seal]:
        """Digest of a content under its subject's key (equal ones of one subject are one file), and how it is sealed.

        Where the subject has no key any more it is sealed as nobody's: who asks erases it at once.
        """
        key = self.subjects.key(subject) if subject else None
        sealer = self._sealer if key is None else Sealer(key)
        digest = sealer.digest(_PURPOSE, plain)
        head = b"" if key is None else _OF_SUBJECT + bytes.fromhex(subject)
        return digest, lambda packed: head + sealer.seal(packed, digest)

    def open(self, digest: bytes) -> bytes:
        """The plain body.

        Raises NotFound where it is kept no more, BadSignature where it was changed, StoreAway where it lies in an
        object store that does not answer.
        """
        return self._opened(self._found(digest), digest)

    def _found(self, digest: bytes) -> bytes:
        path = self._path(digest)
        with suppress(FileNotFoundError):
            return path.read_bytes()
        there = self._afar.get(_name(digest)) if self._afar is not None and self._is_its_place() else None
        if there is not None:
            return there
        with suppress(FileNotFoundError):  # erased there, and kept anew meanwhile
            return path.read_bytes()
        self._check_place()
        raise NotFound("that body is not kept any more")

    def _opened(self, sealed: bytes, digest: bytes) -> bytes:
        sealer = self._sealer
        if sealed.startswith(_OF_SUBJECT):
            head = len(_OF_SUBJECT)
            key = self.subjects.key(sealed[head : head + _NAME].hex())
            if key is None:
                raise NotFound("the key of whom that body was about is destroyed")
            sealer, sealed = Sealer(key), sealed[head + _NAME :]
        return zstandard.ZstdDecompressor().decompress(sealer.open(sealed, digest))

    def begin_shipping(self) -> None:
        """Before the first `ship` (call inside `shipping`): write down where bodies lie from now on.

        Raises StoreAway where they lie in another store already.
        """
        assert self._afar is not None
        self._check_place()
        if not self._named.exists():
            write_private(self._named, self._afar.url.encode())

    def ship(self, path: Path) -> None:
        """Bring one file to the object store and remove it here (call inside `shipping`).

        It goes only once the store has confirmed these bytes, or holds what opens to the same content. Raises
        StoreAway; BadSignature where the store holds something else by that name: that is never overwritten.
        """
        assert self._afar is not None
        digest = bytes.fromhex(path.name)
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            return  # erased since it was seen
        there = self._afar.put(_name(digest), data)
        if there is not None:
            with suppress(NotFound):  # its subject's key is destroyed: neither opens ever again
                self._opened(there, digest)
        path.unlink(missing_ok=True)

    def fill(self, *, full: bool) -> None:
        """Say whether as much waits for the object store as may."""
        if full:
            write_private(self._full, b"")
        else:
            self._full.unlink(missing_ok=True)

    def _is_its_place(self) -> bool:
        try:
            return self._afar is not None and self._named.read_text() == self._afar.url
        except FileNotFoundError:
            return True  # nothing was shipped yet, or its name was lost: the store is asked

    def _check_place(self) -> None:
        """Raises StoreAway where bodies lie in another store than the settings name: they are not gone."""
        if self._named.exists() and not self._is_its_place():
            hint = f"name it in [bodies], or move its objects and write the new name into {self._named}"
            raise StoreAway(f"bodies lie in {self._named.read_text()}, which [bodies] url does not name", hint=hint)

    def drop_afar(self, digests: Sequence[bytes]) -> None:
        """Delete from the object store (call inside `shipping`). Raises StoreAway."""
        self._check_place()
        afar = self._afar
        if afar is None or not digests:
            return
        with ThreadPoolExecutor(_DELETERS) as deleters:
            for _ in deleters.map(lambda one: afar.delete(_name(one)), digests):
                pass

    def here(self, digest: bytes) -> bool:
        """True where its file lies in the folder."""
        return self._path(digest).exists()

    def drop(self, digests: Iterable[bytes]) -> None:
        """Delete files (call inside `exclusive`)."""
        for one in digests:
            self._path(one).unlink(missing_ok=True)

    def _path(self, digest: bytes) -> Path:
        return self._folder / _name(digest)


def _name(digest: bytes) -> str:
    """In the folder as in an object store."""
    name = digest.hex()
    return f"{name[:2]}/{name}"


def _write_unflushed(path: Path, data: bytes) -> None:
    """As `write_private`, but for the flush, which the caller owes."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            left = memoryview(data)
            while left:
                left = left[os.write(handle, left) :]
        finally:
            os.close(handle)
        os.replace(temporary, path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise


def erase_call(engine: Engine, bodies: Bodies, call: bytes, why: str, now: float) -> int:
    """Erase the bodies of one call for good; how many. Safe to run again. Raises Held under a legal hold."""
    return _erase(engine, bodies, store.bodies_of_call(call), why, now)


def erase_key(engine: Engine, bodies: Bodies, key_id: str, why: str, now: float) -> int:
    """Erase the bodies of every ended call by one key; how many. Safe to run again.

    Raises Held where a legal hold covers any of them: then nothing is erased.
    """
    return _erase(engine, bodies, store.bodies_of_key(key_id), why, now)


def erase_records(engine: Engine, bodies: Bodies, ids: Sequence[bytes], why: str, now: float) -> int:
    """Erase every body kept under these ids (a few thousand at most) for good; how many. Safe to run again.

    Raises Held where a legal hold covers any of them: then none of these is erased.
    """
    return _erase(engine, bodies, store.bodies_of_calls(ids), why, now)


def expire(engine: Engine, bodies: Bodies, now: float) -> int:
    """Erase what is kept past its retention and under no legal hold; how many. Safe to run again."""
    return _erase(engine, bodies, store.bodies_past(now), _RETENTION, now)


def check_holds(connection: Connection, which: ColumnElement[bool]) -> None:
    """Raises Held where a legal hold covers a living body among the selected."""
    refuse("what is kept of it", keeping.held_bodies(connection, which, keeping.holds(connection, active=True)))


def _erase(engine: Engine, bodies: Bodies, which: ColumnElement[bool], why: str, now: float) -> int:
    total = 0
    while True:
        with writing(engine) as connection:
            if why != _RETENTION:
                check_holds(connection, which)
            free = keeping.unheld(which, keeping.holds(connection, active=True))
            count = store.mark_erased(connection, free, why, now, limit=_AT_ONCE)
            if count and why != _RETENTION:
                append(connection, now, "bodies.erase", "jobs", {"count": count, "why": why})
        if not count:
            break
        total += count
    finish(engine, bodies)
    return total


def finish(engine: Engine, bodies: Bodies) -> None:
    """Delete the files of erased rows, also of an erasure that was interrupted; shared files stay while needed.

    Raises StoreAway where an object store holds them and does not answer: their rows stand as erased, and the next
    `finish` deletes them.
    """
    while True:
        with bodies.shipping():
            with bodies.exclusive():
                with writing(engine) as connection:
                    digests, unneeded = store.erased_digests(connection, limit=_AT_ONCE)
                    store.forget_digests(connection, sorted(set(digests) - set(unneeded)))
                bodies.drop(unneeded)
            if not digests:
                return
            bodies.drop_afar(unneeded)
            with bodies.exclusive(), writing(engine) as connection:
                # What was kept anew meanwhile lies in the folder again: the next round decides about it.
                store.forget_digests(connection, [one for one in unneeded if not bodies.here(one)])
