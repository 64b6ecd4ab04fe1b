"""Zip archives read by two witnesses: the central directory and the headers before the members must agree on all.

Readers that believe one of the two, or forgive a flag or a checksum, see other members than those that believe the
other; so a member counts only where nothing is left to believe.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

import msgspec

from freehold.registry.gate.naming import quoted as shown
from freehold.registry.gate.naming import unsafe
from freehold.registry.gate.types import Reason, Source, Walk

_END, _CENTRAL, _LOCAL, _DESCRIPTOR = b"PK\x05\x06", b"PK\x01\x02", b"PK\x03\x04", b"PK\x07\x08"
_END64, _LOCATOR64 = b"PK\x06\x06", b"PK\x06\x07"
_TAIL = 22 + 65535
_STREAMED, _UTF8, _LEVELS = 0x8, 0x800, 0x6
_MAX16, _MAX32 = 0xFFFF, 0xFFFFFFFF
_LINK, _KINDS, _PLAIN_KINDS = 0o120000, 0o170000, (0, 0o100000, 0o040000)
STORED, DEFLATED = 0, 8
BOMB_BYTES, BOMB_RATIO = 16 << 20, 200
"""A member that grows beyond both is a bomb; weights of zeros stay below the first."""


class Member(msgspec.Struct, frozen=True):
    """One member as both witnesses have it; `start` to `start + packed` are its bytes in the archive."""

    name: str
    method: int
    flags: int
    crc: int
    packed: int
    size: int
    header: int
    start: int
    kind: int


class Torn(Exception):
    """The archive says two things, or one that nobody should believe."""

    def __init__(self, code: str, said: str) -> None:
        super().__init__(said)
        self.code = code


def known(source: Source) -> bool:
    """A zip begins with a member or is empty; what has other bytes in front is looked at as what they are."""
    return bytes(source.data[:4]) in (_LOCAL, _END, _CENTRAL, _DESCRIPTOR, b"PK00")


def look(source: Source, walk: Walk) -> Iterator[Reason]:
    """Everything of an archive: its structure, then each member by its own content."""
    try:
        found = members(source.data)
        for one in found:
            data = content(source.data, one, walk)
            if data is not None:
                yield from walk.inside(Source(f"{source.name}!{one.name}", data))
    except Torn as torn:
        yield Reason("block", torn.code, source.name, str(torn))


def members(data: memoryview) -> tuple[Member, ...]:
    """The members, where both witnesses agree. Raises Torn."""
    count, size, at, end = _directory(data)
    directory = bytes(data[at : at + size])
    found: list[Member] = []
    place = 0
    for _ in range(count):
        member, place = _central(directory, place, data)
        found.append(member)
    if place != size or at + size != end:
        raise Torn("zip.directory", "the directory is longer or shorter than it says")
    _disjoint(data, found, at)
    folded = [one.name.casefold().rstrip("/") for one in found]
    if len(set(folded)) != len(folded):
        raise Torn("zip.twice", "holds two members of one name")
    return tuple(found)


def _directory(data: memoryview) -> tuple[int, int, int, int]:
    """(entries, bytes, offset, where it must end)."""
    tail = bytes(data[max(0, len(data) - _TAIL) :])
    found = tail.rfind(_END)
    if found < 0:
        raise Torn("zip.directory", "has no directory")
    end = len(data) - len(tail) + found
    if len(tail) - found < 22:
        raise Torn("zip.directory", "its directory's end is cut")
    disk, first, here, count, size, at, comment = struct.unpack_from("<4xHHHHIIH", tail, found)
    if comment or end + 22 != len(data):
        raise Torn("zip.trailing", "holds bytes behind its directory")
    if disk or first or here != count:
        raise Torn("zip.directory", "is one of several parts")
    if tail.find(_LOCATOR64, max(0, found - 20), found) == found - 20 and found >= 20:
        return _directory64(data, end, (count, size, at))
    if _MAX32 in (size, at) or count == _MAX16:
        raise Torn("zip.directory", "names a 64-bit directory that is not there")
    if at + size > end:
        raise Torn("zip.directory", "its directory lies outside of it")
    return count, size, at, end


def _directory64(data: memoryview, end: int, narrow: tuple[int, int, int]) -> tuple[int, int, int, int]:
    disk, at64, disks = struct.unpack_from("<4xIQI", data, end - 20)
    if disk or disks > 1 or at64 + 56 > end - 20 or bytes(data[at64 : at64 + 4]) != _END64:
        raise Torn("zip.directory", "its 64-bit directory is not where it says")
    record, _made, _needs, one, other, here, count, size, at = struct.unpack_from("<4xQHHIIQQQQ", data, at64)
    if record != 44 or at64 + 56 != end - 20 or one or other or here != count:
        raise Torn("zip.directory", "its 64-bit directory's end is of another form")
    for wide, slim, most in zip((count, size, at), narrow, (_MAX16, _MAX32, _MAX32), strict=True):
        if slim not in (wide, most):
            raise Torn("zip.directory", "its two directories' ends disagree")
    if at + size > at64:
        raise Torn("zip.directory", "its directory lies outside of it")
    return count, size, at, at64


def _central(directory: bytes, place: int, data: memoryview) -> tuple[Member, int]:
    if directory[place : place + 4] != _CENTRAL or place + 46 > len(directory):
        raise Torn("zip.directory", "an entry of its directory is none")
    (_made, _needs, flags, method, _time, crc, packed, size, name_size, extra_size, comment_size, disk, _inner,
     outer, header) = struct.unpack_from("<4xHHHHIIIIHHHHHII", directory, place)  # fmt: skip
    begin = place + 46
    raw = directory[begin : begin + name_size]
    extra = directory[begin + name_size : begin + name_size + extra_size]
    place = begin + name_size + extra_size + comment_size
    if disk not in (0, _MAX16) or place > len(directory):
        raise Torn("zip.directory", "an entry of its directory is cut or of another part")
    name = _name(raw, flags)
    size, packed, header = _widened(extra, (size, packed, header))
    member = Member(
        name,
        method,
        flags,
        crc,
        packed,
        size,
        header,
        _local(data, header, (raw, flags, method, crc, packed, size)),
        outer >> 16,
    )
    _allowed(member)
    return member, place


def _name(raw: bytes, flags: int) -> str:
    try:
        name = raw.decode("utf-8" if flags & _UTF8 or not raw.isascii() else "ascii")
    except UnicodeDecodeError:
        raise Torn("zip.name", "a member's name is no text") from None
    for one in unsafe(name, ""):
        if one.verdict == "block":
            raise Torn(one.code, f"the member {shown(name)!r}: {one.said}")
    return name


def _widened(extra: bytes, narrow: tuple[int, ...]) -> tuple[int, ...]:
    """Sizes and offset, from the 64-bit extra field where they did not fit."""
    if _MAX32 not in narrow:
        return narrow
    place = 0
    while place + 4 <= len(extra):
        kind, size = struct.unpack_from("<HH", extra, place)
        if kind == 1:
            field = extra[place + 4 : place + 4 + size]
            wanted = sum(one == _MAX32 for one in narrow)
            if len(field) < 8 * wanted:
                break
            values = iter(struct.unpack_from(f"<{wanted}Q", field))
            return tuple(next(values) if one == _MAX32 else one for one in narrow)
        place += 4 + size
    raise Torn("zip.directory", "a member's size is in a field that is not there")


def _local(data: memoryview, at: int, told: tuple[bytes, int, int, int, int, int]) -> int:
    """Where the member's bytes start. Raises Torn where its own header says another thing than the directory."""
    raw, flags, method, crc, packed, size = told
    if at + 30 > len(data) or bytes(data[at : at + 4]) != _LOCAL:
        raise Torn("zip.header", f"{shown(raw.decode('utf-8', 'replace'))!r} has no header")
    (_needs, here_flags, here_method, _time, here_crc, here_packed, here_size, name_size, extra_size) = (
        struct.unpack_from("<4xHHHIIIIHH", data, at)
    )
    start: int = at + 30 + name_size + extra_size
    name = shown(raw.decode("utf-8", "replace"))
    if bytes(data[at + 30 : at + 30 + name_size]) != raw:
        raise Torn("zip.header", f"{name!r} has another name in its own header")
    if (here_flags, here_method) != (flags, method):
        raise Torn("zip.header", f"{name!r} has other flags or another method in its own header")
    extra = bytes(data[at + 30 + name_size : start])
    if _MAX32 in (here_size, here_packed):
        here_size, here_packed = _widened(extra, (here_size, here_packed))
    streamed = bool(flags & _STREAMED)
    agrees = (here_crc, here_packed, here_size) == (crc, packed, size)
    if not agrees and not (streamed and (here_crc, here_packed, here_size) == (0, 0, 0)):
        raise Torn("zip.header", f"{name!r} has another size or checksum in its own header")
    return start


def _allowed(member: Member) -> None:
    name = shown(member.name)
    levels = _LEVELS if member.method == DEFLATED else 0
    if member.flags & ~(_STREAMED | _UTF8 | levels):
        raise Torn("zip.flags", f"{name!r} has the flags {member.flags:#x}: encrypted, patched or unknown")
    if member.method not in (STORED, DEFLATED):
        raise Torn("zip.method", f"{name!r} is packed by method {member.method}")
    if member.method == STORED and member.packed != member.size:
        raise Torn("zip.header", f"{name!r} is stored in {member.packed} bytes and has {member.size}")
    if member.kind & _KINDS == _LINK:
        raise Torn("path.link", f"{name!r} is a link")
    if member.kind & _KINDS not in _PLAIN_KINDS:
        raise Torn("path.special", f"{name!r} is no plain file")
    if member.size > BOMB_BYTES and member.size > BOMB_RATIO * max(member.packed, 1):
        raise Torn("bomb.ratio", f"{name!r} grows from {member.packed} to {member.size} bytes")


def _disjoint(data: memoryview, found: list[Member], directory: int) -> None:
    """Members follow each other, with nothing between them but their own descriptors."""
    end = 0
    for one in sorted(found, key=lambda one: one.header):
        if one.header != end:
            raise Torn("zip.gap", f"bytes nobody names, or two members in one place, before {shown(one.name)!r}")
        end = one.start + one.packed
        if end > directory:
            raise Torn("zip.gap", f"{shown(one.name)!r} reaches into the directory")
        if one.flags & _STREAMED:
            end += _descriptor(bytes(data[end : end + 24]), one)
    if end != directory:
        raise Torn("zip.gap", "bytes nobody names before the directory")


def _descriptor(after: bytes, one: Member) -> int:
    for signed in (_DESCRIPTOR, b""):
        if not after.startswith(signed):
            continue
        for form in ("<III", "<IQQ"):
            size = len(signed) + struct.calcsize(form)
            if len(after) >= size and struct.unpack_from(form, after, len(signed)) == (one.crc, one.packed, one.size):
                return size
    raise Torn("zip.header", f"{shown(one.name)!r} is streamed and its descriptor says another thing")


def content(data: memoryview, one: Member, walk: Walk) -> memoryview | None:
    """A member's bytes, checked; None for a folder. Raises Torn, and what `walk` raises where it is too much."""
    if one.name.endswith("/"):
        if one.size:
            raise Torn("zip.header", f"the folder {shown(one.name)!r} holds bytes")
        return None
    packed = data[one.start : one.start + one.packed]
    if one.method == STORED:
        if zlib.crc32(packed) != one.crc:
            raise Torn("zip.checksum", f"{shown(one.name)!r} is not what its checksum says")
        return packed
    walk.spend(one.size)
    machine = zlib.decompressobj(-15)
    try:
        plain = machine.decompress(packed, one.size + 1)
    except zlib.error:
        raise Torn("zip.packed", f"{shown(one.name)!r} cannot be unpacked") from None
    if len(plain) != one.size or not machine.eof or machine.unused_data or machine.unconsumed_tail:
        raise Torn("zip.packed", f"{shown(one.name)!r} is longer or shorter than it says")
    if zlib.crc32(plain) != one.crc:
        raise Torn("zip.checksum", f"{shown(one.name)!r} is not what its checksum says")
    return memoryview(plain)
