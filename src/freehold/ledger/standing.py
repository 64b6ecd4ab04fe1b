"""A journal epoch that outlives its process: a batch in a vendor's hands, for a day and more.

Invariant: while its mark stands the epoch is not over, so what it holds of budgets counts, whoever is killed; each
life writes segments of its own, so that a torn frame hides none that follows.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Self

from freehold.core.errors import JournalUnavailable
from freehold.ledger.frames import Frame
from freehold.ledger.journal import STANDING, pack, segment_name

PASSED = "batch-"
"""What names of such epochs begin with."""


class Standing:
    """The writing side of one epoch. Use as a context: what is written is on disk when it ends."""

    def __init__(self, journal: Path, epoch: str) -> None:
        """`epoch` begins with `PASSED`, `journal` is the folder of all."""
        self._hidden = journal / f".{epoch}"
        self.folder = journal / epoch
        self._handle = -1

    @property
    def stands(self) -> bool:
        """Is it begun, and not over?"""
        return (self.folder / STANDING).exists()

    @property
    def written(self) -> bool:
        """Does it hold frames that are not stored yet, or was it ever written to?"""
        return any(self.folder.glob("*.journal"))

    def begin(self) -> None:
        """Make it, unless it is there. Raises JournalUnavailable."""
        try:
            if not self.stands:
                self._hidden.mkdir(parents=True, exist_ok=True, mode=0o700)
                (self._hidden / STANDING).touch()
                self._hidden.rename(self.folder)
        except OSError as error:
            raise _unavailable(error) from None

    def end(self) -> None:
        """It is over: the writer stores what it holds, and counts what it cost in the place of what it held."""
        (self.folder / STANDING).unlink(missing_ok=True)

    def __enter__(self) -> Self:
        self.begin()
        return self

    def __exit__(self, *_: object) -> None:
        if self._handle >= 0:
            os.fsync(self._handle)
            os.close(self._handle)
            self._handle = -1

    def add(self, frames: Iterable[Frame | bytes]) -> None:
        """Write frames, or packed ones, in one piece. Raises JournalUnavailable."""
        data = b"".join(one if isinstance(one, bytes) else pack(one) for one in frames)
        try:
            if self._handle < 0:
                last = max((int(one.stem) for one in self.folder.glob("*.journal")), default=0)
                path = self.folder / segment_name(last + 1)
                self._handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
            done = os.write(self._handle, data)
            while done < len(data):
                done += os.write(self._handle, data[done:])
        except OSError as error:
            raise _unavailable(error) from None


def _unavailable(error: OSError) -> JournalUnavailable:
    return JournalUnavailable(f"the journal cannot be written: {error.strerror}", retry_after=5)
