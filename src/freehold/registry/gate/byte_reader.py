"""A file-like view of bytes for the pickle machine, without a copy of them. Invariant: never reads past the end."""

from __future__ import annotations

_LINE = 1 << 16
LONGEST_LINE = 1 << 24


class ByteReader:
    """Reads on from `at`; a short read is what is left."""

    def __init__(self, data: memoryview, at: int = 0) -> None:
        self.data = data
        self.at = at

    def read(self, size: int = -1) -> bytes:
        """As a file's."""
        end = len(self.data) if size < 0 else min(self.at + size, len(self.data))
        found = bytes(self.data[self.at : end])
        self.at = end
        return found

    def readline(self) -> bytes:
        """As a file's. Raises ValueError for a line that is longer than any pickle's."""
        found = bytearray()
        while True:
            piece = bytes(self.data[self.at : self.at + _LINE])
            end = piece.find(b"\n")
            piece = piece if end < 0 else piece[: end + 1]
            found += piece
            self.at += len(piece)
            if end >= 0 or not piece:
                return bytes(found)
            if len(found) > LONGEST_LINE:
                raise ValueError("a line without an end")

    def readinto(self, buffer: bytearray) -> int:
        """As a file's."""
        found = self.read(len(buffer))
        buffer[: len(found)] = found
        return len(found)

    def skip(self, size: int) -> None:
        """Step over bytes. Raises EOFError where they are not there."""
        if size > len(self.data) - self.at:
            raise EOFError("an array reaches over the end")
        self.at += size
