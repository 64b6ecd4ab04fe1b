"""Elements of JSON documents read one by one, however long the document: arrays, and objects that wrap arrays.

Several documents may follow one another. A broken element is given as it is; a broken structure ends the reading.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

from freehold.workflows.formats.openai_stored import MESSAGES_OF
from freehold.workflows.formats.types import Json
from freehold.workflows.reading import LONGEST

WRAPPERS = frozenset(
    {
        *("data", "entries", "generations", "hits", "items", "log", "logs", "observations", "records", "requests"),
        *("resourceSpans", "resource_spans", "result", "results", "rows", "runs", "spans", "traces"),
        *("scopeSpans", "scope_spans", "instrumentationLibrarySpans", "instrumentation_library_spans", "batches"),
    }
)
"""Members whose arrays hold the calls, in the exports and API answers of the tools whose forms are known."""
SPANS = frozenset(
    {
        *("resourceSpans", "resource_spans", "scopeSpans", "scope_spans", "batches"),
        *("instrumentationLibrarySpans", "instrumentation_library_spans"),
    }
)
"""Wrappers whose elements are wrappers themselves."""
_BY_ID = re.compile(r"(chatcmpl|resp|gen|msg|cmpl)[-_]")
_SPACE = re.compile(rb"[ \t\r\n]*")
_INSIDE = re.compile(rb'(?:[^"\\]++|\\.)*+', re.DOTALL)
_MARKS = re.compile(rb'"(?:[^"\\]++|\\.)*+"|["{}\[\]]', re.DOTALL)
_SCALAR = re.compile(rb"[^,\]}\s]*+")
_OPENERS = frozenset(b'{["')
_REMEMBERED = 64 << 10
_DEEPEST = 12


class Broken(Exception):
    """The document's structure ends or makes no sense here."""


class Element(msgspec.Struct, frozen=True):
    """One value of a document: `raw` is None where it was too long."""

    raw: bytes | None
    key: str = ""
    """The name it stood under, where an object holds things by their ids."""
    context: Json = {}
    """What the object around it says: `resource` of spans."""


class Documents:
    """Reads elements off chunks of bytes."""

    def __init__(self, chunks: Iterator[bytes], longest: int = LONGEST) -> None:
        self._chunks = chunks
        self._longest = longest
        self._data = bytearray()
        self._at = 0

    def elements(self) -> Iterator[Element]:
        """Every element of every document. Raises Broken where the structure is."""
        while self._peek() != b"":
            yield from self._value(Element(b""), 0)

    def _value(self, around: Element, depth: int) -> Iterator[Element]:
        first = self._peek()
        if first == b"[":
            yield from self._array(around, depth, deep=False)
        elif first == b"{":
            yield from self._object(around, depth)
        else:
            yield Element(self._raw())

    def _array(self, around: Element, depth: int, *, deep: bool) -> Iterator[Element]:
        self._at += 1
        while True:
            first = self._peek()
            if first == b"]":
                self._at += 1
                return
            if first == b",":
                self._at += 1
                continue
            if first == b"":
                raise Broken("the document ends in the middle of an array")
            if deep and first == b"{" and depth < _DEEPEST:
                yield from self._object(around, depth + 1)
            else:
                yield Element(self._raw(), "", around.context)

    def _object(self, around: Element, depth: int) -> Iterator[Element]:
        """Goes into members that wrap calls; an object without any is an element itself."""
        self._at += 1
        rest: dict[str, bytes] = {}
        size, context, wraps, whole = 0, around.context, False, True
        while True:
            first = self._peek()
            if first == b"}":
                self._at += 1
                break
            if first == b",":
                self._at += 1
                continue
            if first != b'"':
                raise Broken("the document ends, or is broken, in the middle of an object")
            name = self._name()
            first = self._peek()
            if name in WRAPPERS and first == b"[":
                wraps = True
                yield from self._array(Element(b"", "", context), depth, deep=name in SPANS)
                continue
            if name in WRAPPERS and first == b"{" and depth < _DEEPEST:
                wraps = True
                yield from self._object(Element(b"", "", context), depth + 1)
                continue
            raw = self._raw()
            if depth == 0 and first == b"{" and _BY_ID.match(name):
                wraps = True
                yield Element(raw, name, context)
                continue
            if name == "resource" and raw is not None and len(raw) < _REMEMBERED:
                context = {"resource": _decoded(raw)}
            size += len(name) + (self._longest if raw is None else len(raw))
            whole = whole and size <= self._longest
            if raw is not None and whole:
                rest[name] = raw
            elif not whole:
                rest.clear()
        if not wraps:
            body = b",".join(msgspec.json.encode(name) + b":" + raw for name, raw in rest.items())
            yield Element(b"{" + body + b"}" if whole else None, "", around.context)

    def _name(self) -> str:
        raw = self._raw()
        if raw is None or self._peek() != b":":
            raise Broken("a member of an object has no value")
        self._at += 1
        name = _decoded(raw)
        if not isinstance(name, str):
            raise Broken("a member of an object has no proper name")
        return name

    def _peek(self) -> bytes:
        """The next byte that is no space; empty at the end."""
        while True:
            found = _SPACE.match(self._data, self._at)
            self._at = found.end() if found else self._at
            del found
            if self._at < len(self._data):
                return bytes(self._data[self._at : self._at + 1])
            if not self._more():
                return b""

    def _more(self) -> bool:
        chunk = next(self._chunks, None)
        if chunk is None:
            return False
        del self._data[: self._at]
        self._at = 0
        self._data += chunk
        return True

    def _raw(self) -> bytes | None:
        """The bytes of one value, which `_peek` stands before; None where it is too long. Raises Broken."""
        walk = _Walk(self._longest)
        while True:
            end = walk.over(self._data, self._at)
            if end >= 0:
                raw = bytes(self._data[self._at : end]) if not walk.long else None
                self._at = end
                return raw
            walk.forget(self._data, self._at)
            chunk = next(self._chunks, None)
            if chunk is None:
                if walk.scalar and not walk.long:
                    raw = bytes(self._data[self._at :])
                    self._at = len(self._data)
                    return raw
                raise Broken("the document ends in the middle of a value")
            self._data += chunk


class _Walk:
    """Finds the end of one value in bytes that come in pieces, looking at each once."""

    __slots__ = ("_depth", "_in_text", "_longest", "_seen", "long", "scalar")

    def __init__(self, longest: int) -> None:
        self._longest = longest
        self._seen = 0
        """Bytes after the value's start that were looked at."""
        self._depth = 0
        self._in_text = False
        self.long = False
        self.scalar = False

    def over(self, data: bytearray, start: int) -> int:
        """Where the value ends; -1 where it goes on beyond these bytes."""
        at = start + self._seen
        if self._seen == 0 and not self.long and data[start] not in _OPENERS:
            self.scalar = True
        if self.scalar:
            found = _SCALAR.match(data, at)
            end = found.end() if found else at
            self._seen = end - start
            if end == start and end < len(data):
                raise Broken("there is no value where one must be")
            return end if end < len(data) else -1
        while at < len(data):
            if self._in_text:
                inside = _INSIDE.match(data, at)
                at = inside.end() if inside else at
                if at >= len(data) or data[at] != 0x22:
                    break  # the bytes end within the text, perhaps after a backslash
                self._in_text = False
                at += 1
                if self._depth == 0:
                    self._seen = at - start
                    return at
            at = self._marks(data, at)
            if self._depth == 0 and not self._in_text:
                self._seen = at - start
                return at
        self._seen = at - start
        return -1

    def _marks(self, data: bytearray, at: int) -> int:
        """Goes over whole texts and brackets until the value or the bytes end, or a text is cut."""
        for found in _MARKS.finditer(data, at):
            mark, end = data[found.start()], found.end()
            if mark == 0x22:
                if end - found.start() == 1:
                    self._in_text = True
                    return end
                if self._depth == 0:
                    return end
            elif mark in b"{[":
                self._depth += 1
            else:
                self._depth -= 1
                if self._depth <= 0:
                    self._depth = 0
                    return end
        return len(data)

    def forget(self, data: bytearray, start: int) -> None:
        """Drop what was looked at of a value that is too long to be kept."""
        if self.long or self._seen > self._longest:
            self.long = True
            del data[start : start + self._seen]
            self._seen = 0


def _decoded(raw: bytes) -> object:
    try:
        return msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        raise Broken("a name in the document is no proper text") from None


def unwrapped(value: object, context: Json | None = None, depth: int = 0) -> Iterator[tuple[Json, Json]]:
    """The calls inside one element that wraps others, with what is said around them; nothing where it wraps none."""
    if not isinstance(value, dict) or depth > _DEEPEST:
        return
    around = {"resource": value["resource"]} if isinstance(value.get("resource"), dict) else context or {}
    for name in value.keys() & WRAPPERS:
        inside = value[name]
        if isinstance(inside, dict):
            found = list(unwrapped(inside, around, depth + 1))
            yield from found or [(inside, around)]
        elif isinstance(inside, list):
            for one in inside:
                if name in SPANS:
                    yield from unwrapped(one, around, depth + 1)
                elif isinstance(one, dict):
                    yield one, around
    if depth == 0:
        for name, inside in value.items():
            if isinstance(inside, dict) and _BY_ID.match(name):
                yield {**inside, MESSAGES_OF: name}, around
