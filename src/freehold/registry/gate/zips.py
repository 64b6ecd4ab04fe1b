"""Zip archives by an own reader that takes no archive of which two readers may see different members.

Invariant: every byte belongs to exactly one member or to the one directory; local and central headers agree.
"""

from __future__ import annotations

import posixpath
import stat
import struct
import zlib
from collections.abc import Iterator

import msgspec

from freehold.registry.gate import naming
from freehold.registry.gate.errors import Malformed, TooMuch
from freehold.registry.gate.types import Format, Reason, Source, Walk

_END, _END64, _LOCATOR = b"PK\x05\x06", b"PK\x06\x06", b"PK\x06\x07"
_LOCAL, _CENTRAL = b"PK\x03\x04", b"PK\x01\x02"
_DESCRIPTOR = b"PK\x07\x08"
_FLAGS = 0x080E
"""Sizes follow the data, UTF-8 names, and how hard deflate tried; every other flag changes what readers see."""
_FULL = 0xFFFFFFFF
MOST_RATIO = 200
RATIO_COUNTS_FROM = 16 << 20
"""A smaller member is no bomb, however well it packs."""
RATIO_COUNTS_FROM_ARRAYS = 256 << 20
"""As above, for arrays: those of zeros pack like bombs, and their headers say how large they are."""


class Entry(msgspec.Struct, frozen=True):
    """One member, as both its headers have it."""

    name: str
    method: int
    crc: int
    packed: int
    size: int
    start: int
    """Where its packed bytes begin."""
    mode: int
    """Unix mode of the member; 0 where its maker wrote none."""


class _Central(msgspec.Struct, frozen=True):
    name: bytes
    flags: int
    method: int
    crc: int
    packed: int
    size: int
    local: int
    mode: int


def known(source: Source) -> bool:
    """It begins as an archive: members first, or none at all."""
    return bytes(source.data[:4]) in (_LOCAL, _END)


def names(source: Source) -> tuple[str, ...]:
    """Members by the directory, unchecked, to tell kinds of archives apart; empty where there is no directory."""
    if not known(source):
        return ()
    try:
        return tuple(_text(one.name, one.flags) for one in _directory(source.data)[0])
    except (Malformed, struct.error, IndexError, ValueError):
        return ()


def members(source: Source, walk: Walk) -> Iterator[tuple[Entry, Source]]:
    """Every member, unpacked, its digest compared. Raises Malformed or TooMuch before the first where anything is odd.

    Folders are left out. A stored member is a view of the archive; a packed one is counted by `walk.spend`.
    """
    entries = _entries(source.data)
    for one in entries:
        least = RATIO_COUNTS_FROM_ARRAYS if one.name.endswith(".npy") else RATIO_COUNTS_FROM
        if one.size >= least and one.size > MOST_RATIO * max(one.packed, 1):
            raise TooMuch(f"{naming.quoted(one.name)} unpacks to {one.size // max(one.packed, 1)} times its size")
    for one in entries:
        data = _unpacked(source.data, one, walk)
        if zlib.crc32(data) != one.crc:
            raise Malformed(f"the checksum of {naming.quoted(one.name)} is another")
        if not one.name.endswith("/"):
            yield one, Source(f"{source.name}!{naming.shown(one.name)}", data)


def reasons(source: Source) -> Iterator[Reason]:
    """What members' names and kinds say against the archive. Raises Malformed."""
    seen: set[str] = set()
    folders: set[str] = set()
    entries = _entries(source.data)
    for one in entries:
        where = f"{source.name}!{naming.shown(one.name)}"
        yield from naming.unsafe(one.name, where)
        kind = stat.S_IFMT(one.mode)
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            yield Reason("block", "zip.kind", where, "a link or device, not a file")
        folded = posixpath.normpath(naming.folded(one.name))
        if folded in seen:
            yield Reason("block", "zip.twice", where, "two members of one name: readers differ in which they take")
        seen.add(folded)
        parts = folded.split("/")
        folders.update("/".join(parts[:count]) for count in range(1, len(parts)))
    for one in entries:
        if not one.name.endswith("/") and posixpath.normpath(naming.folded(one.name)) in folders:
            yield Reason(
                "block", "zip.twice", f"{source.name}!{naming.quoted(one.name)}", "a file and a folder at once"
            )


def look(source: Source, walk: Walk) -> Iterator[Reason]:
    """Every member by its content."""
    yield from reasons(source)
    for _, member in members(source, walk):
        yield from walk.inside(member)


def _text(name: bytes, flags: int) -> str:
    return name.decode("utf-8") if flags & 0x0800 or name.isascii() else name.decode("cp437")


def _end(data: memoryview) -> int:
    """Where the one end record is, whose comment reaches the end of the file exactly."""
    tail = bytes(data[-(22 + 0xFFFF) :])
    base = len(data) - len(tail)
    found = []
    at = tail.find(_END)
    while at >= 0:
        if at + 22 <= len(tail) and at + 22 + struct.unpack_from("<H", tail, at + 20)[0] == len(tail):
            found.append(base + at)
        at = tail.find(_END, at + 1)
    if len(found) != 1:
        raise Malformed("the archive has no end, or bytes after it" if not found else "the archive ends twice")
    if tail.count(_END, found[0] - base + 1):
        raise Malformed("the archive's comment holds another end record")
    return found[0]


def _directory(data: memoryview) -> tuple[tuple[_Central, ...], int]:
    """The central directory, and where it begins. Raises Malformed."""
    end = _end(data)
    disk, first, here, count, size, start = struct.unpack_from("<HHHHII", data, end + 4)
    stop = end
    if disk or first or here != count:
        raise Malformed("the archive spans several files")
    if end >= 76 and bytes(data[end - 20 : end - 16]) == _LOCATOR:
        on, at, disks = struct.unpack_from("<IQI", data, end - 16)
        if on or disks > 1 or at != end - 76 or bytes(data[at : at + 4]) != _END64:  # some readers go by its size alone
            raise Malformed("the archive's 64-bit end is elsewhere")
        length, _, _, disk, first, here64, count64, size64, start64 = struct.unpack_from("<QHHIIQQQQ", data, at + 4)
        if disk or first or here64 != count64 or at + 12 + length != end - 20:
            raise Malformed("the archive's 64-bit end is broken")
        for short, long, full in ((count, count64, 0xFFFF), (size, size64, _FULL), (start, start64, _FULL)):
            if short not in (long, full):
                raise Malformed("the archive's two ends disagree")
        count, size, start, stop = count64, size64, start64, at
    elif count == 0xFFFF or _FULL in (size, start):
        raise Malformed("the archive's 64-bit end is missing")
    if start + size != stop or count * 46 > size:
        raise Malformed("the directory is not where the archive's end says")
    found = []
    at = start
    for _ in range(count):
        one, at = _central(data, at, stop)
        found.append(one)
    if at != stop:
        raise Malformed("bytes after the directory")
    return tuple(found), start


def _central(data: memoryview, at: int, stop: int) -> tuple[_Central, int]:
    head = struct.unpack_from("<4sHHHHHHIIIHHHHHII", data, at)
    sign, made, _, flags, method, _, _, crc, packed, size, name, extra, comment, disk, _, outer, local = head
    begin = at + 46
    next_ = begin + name + extra + comment
    if sign != _CENTRAL or disk or next_ > stop:
        raise Malformed("a broken entry in the directory")
    wide = _wide(bytes(data[begin + name : begin + name + extra]), [size == _FULL, packed == _FULL, local == _FULL])
    size = wide.pop(0) if size == _FULL else size
    packed = wide.pop(0) if packed == _FULL else packed
    local = wide.pop(0) if local == _FULL else local
    mode = outer >> 16 if made >> 8 in (3, 19) or outer >> 16 else 0
    return _Central(bytes(data[begin : begin + name]), flags, method, crc, packed, size, local, mode), next_


def _wide(extra: bytes, wanted: list[bool]) -> list[int]:
    """The 64-bit values of an extra field, as many as the header leaves to it."""
    count = sum(wanted)
    found: list[int] = []
    at = 0
    while at + 4 <= len(extra):
        kind, length = struct.unpack_from("<HH", extra, at)
        if at + 4 + length > len(extra):
            break
        if kind == 1 and count:
            if length < 8 * count or found:
                raise Malformed("a 64-bit field that is too short, or stands twice")
            found = list(struct.unpack_from(f"<{count}Q", extra, at + 4))
        if kind == 0x7075:
            raise Malformed("a second name in an extra field")
        at += 4 + length
    if len(found) != count:
        raise Malformed("a 64-bit field is missing")
    return found


def _entries(data: memoryview) -> tuple[Entry, ...]:
    """Members in the order of their bytes, which follow each other without gaps from the start. Raises Malformed."""
    central, start = _directory(data)
    at = 0
    found = []
    for one in sorted(central, key=lambda each: each.local):
        if one.local != at:
            raise Malformed("bytes that belong to no member" if one.local > at else "members overlap")
        entry, at = _local(data, one, start)
        found.append(entry)
    if at != start:
        raise Malformed("bytes before the directory that belong to no member")
    return tuple(found)


def _local(data: memoryview, one: _Central, stop: int) -> tuple[Entry, int]:
    sign, _, flags, method, _, _, crc, packed, size, name, extra = struct.unpack_from("<4sHHHHHIIIHH", data, one.local)
    begin = one.local + 30
    body = begin + name + extra
    after = body + one.packed
    shown = naming.quoted(one.name.decode("latin-1"))
    if sign != _LOCAL or bytes(data[begin : begin + name]) != one.name or method != one.method or flags != one.flags:
        raise Malformed(f"the two headers of {shown} disagree")
    if flags & ~_FLAGS:
        raise Malformed(f"flags {flags:#06x} on {shown}")
    if method not in (0, 8):
        raise Malformed(f"packing method {method} on {shown}")
    if method == 0 and one.packed != one.size:
        raise Malformed(f"{shown} is stored, and yet of two sizes")
    if after > stop:
        raise Malformed(f"{shown} reaches into the directory")
    wide = _wide(bytes(data[begin + name : body]), [size == _FULL, packed == _FULL])
    size = wide.pop(0) if size == _FULL else size
    packed = wide.pop(0) if packed == _FULL else packed
    told = (crc, packed, size)
    if told != (one.crc, one.packed, one.size) and not (flags & 8 and told == (0, 0, 0)):
        raise Malformed(f"the two headers of {shown} disagree about its size or checksum")
    if flags & 8:
        after = _descriptor(data, one, after)
    elif one.name.endswith(b"/") and one.size:
        raise Malformed(f"{shown} is a folder with content")
    text = _text(one.name, one.flags)
    return Entry(text, one.method, one.crc, one.packed, one.size, body, one.mode), after


def _descriptor(data: memoryview, one: _Central, at: int) -> int:
    """Where the record of sizes after a member's data ends; it comes in four forms. Raises Malformed."""
    for sign in (_DESCRIPTOR, b""):
        for form in ("<IQQ", "<III"):
            if one.size >= _FULL and form == "<III":
                continue
            told = sign + struct.pack(form, one.crc, one.packed, one.size)
            after = bytes(data[at + len(told) : at + len(told) + 4])
            if bytes(data[at : at + len(told)]) == told and after in (_LOCAL, _CENTRAL, _END64):
                return at + len(told)
    raise Malformed("the sizes after a member disagree with the directory")


def _unpacked(data: memoryview, one: Entry, walk: Walk) -> memoryview:
    raw = data[one.start : one.start + one.packed]
    if one.method == 0:
        walk.spend(0)
        return raw
    walk.spend(one.size)
    stream = zlib.decompressobj(-15)
    made = stream.decompress(raw, one.size + 1)
    if len(made) != one.size or not stream.eof or stream.unused_data:
        raise Malformed(f"{naming.quoted(one.name)} unpacks to another size than its headers say")
    return memoryview(made)


FORMAT = Format("zip", known, look)
