"""The primary's side of shipped journals: each byte of a replica's epoch once, at its place, in the primary's journal.

Where an epoch stands is read from its folder: the loader removes only segments before the one it reads, and while
the mark stands it never removes the last. What ended is remembered, so a late repetition makes no epoch anew.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from freehold.core.errors import BadRequest, Conflict
from freehold.ledger.journal import LOST, REMOTE, segment_name
from freehold.ledger.shipping.messages import EPOCH, PARCEL_BYTES, Over, Parcel, Position


class Shelf:
    """Writes what replicas ship. One process only may hold one (the dock)."""

    def __init__(self, home: Path) -> None:
        self._journal = home / "journal"
        self._ended = home / "shipped"

    def begin(self, replica: str, epoch: str) -> Position:
        """Make the epoch's folder unless it is there; where it stands.

        Raises BadRequest for a name no gateway gives, Conflict where the epoch is another's.
        """
        if not EPOCH.fullmatch(epoch):
            raise BadRequest("that is no epoch of a gateway")
        folder = self._journal / epoch
        if (self._ended / epoch).exists():
            self._unmark(replica, epoch)
            return Position(epoch, 0, 0, ended=True)
        if not folder.exists():
            # Under a hidden name until it is marked, or the writer could take the epoch for one that is over.
            hidden = self._journal / f".{epoch}"
            hidden.mkdir(parents=True, exist_ok=True, mode=0o700)
            _write(hidden / REMOTE, replica.encode())
            hidden.rename(folder)
            _sync(self._journal)
        self._own(replica, epoch)
        return self._position(epoch)

    def append(self, replica: str, parcel: Parcel) -> Position:
        """Write what is not there yet, to disk; where the epoch stands then.

        A parcel that begins beyond what is there changes nothing. Raises BadRequest, or Conflict where bytes that are
        there differ or the epoch is another's.
        """
        now = self.begin(replica, parcel.epoch)
        if now.ended:
            return now
        if parcel.segment < 1 or parcel.offset < 0 or len(parcel.data) > PARCEL_BYTES:
            raise BadRequest("that is no piece of a segment")
        if parcel.segment == now.segment + 1 and parcel.offset == 0:
            self._put(parcel, 0)
        elif parcel.segment == now.segment and parcel.offset <= now.offset:
            self._put(parcel, now.offset)
        return self._position(parcel.epoch)

    def end(self, replica: str, over: Over) -> Position:
        """The epoch is over, where all of it is here; else where it stands."""
        now = self.begin(replica, over.epoch)
        if now.ended or (now.segment, now.offset) != (over.segment, over.offset):
            return now
        self._end(replica, over.epoch)
        return Position(over.epoch, 0, 0, ended=True)

    def lose(self, replica: str) -> int:
        """No more comes of that replica: its epochs end with what is here. How many there were."""
        found = [epoch for epoch, owner in _marked(self._journal) if owner == replica]
        for epoch in found:
            _write(self._journal / epoch / LOST, replica.encode())  # before it can be taken for one that is over
            self._end(replica, epoch)
        return len(found)

    def _end(self, replica: str, epoch: str) -> None:
        self._ended.mkdir(parents=True, exist_ok=True, mode=0o700)
        _write(self._ended / epoch, replica.encode())
        _sync(self._ended)
        self._unmark(replica, epoch)

    def _put(self, parcel: Parcel, size: int) -> None:
        path = self._journal / parcel.epoch / segment_name(parcel.segment)
        known = size - parcel.offset
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            there = parcel.data[:known]
            if os.pread(handle, len(there), parcel.offset) != there:
                raise Conflict("a replica ships other bytes than before", hint="its journal was changed: look there")
            rest = parcel.data[known:]
            while rest:
                rest = rest[os.write(handle, rest) :]
            os.fsync(handle)
        finally:
            os.close(handle)

    def _position(self, epoch: str) -> Position:
        folder = self._journal / epoch
        last = max((int(one.stem) for one in folder.glob("*.journal")), default=0)
        return Position(epoch, last, (folder / segment_name(last)).stat().st_size if last else 0)

    def _own(self, replica: str, epoch: str) -> None:
        try:
            owner = (self._journal / epoch / REMOTE).read_text()
        except FileNotFoundError:
            owner = ""
        if owner != replica:
            raise Conflict("this epoch is another gateway's", hint="give each replica a home and a token of its own")

    def _unmark(self, replica: str, epoch: str) -> None:
        if (self._ended / epoch).read_text() != replica:
            raise Conflict("this epoch is another gateway's", hint="give each replica a home and a token of its own")
        (self._journal / epoch / REMOTE).unlink(missing_ok=True)


def unfinished(home: Path) -> Counter[str]:
    """How many journals of each replica are not known to be here as a whole."""
    return Counter(owner for _, owner in _marked(home / "journal"))


def _marked(journal: Path) -> Iterator[tuple[str, str]]:
    """Each epoch that is a replica's and not ended, and whose."""
    for path in sorted(journal.glob(f"*/{REMOTE}")):
        if not path.parent.name.startswith("."):
            with suppress(FileNotFoundError):
                yield path.parent.name, path.read_text()


def _write(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
