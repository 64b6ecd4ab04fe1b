"""Tar archives by an own reader: plain files and folders in ustar, GNU or pax form, and nothing else.

Invariant: every block is a header that checks, a member's bytes, or the zeros at the end.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator

import msgspec

from freehold.registry.gate import naming
from freehold.registry.gate.errors import Malformed
from freehold.registry.gate.types import Format, Reason, Source, Walk

BLOCK = 512
_ZERO = bytes(BLOCK)
_MOST_WORDS = 1 << 20
"""Bytes of a long name or of pax records."""


class _Head(msgspec.Struct, frozen=True):
    name: bytes
    size: int
    kind: bytes


def known(source: Source) -> bool:
    """The first block's checksum is right: what readers go by, whether or not it says `ustar`."""
    head = bytes(source.data[:BLOCK])
    return len(head) == BLOCK and head != _ZERO and _checks(head)


def _checks(head: bytes) -> bool:
    field = head[148:156].replace(b"\0", b" ").strip()
    if not field or not all(48 <= one < 56 for one in field):
        return False
    unsigned = sum(head[:148]) + sum(head[156:]) + 8 * 32
    signed = unsigned - 256 * sum(one > 127 for one in head[:148] + head[156:])
    return int(field, 8) in (unsigned, signed)


def _number(field: bytes) -> int:
    if field[:1] == b"\x80":
        return int.from_bytes(field[1:], "big")
    text = field.replace(b"\0", b" ").strip()
    if field[0] > 127 or not all(48 <= one < 56 for one in text):
        raise Malformed("a number in a tar header is none")
    return int(text or b"0", 8)


def _head(block: bytes) -> _Head:
    if not _checks(block):
        raise Malformed("a tar header's checksum is another")
    name = block[:100].split(b"\0", 1)[0]
    if block[345]:
        if block[257:265] != b"ustar\x0000":
            raise Malformed("a tar header in which readers differ about the first part of the name")
        name = block[345:500].split(b"\0", 1)[0] + b"/" + name
    return _Head(name, _number(block[124:136]), block[156:157])


def look(source: Source, walk: Walk) -> Iterator[Reason]:
    """Every member by its content. Raises Malformed."""
    seen: set[str] = set()
    for name, kind, member in _members(source):
        where = f"{source.name}!{naming.shown(name)}"
        yield from naming.unsafe(name, where)
        folded = posixpath.normpath(naming.folded(name))
        if kind == b"0" and folded in seen:
            yield Reason("block", "tar.twice", where, "two members of one name")
        seen.add(folded)
        if kind not in (b"0", b"5"):
            yield Reason("block", "tar.kind", where, "a link or device, not a file")
        elif kind == b"0":
            walk.spend(0)
            yield from walk.inside(Source(where, member))


def _members(source: Source) -> Iterator[tuple[str, bytes, memoryview]]:
    data = source.data
    at = 0
    long_name: bytes | None = None
    while at < len(data):
        block = bytes(data[at : at + BLOCK])
        if block == _ZERO[: len(block)]:
            if any(data[at + start : at + start + BLOCK] != _ZERO for start in range(0, len(data) - at, BLOCK)):
                raise Malformed("bytes after the end of a tar archive")
            return
        head = _head(block)
        body = data[at + BLOCK : at + BLOCK + head.size]
        if len(body) != head.size:
            raise Malformed("a tar member reaches over the end")
        at += BLOCK + -(-head.size // BLOCK) * BLOCK
        if head.kind in (b"L", b"x", b"g"):
            if head.size > _MOST_WORDS:
                raise Malformed("a tar member's name or records are too long")
            named = bytes(body).rstrip(b"\0") if head.kind == b"L" else _pax(bytes(body))
            if head.kind == b"g" and named:
                raise Malformed("one name for all members of a tar archive")
            long_name = named or long_name
            continue
        kind = b"0" if head.kind in (b"0", b"\0", b"7") else head.kind
        name = (long_name or head.name).decode("utf-8", "surrogateescape")
        if kind == b"0" and name.endswith("/"):
            kind = b"5"
        if kind == b"5" and head.size:
            raise Malformed("a folder with content in a tar archive")
        long_name = None
        yield name, kind, body


def _pax(records: bytes) -> bytes:
    """The name that pax records give; empty where they give none. Raises Malformed where they change what is read."""
    name = b""
    at = 0
    while at < len(records):
        space = records.index(b" ", at)
        length = int(records[at:space])
        record = records[space + 1 : at + length]
        if length <= space - at or not record.endswith(b"\n"):
            raise Malformed("a broken pax record")
        key, _, value = record[:-1].partition(b"=")
        if key == b"path":
            name = value
        elif key in (b"size", b"linkpath") or key.startswith(b"GNU.sparse"):
            raise Malformed(f"a pax record of {key.decode('latin-1')}")
        at += length
    return name


FORMAT = Format("tar", known, look)
