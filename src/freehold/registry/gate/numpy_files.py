"""numpy's `.npy`: a header of plain literals, then as many bytes as it says, or one pickle for objects.

Invariant: header and size agree to the byte. Archives of them (`.npz`) are zip archives like others.
"""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Iterator
from typing import Any

from freehold.registry.gate import pickles
from freehold.registry.gate.byte_reader import ByteReader
from freehold.registry.gate.errors import Malformed
from freehold.registry.gate.pickle_machine import Machine
from freehold.registry.gate.types import Format, Reason, Source, Walk

MAGIC = b"\x93NUMPY"
MOST_HEADER = 64 << 10
"""numpy itself refuses 10,000 characters unless told to trust the file; structured arrays may have more."""
_PLAIN = re.compile(r"[<>|=]?(?:b1|[iu][1248]|f(?:2|4|8|12|16)|c(?:8|16|24|32)|[SaVU]\d{1,9}|\?)")
_TIME = re.compile(r"[<>|=]?[mM]8(?:\[\d{0,9}[A-Za-zμ]{1,8}(?:/\d{1,9})?\])?")


def known(source: Source) -> bool:
    """The magic of numpy's own format."""
    return source.data[:6] == MAGIC


def look(source: Source, walk: Walk) -> Iterator[Reason]:
    """Raises Malformed where header and bytes disagree."""
    head, start, objects = header(source)
    if objects:
        yield from _objects(source, start)
    elif start + _width(head["descr"], 0)[0] * math.prod(head["shape"]) != len(source.data):
        raise Malformed("another number of bytes than the header says")


def header(source: Source) -> tuple[dict[str, Any], int, bool]:
    """The header's fields, where the elements begin, and whether they are Python objects. Raises Malformed."""
    data = source.data
    version = (data[6], data[7])
    if version not in ((1, 0), (2, 0), (3, 0)):
        raise Malformed(f"version {version} of numpy's format")
    fixed = 10 if version == (1, 0) else 12
    length = int.from_bytes(bytes(data[8:fixed]), "little")
    if length > MOST_HEADER or fixed + length > len(data):
        raise Malformed("a header that is longer than it may be")
    text = bytes(data[fixed : fixed + length]).decode("utf-8" if version == (3, 0) else "latin-1")
    if text.count("(") + text.count("[") + text.count("{") > 2_000:
        raise Malformed("a header with too many brackets")
    try:
        head = ast.literal_eval(text.strip())
    except (SyntaxError, MemoryError) as broken:
        raise Malformed("a header that is no literal") from broken
    if not isinstance(head, dict) or set(head) != {"descr", "fortran_order", "shape"}:
        raise Malformed("a header of other fields")
    shape = head["shape"]
    if not isinstance(shape, tuple) or not all(type(one) is int and 0 <= one < 1 << 62 for one in shape):
        raise Malformed("a shape that is none")
    if not isinstance(head["fortran_order"], bool):
        raise Malformed("an order that is none")
    return head, fixed + length, _width(head["descr"], 0)[1]


def _width(kind: object, depth: int) -> tuple[int, bool]:
    """Bytes of an item, and whether Python objects are in it. Raises Malformed for what numpy would not write."""
    if depth > 16:
        raise Malformed("fields in fields without end")
    if isinstance(kind, str):
        if kind.lstrip("<>|=") in ("O", "O8", "O4", "object"):
            return 8, True
        if _TIME.fullmatch(kind):
            return 8, False
        if not _PLAIN.fullmatch(kind):
            raise Malformed("a dtype that numpy does not write")
        letter, digits = kind.lstrip("<>|=")[0], kind.lstrip("<>|=?abcfiuSUV")
        return (int(digits) if digits else 1) * (4 if letter == "U" else 1), False
    if isinstance(kind, tuple) and len(kind) == 2 and isinstance(kind[1], tuple):
        width, objects = _width(kind[0], depth + 1)
        return width * _product(kind[1]), objects
    if not isinstance(kind, list) or not kind:
        raise Malformed("a dtype that is none")
    total, any_objects = 0, False
    for one in kind:
        if not isinstance(one, tuple) or len(one) not in (2, 3):
            raise Malformed("a field that is none")
        width, objects = _width(one[1], depth + 1)
        total += width * (_product(one[2]) if len(one) == 3 else 1)
        any_objects |= objects
    return total, any_objects


def _product(shape: object) -> int:
    shape = (shape,) if isinstance(shape, int) else shape
    if not isinstance(shape, tuple) or not all(type(one) is int and one >= 0 for one in shape):
        raise Malformed("a field's shape that is none")
    return math.prod(shape)


def _objects(source: Source, start: int) -> Iterator[Reason]:
    found: list[Reason] = []
    ended = pickles.run(source, start, Machine(ByteReader(source.data, start)), found)
    yield from found
    if ended and ended[1] != len(source.data):
        yield Reason("block", "pickle.trailing", source.name, "bytes follow the objects")


FORMAT = Format("npy", known, look)
