"""GGUF: counted keys and tensors, whose bytes lie where they say, and the chat templates among the keys.

Invariant: as https://github.com/ggml-org/ggml/blob/master/docs/gguf.md has it; nothing counted reaches past the end.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

from freehold.registry.gate import templates
from freehold.registry.gate.errors import Malformed
from freehold.registry.gate.naming import quoted
from freehold.registry.gate.types import Format, Reason, Source, Walk

MAGIC = b"GGUF"
VERSIONS = (2, 3)
MOST_KEYS, MOST_TENSORS, MOST_DIMENSIONS = 1 << 16, 1 << 20, 4
_STRING, _ARRAY, _BOOL = 8, 9, 7
_WIDTHS = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
_FORMS = {0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<B", 10: "<Q", 11: "<q", 12: "<d"}
BLOCKS = {
    0: (1, 4), 1: (1, 2), 2: (32, 18), 3: (32, 20), 6: (32, 22), 7: (32, 24), 8: (32, 34), 9: (32, 40), 10: (256, 84),
    11: (256, 110), 12: (256, 144), 13: (256, 176), 14: (256, 210), 15: (256, 292), 16: (256, 66), 17: (256, 74),
    18: (256, 98), 19: (256, 50), 20: (32, 18), 21: (256, 110), 22: (256, 82), 23: (256, 136), 24: (1, 1), 25: (1, 2),
    26: (1, 4), 27: (1, 8), 28: (1, 8), 29: (256, 56), 30: (1, 2), 34: (256, 54), 35: (256, 66), 39: (32, 17),
}  # fmt: skip
"""Of each kind of tensor: values in a block, and a block's bytes (ggml's type traits)."""


def known(source: Source) -> bool:
    """The magic."""
    return source.data[:4] == MAGIC


class _Reading:
    """A place in the file."""

    def __init__(self, data: memoryview) -> None:
        self.data = data
        self.at = 4

    def number(self, form: str) -> Any:
        """The next number. Raises Malformed at the end."""
        size = struct.calcsize(form)
        if self.at + size > len(self.data):
            raise Malformed("a file that is cut")
        (found,) = struct.unpack_from(form, self.data, self.at)
        self.at += size
        return found

    def skip(self, size: int) -> None:
        """Step over bytes. Raises Malformed where they are not there."""
        if size > len(self.data) - self.at:
            raise Malformed("a length that reaches past the end")
        self.at += size

    def text(self) -> bytes:
        """The next string."""
        length = self.number("<Q")
        begin = self.at
        self.skip(length)
        return bytes(self.data[begin : begin + length])

    def value(self, kind: int, depth: int = 0) -> Any:
        """The next value; arrays of numbers are stepped over."""
        if kind == _STRING:
            return self.text()
        if kind == _ARRAY:
            return self._array(depth)
        if kind not in _FORMS:
            raise Malformed(f"a value of kind {kind}")
        found = self.number(_FORMS[kind])
        if kind == _BOOL and found not in (0, 1):
            raise Malformed("a truth value that is neither")
        return found

    def _array(self, depth: int) -> Any:
        kind, count = self.number("<I"), self.number("<Q")
        if kind in _WIDTHS:
            self.skip(count * _WIDTHS[kind])
            return None
        if depth > 2 or count > (len(self.data) - self.at) // 8:
            raise Malformed("an array that is longer or deeper than the file")
        return [self.value(kind, depth + 1) for _ in range(count)]


def look(source: Source, walk: Walk) -> Iterator[Reason]:
    """Raises Malformed where a count, length or place is not within the file."""
    reading = _Reading(source.data)
    version = reading.number("<I")
    if version not in VERSIONS:
        raise Malformed(f"version {version} of GGUF")
    tensors, keys = reading.number("<Q"), reading.number("<Q")
    if tensors > MOST_TENSORS or keys > MOST_KEYS:
        raise Malformed(f"{tensors} tensors and {keys} keys")
    found = _keys(reading, keys)
    align = found.get("general.alignment", 32)
    if not isinstance(align, int) or align < 1 or align & (align - 1) or align > 1 << 20:
        raise Malformed("an alignment that is no power of two")
    end = _tensors(reading, tensors, align)
    if len(source.data) - end > align:
        yield Reason("review", "gguf.trailing", source.name, f"{len(source.data) - end} bytes that no tensor names")
    for key, value in found.items():
        if "chat_template" in key:
            for text in value if isinstance(value, list) else [value]:
                if isinstance(text, bytes) and key != "tokenizer.chat_templates":
                    yield from templates.reasons(text.decode("utf-8"), f"{source.name}!{quoted(key, 80)}")


def _keys(reading: _Reading, count: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for _ in range(count):
        key = reading.text()
        if len(key) > 1 << 16:
            raise Malformed("a key of more than 65,536 bytes")
        name = key.decode("utf-8")
        if name in found:
            raise Malformed(f"the key {quoted(name, 60)} twice")
        found[name] = reading.value(reading.number("<I"))
    return found


def _tensors(reading: _Reading, count: int, align: int) -> int:
    """Where the last tensor ends."""
    spans: list[tuple[int, int]] = []
    names: set[bytes] = set()
    for _ in range(count):
        name = reading.text()
        if name in names or len(name) > 1 << 10:
            raise Malformed("a tensor's name twice, or too long")
        names.add(name)
        spans.append(_span(reading, align))
    begin = -(-reading.at // align) * align
    end = begin if count else min(begin, len(reading.data))
    place = 0
    for first, after in sorted(spans):
        if first < place:
            raise Malformed("tensors that overlap")
        place = after
        end = max(end, begin + after)
    if count and end > len(reading.data):
        raise Malformed("a tensor that lies outside of the file")
    return end


def _span(reading: _Reading, align: int) -> tuple[int, int]:
    dimensions = reading.number("<I")
    if dimensions > MOST_DIMENSIONS:
        raise Malformed(f"a tensor of {dimensions} dimensions")
    sizes = [reading.number("<Q") for _ in range(dimensions)]
    kind, offset = reading.number("<I"), reading.number("<Q")
    values = 1
    for size in sizes:
        values *= size
    if kind not in BLOCKS:
        raise Malformed(f"a tensor of kind {kind}")
    block, width = BLOCKS[kind]
    if values >= 1 << 48 or offset % align or (sizes and sizes[0] % block):
        raise Malformed("a tensor whose size or place is none")
    return offset, offset + values // block * width


FORMAT = Format("gguf", known, look)
