"""The journal: append-only segments of checksummed frames, the one thing a call waits for.

A frame is `u32 length, u32 crc32, msgpack`, little-endian. Frames of one event-loop turn go out in one `write`,
so they survive `kill -9` of any process; the writer process flushes them to disk. A torn tail is not a frame.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import msgspec

from freehold.core.errors import JournalUnavailable
from freehold.ledger.frames import Attempt, Body, Close, Frame, Open, Refused

STANDING = "standing"
"""A file in the folder of an epoch that outlives its process: a batch in a vendor's hands (`ledger/standing.py`)."""
REMOTE = "remote"
"""A file in the folder of an epoch that a replica writes and ships; it holds the replica's name (`ledger/shipping`)."""
LOST = "lost"
"""A file in the folder of an epoch whose replica will ship no more of it: what it held of budgets counts as spent."""
SEGMENT_BYTES = 64 << 20
LOOSE_FRAMES = 32
"""Frames that are written at once where nobody waits for them; more would push what is warm out of the caches."""
MAX_KEPT = 100_000
"""Most frames kept for later while the disk takes none; the oldest go first."""
_HEAD = struct.Struct("<II")
_MAX_FRAME = 256 << 20
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Open | Attempt | Close | Refused | Body).decode

Then = Callable[[JournalUnavailable | None], None]
"""Called once the frame is written (None) or cannot be (the error)."""


def segment_name(sequence: int) -> str:
    """File name of a segment; names sort as numbers do."""
    return f"{sequence:08d}.journal"


def pack(frame: Frame) -> bytes:
    """One frame as bytes."""
    payload = _encode(frame)
    return _HEAD.pack(len(payload), zlib.crc32(payload)) + payload


def unpack(data: bytes, strange: list[str] | None = None) -> tuple[list[Frame], int]:
    """The whole frames at the start of `data` and how many bytes they take. Stops at a torn or damaged frame.

    A frame that is whole but none this version knows is left out; why is added to `strange`.
    Raises DecodeError where there is no `strange`.
    """
    frames: list[Frame] = []
    at, size = 0, len(data)
    while at + 8 <= size:
        length, check = _HEAD.unpack_from(data, at)
        end = at + 8 + length
        if length > _MAX_FRAME or end > size:
            break
        payload = data[at + 8 : end]
        # An empty payload is no frame: zeros, as a power cut may leave at the end of a file, would pass the checksum.
        if not length or zlib.crc32(payload) != check:
            break
        try:
            frames.append(_decode(payload))
        except msgspec.DecodeError as error:
            if strange is None:
                raise
            strange.append(str(error))
        at = end
    return frames, at


def read_segment(
    path: Path, offset: int = 0, limit: int = 4 << 20, strange: list[str] | None = None
) -> tuple[list[Frame], int]:
    """Frames from `offset` on, about `limit` bytes of them, and the offset after the last whole one. See `unpack`."""
    with path.open("rb") as file:
        file.seek(offset)
        data = file.read(limit)
        frames, used = unpack(data, strange)
        if not used and len(data) == limit:
            frames, used = unpack(data + file.read(_MAX_FRAME), strange)
    return frames, offset + used


class Journal:
    """The writing side, one for each gateway process; `epoch` names its folder under `journal/`."""

    def __init__(
        self,
        folder: Path,
        epoch: str,
        soon: Callable[[Callable[[], None]], object],
        defect: Callable[[Exception], None] | None = None,
        *,
        strict: bool = True,
    ) -> None:
        """`soon` runs a function at the end of the event-loop turn (`loop.call_soon`); `defect` is told when a
        waiting function raises, so that the others still run. Not `strict`: frames are written when `flush` is called
        next, and nobody waits for it. Raises JournalUnavailable.
        """
        self.folder = folder / epoch
        self._soon = soon
        self._defect = defect
        self.strict = strict
        self._due = self._exact = False
        self._sequence = 0
        self._handle = -1
        self._size = 0
        self._frames: list[bytes] = []
        self._then: list[Then] = []
        self.broken = False
        hidden = folder / f".{epoch}"
        try:
            # Under a hidden name until the lock is held, or the writer could take the epoch for one that is over.
            hidden.mkdir(parents=True)
            self._lock = os.open(hidden / "lock", os.O_RDWR | os.O_CREAT, 0o600)
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            hidden.rename(self.folder)
            self._rotate()
        except OSError as error:
            raise JournalUnavailable(f"cannot start the journal: {error.strerror}", param=str(self.folder)) from None

    def _rotate(self) -> None:
        path = self.folder / segment_name(self._sequence + 1)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        if self._handle >= 0:
            os.close(self._handle)
        self._handle, self._size = handle, 0
        self._sequence += 1

    def add(self, frame: Frame, then: Then | None = None, *, exact: bool = False) -> None:
        """Write `frame` at the end of this turn, then call `then`; `exact` ones (a budget's) even where not strict."""
        if exact:
            self._exact = True
        if not self._due:
            self._due = True
            self._soon(self._turn)
        payload = _encode(frame)
        self._frames.append(_HEAD.pack(len(payload), zlib.crc32(payload)) + payload)
        if then is not None:
            self._then.append(then)

    def _turn(self) -> None:
        """The turn is over. Also where nobody waits for the disk they go on now, together: it saves wake-ups."""
        if self.strict or self._exact or len(self._frames) >= LOOSE_FRAMES:
            self.flush()
            return
        self._due = False
        waiting, self._then = self._then, []
        self._tell(waiting, None)

    def flush(self) -> None:
        """Write what was gathered and say so to those who wait."""
        frames, waiting = self._frames, self._then
        self._due = self._exact = False
        if not frames:
            return
        self._frames, self._then = [], []
        failed: JournalUnavailable | None = None
        data = frames[0] if len(frames) == 1 else b"".join(frames)
        try:
            if self._size > SEGMENT_BYTES:
                self._rotate()
            done = os.write(self._handle, data)
            while done < len(data):
                done += os.write(self._handle, data[done:])
            self._size += done
            self.broken = False
        except OSError as error:
            self.broken = True
            self._cut()
            # Whoever waits is refused, but what happened is still to be told: first thing with the next flush.
            self._frames = frames[-MAX_KEPT:]
            failed = JournalUnavailable(f"the journal cannot be written: {error.strerror}", retry_after=5)
        self._tell(waiting, failed)

    def _tell(self, waiting: list[Then], failed: JournalUnavailable | None) -> None:
        for one in waiting:
            try:
                one(failed)
            except Exception as error:
                if self._defect is None:
                    raise
                self._defect(error)

    def _cut(self) -> None:
        """Drop half a write and go on in a new segment: the writer may have read what is dropped here."""
        if self._size <= SEGMENT_BYTES:  # else this segment was cut before, or is whole
            with contextlib.suppress(OSError):
                os.ftruncate(self._handle, self._size)
        self._size = SEGMENT_BYTES + 1

    def close(self) -> None:
        """Write what is left and let the writer know that this epoch is over."""
        self.flush()
        os.close(self._handle)
        os.close(self._lock)


def epoch_over(folder: Path) -> bool:
    """True where the gateway that wrote this epoch no longer lives (its lock can be had), and no mark stands."""
    if (folder / STANDING).exists() or (folder / REMOTE).exists():
        return False
    try:
        handle = os.open(folder / "lock", os.O_RDWR)
    except FileNotFoundError:
        return True
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(handle)
    return True
