"""The replica's side of shipped journals: what of an epoch is to be sent next, by what the dock has.

Only whole frames are sent: half a write that the gateway takes back never leaves the machine.
"""

from __future__ import annotations

import os
import struct
import zlib
from pathlib import Path

from freehold.ledger.intake import tail
from freehold.ledger.journal import epoch_over, segment_name
from freehold.ledger.shipping.messages import PARCEL_BYTES, Over, Parcel, Position

_HEAD = struct.Struct("<II")


class Dispatch:
    """One epoch. `answered` is told what the dock has; `next` gives what to send, once for each answer."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._at: Position | None = None
        self._segment = 0
        self._whole = 0
        """Where the last whole frame of `_segment` ends, as far as was looked."""

    def answered(self, position: Position) -> bool:
        """True where the dock has it all and the epoch is ended: then the folder is gone."""
        self._at = position
        if position.ended:
            tail.remove(self.folder)
            return True
        for one in tail.loaded_segments(self.folder, position.segment):
            one.unlink(missing_ok=True)
        return False

    def next(self) -> Parcel | Over | None:
        """What to send now; None where there is nothing, or no answer yet."""
        at = self._at
        if at is None:
            return None
        over = epoch_over(self.folder)  # asked before reading, so that nothing can be written in between
        segment, offset = (at.segment, at.offset) if at.segment else (1, 0)
        while True:
            closed = (self.folder / segment_name(segment + 1)).exists()  # before reading, for the same reason
            found = self._parcel(segment, offset)
            if found is None and closed and segment > at.segment:
                found = Parcel(self.folder.name, segment, 0, b"")  # empty, but the loader wants no gap
            if found is not None:
                self._at = None
                return found
            if not closed:
                break
            segment, offset = segment + 1, 0
        if not over:
            return None
        self._at = None
        return Over(self.folder.name, at.segment, at.offset)

    def _parcel(self, segment: int, offset: int) -> Parcel | None:
        if segment != self._segment:
            self._segment, self._whole = segment, 0
        path = self.folder / segment_name(segment)
        try:
            with path.open("rb") as file:
                self._look(file.fileno(), offset)
                if self._whole <= offset:
                    return None
                file.seek(offset)
                return Parcel(self.folder.name, segment, offset, file.read(min(PARCEL_BYTES, self._whole - offset)))
        except FileNotFoundError:
            return None

    def _look(self, handle: int, offset: int) -> None:
        """Find whole frames until there is a parcel full of them."""
        while self._whole < offset + PARCEL_BYTES:
            head = os.pread(handle, _HEAD.size, self._whole)
            if len(head) < _HEAD.size:
                return
            length, check = _HEAD.unpack(head)
            end = self._whole + _HEAD.size + length
            # A length is believed only where the file is that long: a torn one may say anything.
            if not length or os.fstat(handle).st_size < end:
                return
            if zlib.crc32(os.pread(handle, length, self._whole + _HEAD.size)) != check:
                return
            self._whole = end
