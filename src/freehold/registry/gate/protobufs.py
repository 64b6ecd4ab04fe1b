"""Protocol buffers without a schema: fields by number, bytes within bytes; read to the last byte, or not at all."""

from __future__ import annotations

from collections.abc import Iterator

from freehold.registry.gate.errors import Malformed

VARINT, WIDE, BYTES, NARROW = 0, 1, 2, 5
Value = int | memoryview
MOST_FIELDS = 2_000_000


def fields(data: memoryview) -> Iterator[tuple[int, int, Value]]:
    """(number, wire type, value) of each field. Raises Malformed where the bytes are no message."""
    at, end, count = 0, len(data), 0
    while at < end:
        count += 1
        if count > MOST_FIELDS:
            raise Malformed("a message of too many fields")
        key, at = _varint(data, at)
        number, kind = key >> 3, key & 7
        if not number:
            raise Malformed("a field without a number")
        if kind == VARINT:
            value, at = _varint(data, at)
            yield number, kind, value
        elif kind in (BYTES, WIDE, NARROW):
            if kind == BYTES:
                size, at = _varint(data, at)
            else:
                size = 8 if kind == WIDE else 4
            if size > end - at:
                raise Malformed("a field that reaches past the end")
            yield number, kind, data[at : at + size]
            at += size
        else:
            raise Malformed(f"a field of wire type {kind}")


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    found = 0
    for shift in range(0, 70, 7):
        if at >= len(data):
            raise Malformed("a number that is cut")
        byte = data[at]
        at += 1
        found |= (byte & 0x7F) << shift
        if byte < 0x80:
            return found, at
    raise Malformed("a number of more than ten bytes")


def text(value: Value) -> str:
    """A field's text. Raises Malformed for what is none."""
    if isinstance(value, int):
        raise Malformed("a number where a text should be")
    try:
        return bytes(value).decode("utf-8")
    except UnicodeDecodeError:
        raise Malformed("a text that is none") from None


def inner(value: Value) -> memoryview:
    """A field's message. Raises Malformed for a number."""
    if isinstance(value, int):
        raise Malformed("a number where a message should be")
    return value


def shaped(data: memoryview, kinds: dict[int, int], needed: frozenset[int]) -> bool:
    """Is it a message of just these fields, with these wire types, and all that are needed?"""
    seen: set[int] = set()
    try:
        for number, kind, _ in fields(data):
            if kinds.get(number) != kind:
                return False
            seen.add(number)
    except Malformed:
        return False
    return needed <= seen
