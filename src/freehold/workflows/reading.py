"""Bytes of a log file, whatever it is packed in, cut into lines. Memory is bounded whatever the file holds.

What a file is, is read from its first bytes, never from its name.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterator
from pathlib import Path

import zstandard

from freehold.workflows.errors import NotALog

CHUNK = 1 << 18
LONGEST = 16 << 20
"""Bytes of one line or element. Longer ones are rejected, since a decoded one may take ten times that."""

_GZIP = b"\x1f\x8b"
_ZSTD = b"\x28\xb5\x2f\xfd"
_ZSTD_AT_ONCE = 2048
"""Compressed bytes fed at once: a block of four can stand for 128 KiB, so this holds a bomb to 64 MiB."""
_BOM = b"\xef\xbb\xbf"
_WIDE = (
    (b"\x00\x00\xfe\xff", "UTF-32"),
    (b"\xff\xfe\x00\x00", "UTF-32"),
    (b"\xfe\xff", "UTF-16"),
    (b"\xff\xfe", "UTF-16"),
)
_KNOWN = (
    (b"PAR1", "a Parquet file: export it as JSON lines"),
    (b"PK\x03\x04", "a zip archive: unpack it first"),
    (b"SQLite format 3", "a database: export it as JSON lines"),
    (b"BZh", "packed with bzip2: unpack it first"),
    (b"\xfd7zXZ", "packed with xz: unpack it first"),
    (b"%PDF", "a PDF"),
)


class Source:
    """One file while it is read: how far, its digest, and what was wrong with its packing."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.read = 0
        """Bytes of the file itself, packed as it is."""
        self.trouble = ""
        """Why reading ended early; empty where it did not."""
        self._digest = hashlib.sha256()

    @property
    def sha256(self) -> str:
        """Hex digest of what was read so far: of the whole file at its end."""
        return self._digest.hexdigest()

    def chunks(self) -> Iterator[bytes]:
        """Unpacked bytes. Raises NotALog for a form that is known and not read; a cut file ends with `trouble`."""
        raw = self._raw()
        first = next(raw, b"")
        for mark, what in _KNOWN:
            if first.startswith(mark):
                raise NotALog(f"{self.path}: {what}")
        if first.startswith(_GZIP):
            unpacked = self._gunzip(first, raw)
        elif first.startswith(_ZSTD):
            unpacked = self._unzstd(first, raw)
        else:
            unpacked = _after(first, raw)
        begun = False
        for chunk in unpacked:
            if not chunk:
                continue
            if not begun:
                begun = True
                _check_encoding(chunk, self.path)
                chunk = chunk.removeprefix(_BOM)
            yield chunk

    def _raw(self) -> Iterator[bytes]:
        with self.path.open("rb") as file:
            while chunk := file.read(CHUNK):
                self.read += len(chunk)
                self._digest.update(chunk)
                yield chunk

    def _gunzip(self, first: bytes, raw: Iterator[bytes]) -> Iterator[bytes]:
        unpack = zlib.decompressobj(wbits=31)
        for chunk in _after(first, raw):
            data = chunk
            while data:
                if unpack.eof:  # another member follows, or padding
                    if not data.strip(b"\0"):
                        break
                    unpack = zlib.decompressobj(wbits=31)
                try:
                    yield unpack.decompress(data, CHUNK)
                except zlib.error:
                    self._ended("damaged", raw)
                    return
                data = unpack.unused_data if unpack.eof else unpack.unconsumed_tail
        if not unpack.eof:
            self.trouble = "the gzip file is cut off: what stands before was read"

    def _unzstd(self, first: bytes, raw: Iterator[bytes]) -> Iterator[bytes]:
        made = zstandard.ZstdDecompressor(max_window_size=1 << 27)
        unpack = made.decompressobj()
        done = True
        for chunk in _after(first, raw):
            data = chunk
            while data:
                if unpack.eof:
                    unpack = made.decompressobj()
                piece, data = data[:_ZSTD_AT_ONCE], data[_ZSTD_AT_ONCE:]
                try:
                    yield unpack.decompress(piece)
                except zstandard.ZstdError:
                    self._ended("damaged", raw)
                    return
                done = unpack.eof
                data = unpack.unused_data + data if unpack.eof else data
        if not done:
            self.trouble = "the zstd file is cut off: what stands before was read"

    def _ended(self, how: str, raw: Iterator[bytes]) -> None:
        self.trouble = f"the packed file is {how} from here on: what stands before was read"
        for _ in raw:
            pass  # so that the digest is that of the whole file


def lines(chunks: Iterator[bytes], longest: int = LONGEST) -> Iterator[tuple[int, bytes | None]]:
    """Lines with their numbers from 1 on; None for one that is too long, which is never held whole."""
    held: list[bytes] = []
    size, number = 0, 1
    for chunk in chunks:
        first, *rest = chunk.split(b"\n")
        if size <= longest:
            held.append(first)
        size += len(first)
        for part in rest:
            yield number, b"".join(held) if size <= longest else None
            number += 1
            held, size = [part], len(part)
        if size > longest:
            held = []
    if size:
        yield number, b"".join(held) if size <= longest else None


def _after(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    if first:
        yield first
    yield from rest


def _check_encoding(chunk: bytes, path: Path) -> None:
    wide = next((name for mark, name in _WIDE if chunk.startswith(mark)), "")
    if not wide and b"\0" in chunk[:64] and chunk[:64].count(b"\0") * 3 >= min(len(chunk), 64):
        wide = "UTF-16"
    if wide:
        hint = f"convert it first: iconv -f {wide} -t UTF-8"
        raise NotALog(f"{path}: it is encoded as {wide}, not as UTF-8", hint=hint)
