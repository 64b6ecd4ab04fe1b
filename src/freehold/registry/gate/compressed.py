"""One compressed stream around something else: gzip, bzip2, xz, lzma, zlib, zstd; other packings are not taken.

Invariant: the stream is unpacked whole, within the limits, or the file is blocked.
"""

from __future__ import annotations

import bz2
import lzma
import zlib
from collections.abc import Callable, Iterator
from typing import Any

from freehold.registry.gate.errors import Malformed, TooMuch
from freehold.registry.gate.types import Format, Reason, Source, Walk

_STEP = 1 << 20
_RATIO, _RATIO_FROM = 200, 16 << 20

_MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"\x1f\x8b\x08", "gzip"),
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ\0", "xz"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
)
_REFUSED: tuple[tuple[bytes, str], ...] = (
    (b"7z\xbc\xaf\x27\x1c", "7z"),
    (b"Rar!\x1a\x07", "rar"),
    (b"MSCF", "cab"),
    (b"\x04\x22\x4d\x18", "lz4"),
    (b"LZIP", "lzip"),
    (b"ZF0x", "joblib's old packing"),
    (b"\x1f\x9d", "compress"),
    (b"\x1f\xa0", "compress"),
    (b"xar!", "xar"),
    (b"!<arch>\n", "ar"),
    (b"\x60\xea", "arj"),
    (b"\x89LZO", "lzo"),
    (b"\xff\x06\x00\x00sNaPpY", "snappy"),
    (b"\x50\x2a\x4d\x18", "zstd with a skipped frame"),
    (b"\x7fELF", "ELF program"),
    (b"\xcf\xfa\xed\xfe", "Mach-O program"),
    (b"\xca\xfe\xba\xbe", "Mach-O or Java program"),
    (b"MZ", "Windows program"),
    (b"\0asm", "WebAssembly program"),
)
"""What is never part of weights, or packs them in a way no reader here unpacks."""


def _kind(data: memoryview) -> str:
    start = bytes(data[:16])
    for magic, kind in _MAGIC:
        if start.startswith(magic):
            return kind
    if len(start) > 2 and start[0] & 0x0F == 8 and start[0] >> 4 <= 7 and int.from_bytes(start[:2], "big") % 31 == 0:
        try:  # two bytes of zlib say little: a block must unpack
            zlib.decompressobj().decompress(bytes(data[:4096]), 1)
        except zlib.error:
            return ""
        return "zlib"
    if start[:3] == b"]\0\0" and len(data) > 13 and (start[5:13] == b"\xff" * 8 or start[10:13] == b"\0\0\0"):
        return "lzma"
    return ""


def known(source: Source) -> bool:
    """A stream that is unpacked here."""
    return bool(_kind(source.data))


def _unpacker(kind: str) -> Callable[[], Any]:
    if kind == "zstd":
        import zstandard

        return zstandard.ZstdDecompressor(max_window_size=128 << 20).decompressobj
    return {
        "gzip": lambda: zlib.decompressobj(31),
        "zlib": lambda: zlib.decompressobj(15),
        "bzip2": bz2.BZ2Decompressor,
        "xz": lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=256 << 20),
        "lzma": lambda: lzma.LZMADecompressor(lzma.FORMAT_ALONE, memlimit=256 << 20),
    }[kind]


def unpacked(source: Source, walk: Walk) -> memoryview:
    """All bytes of the stream, and of those of its kind that follow it. Raises Malformed or TooMuch."""
    kind = _kind(source.data)
    made = bytearray()
    rest = source.data
    while len(rest):
        left = _stream(kind, rest, made, walk, len(source.data))
        if left and _kind(memoryview(left)) != kind:
            raise Malformed(f"bytes after the {kind} stream")
        rest = memoryview(left)
    return memoryview(made)


def _stream(kind: str, data: memoryview, made: bytearray, walk: Walk, packed: int) -> bytes:
    """Unpack one stream into `made`; what follows it."""
    stream = _unpacker(kind)()
    errors: tuple[type[Exception], ...] = (zlib.error, lzma.LZMAError, OSError, EOFError)
    if kind == "zstd":
        import zstandard

        errors = (*errors, zstandard.ZstdError)
    step = _STEP if kind != "zstd" else 1 << 12
    try:
        for at in range(0, len(data), step):
            piece: Any = bytes(data[at : at + step])
            while True:
                part = stream.decompress(piece) if kind == "zstd" else stream.decompress(piece, _STEP)
                walk.spend(len(part))
                made += part
                if len(made) >= _RATIO_FROM and len(made) > _RATIO * packed:
                    raise TooMuch(f"unpacks to more than {_RATIO} times its size")
                piece = getattr(stream, "unconsumed_tail", b"")
                if stream.eof or not (piece or (not getattr(stream, "needs_input", True))):
                    break
                if not part and not piece:
                    break
            if stream.eof:
                return bytes(stream.unused_data) + bytes(data[at + step :])
    except errors as broken:
        raise Malformed(f"a broken {kind} stream") from broken
    raise Malformed(f"the {kind} stream has no end")


def look(source: Source, walk: Walk) -> Iterator[Reason]:
    """What is in the stream, by its content, under the file's own name without the last ending."""
    yield from walk.inside(Source(f"{source.name}!unpacked", unpacked(source, walk)))


def refused(source: Source) -> bool:
    """Packings and programs that have no place in an artefact."""
    return any(bytes(source.data[: len(magic)]) == magic for magic, _ in _REFUSED)


def refuse(source: Source, walk: Walk) -> Iterator[Reason]:
    """The one reason there is."""
    kind = next(kind for magic, kind in _REFUSED if bytes(source.data[: len(magic)]) == magic)
    yield Reason("block", "archive.kind", source.name, f"{kind}: not taken, since nothing here looks into it")


FORMAT = Format("compressed", known, look)
REFUSED = Format("refused", refused, refuse)
