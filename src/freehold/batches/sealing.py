"""What waits in a batch's rows, sealed: with its subject's key, where it has one, so that it is erased with them."""

from __future__ import annotations

import msgspec
import zstandard

from freehold.batches.types import Batch, Said
from freehold.core.crypto import Sealer
from freehold.core.errors import NotFound
from freehold.ledger.audit.subjects import Subjects

_OF_SUBJECT = b"\0FHSUBJ1"
_NAME = 16


class Drawer:
    """Seals and opens what is kept of batches outside of files."""

    def __init__(self, sealer: Sealer, subjects: Subjects) -> None:
        self._sealer = sealer
        self._subjects = subjects

    def put_said(self, batch: bytes, said: Said) -> bytes:
        """What the maker of a batch said of it; the subject's key is made where there is none."""
        data = msgspec.json.encode(said)
        if not said.subject:
            return self._sealer.seal(data, batch)
        with self._subjects.exclusive():
            key = self._subjects.ready([said.subject])[said.subject]
        return _OF_SUBJECT + bytes.fromhex(said.subject) + Sealer(key).seal(data, batch)

    def said(self, batch: Batch, sealed: bytes) -> Said:
        """What was said. Raises NotFound where the subject was erased, BadSignature where it was changed."""
        sealer = self._sealer
        if sealed.startswith(_OF_SUBJECT):
            head = len(_OF_SUBJECT)
            key = self._subjects.key(sealed[head : head + _NAME].hex())
            if key is None:
                raise NotFound("the key of whom that batch was about is destroyed")
            sealer, sealed = Sealer(key), sealed[head + _NAME :]
        return msgspec.json.decode(sealer.open(sealed, batch.id), type=Said)

    def shown(self, batch: Batch, sealed: bytes) -> Said:
        """The same, but nothing of it where the subject was erased."""
        try:
            return self.said(batch, sealed)
        except NotFound:
            return Said()

    def put_line(self, batch: bytes, number: int, line: bytes) -> bytes:
        """A line as it waits for the end of its batch: for hours at most, then it stands in a file."""
        return self._sealer.seal(zstandard.ZstdCompressor(level=3).compress(line), _bound(batch, number))

    def line(self, batch: bytes, number: int, sealed: bytes) -> bytes:
        """The line. Raises BadSignature where it was changed."""
        return zstandard.ZstdDecompressor().decompress(self._sealer.open(sealed, _bound(batch, number)))


def _bound(batch: bytes, number: int) -> bytes:
    return b"batch line" + batch + number.to_bytes(4, "big")
