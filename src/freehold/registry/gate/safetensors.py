"""Safetensors: a JSON header of names, kinds, shapes and places, then the tensors, each byte in exactly one of them.

Invariant: the header is the format's own (https://github.com/huggingface/safetensors), to the byte.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from freehold.registry.gate import targets
from freehold.registry.gate.errors import Malformed
from freehold.registry.gate.json_files import strict
from freehold.registry.gate.naming import quoted
from freehold.registry.gate.types import Format, Reason, Source, Walk

MOST_HEADER = 100 << 20
"""As the format's own library has it."""
BITS = {
    "BOOL": 8, "U8": 8, "I8": 8, "F8_E5M2": 8, "F8_E4M3": 8, "F8_E8M0": 8, "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6,
    "I16": 16, "U16": 16, "F16": 16, "BF16": 16, "I32": 32, "U32": 32, "F32": 32, "I64": 64, "U64": 64, "F64": 64,
    "C64": 64,
}  # fmt: skip


def known(source: Source) -> bool:
    """A length, then an object; a text that has a brace in that place is a text."""
    head = bytes(source.data[:9])
    readable = all(32 <= one < 127 or one in b"\t\r\n" for one in head[:8])
    return head[8:] == b"{" and not readable


def look(source: Source, walk: Walk) -> Iterator[Reason]:
    """Raises Malformed where the header does not account for every byte."""
    data = source.data
    length = int.from_bytes(bytes(data[:8]), "little")
    if length > MOST_HEADER or 8 + length > len(data):
        raise Malformed("a header that is longer than it may be")
    head = strict(bytes(data[8 : 8 + length]))
    if not isinstance(head, dict):
        raise Malformed("a header that is no object")
    spans = [_span(name, told) for name, told in head.items() if name != "__metadata__"]
    notes = head.get("__metadata__", {})
    if not isinstance(notes, dict) or not all(isinstance(one, str) for one in notes.values()):
        raise Malformed("notes that are no texts")
    end = 0
    for begin, after in sorted(spans):
        if begin != end:
            raise Malformed("tensors that overlap, or bytes between them")
        end = after
    if 8 + length + end != len(data):
        raise Malformed(f"{len(data) - 8 - length - end} bytes that no tensor names")
    for note in notes.values():
        yield from targets.reasons(note, source.name)


def _span(name: str, told: Any) -> tuple[int, int]:
    shown = quoted(name, 60)
    if not isinstance(told, dict) or set(told) != {"dtype", "shape", "data_offsets"}:
        raise Malformed(f"tensor {shown} with other fields")
    shape, offsets = told["shape"], told["data_offsets"]
    bits = BITS.get(told["dtype"]) if isinstance(told["dtype"], str) else None
    if bits is None or not _numbers(shape) or not _numbers(offsets) or len(offsets) != 2:
        raise Malformed(f"tensor {shown} of a kind, shape or place that is none")
    begin, end = offsets
    if (end - begin) * 8 != math.prod(shape) * bits:
        raise Malformed(f"tensor {shown} is not as large as its shape")
    return begin, end


def _numbers(value: Any) -> bool:
    return isinstance(value, list) and all(type(one) is int and 0 <= one < 1 << 62 for one in value)


FORMAT = Format("safetensors", known, look)
