"""Pictures and papers that lie beside models, and programs that must not: each by its first bytes and its end."""

from __future__ import annotations

from collections.abc import Iterator

from freehold.registry.gate.types import Format, Reason, Source, Walk

_PICTURES: tuple[tuple[bytes, bytes], ...] = (
    (b"\x89PNG\r\n\x1a\n", b"IEND\xaeB`\x82"),
    (b"\xff\xd8\xff", b"\xff\xd9"),
    (b"GIF87a", b";"),
    (b"GIF89a", b";"),
    (b"BM", b""),
)
"""How they begin and how they end; nothing for those that say their length."""
_PROGRAMS = (
    b"\x7fELF", b"MZ", b"\xca\xfe\xba\xbe", b"\xce\xfa\xed\xfe", b"\xcf\xfa\xed\xfe", b"\xfe\xed\xfa\xce",
    b"\xfe\xed\xfa\xcf", b"\0asm", b"dex\n", b"!<arch>\n",
)  # fmt: skip
_COMPILED = tuple(bytes([low, high]) + b"\r\n" for low in range(256) for high in (0x0C, 0x0D, 0x0E))
"""Python's own: a version's number, then a line's end."""


def is_picture(source: Source) -> bool:
    """A picture that ends where it says."""
    data = source.data
    head, tail = bytes(data[:16]), bytes(data[-16:])
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return int.from_bytes(head[4:8], "little") + 8 in (len(data), len(data) - 1)
    if head[:2] == b"BM":
        return int.from_bytes(head[2:6], "little") == len(data)
    return any(head.startswith(begin) and end and tail.rstrip(b"\0\r\n").endswith(end) for begin, end in _PICTURES)


def is_paper(source: Source) -> bool:
    """A PDF that has its end."""
    return bytes(source.data[:5]) == b"%PDF-" and b"%%EOF" in bytes(source.data[-1024:])


def is_program(source: Source) -> bool:
    """Machine code, of any machine, or Python's."""
    return bytes(source.data[:8]).startswith((*_PROGRAMS, *_COMPILED))


def _nothing(source: Source, walk: Walk) -> Iterator[Reason]:
    yield from ()


def _program(source: Source, walk: Walk) -> Iterator[Reason]:
    yield Reason("block", "program", source.name, "is a program")


PICTURE = Format("image", is_picture, _nothing)
PAPER = Format("pdf", is_paper, _nothing)
PROGRAM = Format("program", is_program, _program)
