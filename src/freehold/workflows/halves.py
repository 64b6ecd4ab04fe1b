"""Halves of calls that wait for each other: in a sealed spool without a name, found by a digest of their key.

Memory is about 150 bytes a waiting half. The spool is gone with the process, however that ends.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import msgspec

from freehold.core.crypto import Sealer, sha256
from freehold.workflows.formats.types import Half


class Waiting(msgspec.Struct, array_like=True):
    """A half and where it stood."""

    half: Half
    file: str
    place: int


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Waiting).decode
_SIZE = 4


class Halves:
    """Halves by source, key and side."""

    def __init__(self, folder: Path, sealer: Sealer) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._spool = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115  closed by `close`
        self._sealer = sealer
        self._places: dict[bytes, int] = {}
        self._end = 0

    def match(self, half: Half) -> Waiting | None:
        """The other half, which waits no more; None where it has not come yet."""
        place = self._places.pop(_name(half, answer=not half.answer), None)
        return None if place is None else self._read(place)

    def wait(self, one: Waiting) -> bool:
        """Keep a half until its other comes; False where one by its key waits already."""
        name = _name(one.half, answer=one.half.answer)
        if name in self._places:
            return False
        sealed = self._sealer.seal(_encode(one))
        self._spool.seek(self._end)
        self._spool.write(len(sealed).to_bytes(_SIZE, "big") + sealed)
        self._places[name] = self._end
        self._end += _SIZE + len(sealed)
        return True

    def rest(self) -> Iterator[Waiting]:
        """Those whose other half never came, in the order they stood."""
        for place in sorted(self._places.values()):
            yield self._read(place)
        self._places.clear()

    def close(self) -> None:
        """Forget everything."""
        self._spool.close()

    def _read(self, place: int) -> Waiting:
        self._spool.flush()
        handle = self._spool.fileno()
        size = int.from_bytes(os.pread(handle, _SIZE, place), "big")
        return _decode(self._sealer.open(os.pread(handle, size, place + _SIZE)))


def _name(half: Half, *, answer: bool) -> bytes:
    return sha256(f"{half.source}\0{half.key}\0{int(answer)}".encode("utf-8", "replace"))[:12]
