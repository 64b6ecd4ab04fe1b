"""A log file as a sequence of pieces, each with its place: lines of JSON, or elements of JSON documents.

Which of the two a file is, is read from its first million bytes.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import msgspec

from freehold.workflows.documents import Broken, Documents, Element, unwrapped
from freehold.workflows.errors import NotALog
from freehold.workflows.formats.openai_stored import MESSAGES_OF
from freehold.workflows.formats.registry import recognised
from freehold.workflows.formats.types import Json
from freehold.workflows.reading import LONGEST, Source, lines

_HEAD = 1 << 20
_LOOKED_AT = 50
_SPACE = b" \t\r\n\x1e"

_decode = msgspec.json.Decoder().decode
_BROKEN = (msgspec.DecodeError, UnicodeError, RecursionError)


class Raw(msgspec.Struct, frozen=True):
    """What stands at one place before it is looked at; no element where it was too long."""

    place: int
    kind: str
    """`line` or `element`, counted from 1; empty where the file as a whole is meant."""
    element: Element | None = None
    reason: str = ""


class Piece(msgspec.Struct, frozen=True):
    """What stood at one place: objects with what is said around them, or the reason why there are none."""

    place: int
    kind: str
    inside: tuple[tuple[Json, Json], ...] = ()
    reason: str = ""


def pieces(source: Source, longest: int = LONGEST) -> Iterator[Raw]:
    """Everything in a file, in its order. Raises NotALog; what is cut or broken ends with `source.trouble`."""
    chunks = source.chunks()
    head = b""
    while len(head) < _HEAD:
        chunk = next(chunks, b"")
        if not chunk:
            break
        head += chunk
    if not head.strip(_SPACE):
        return
    whole = itertools.chain([head], chunks)
    if is_lines(head, source):
        for number, line in lines(whole, longest):
            if line is None:
                yield Raw(number, "line", None, f"the line is longer than {longest >> 20} MiB")
            elif line := line.strip(_SPACE):
                yield Raw(number, "line", Element(line))
        return
    number = 0
    try:
        for element in Documents(whole, longest).elements():
            number += 1
            if element.raw is None:
                yield Raw(number, "element", None, f"the element is longer than {longest >> 20} MiB")
            else:
                yield Raw(number, "element", element)
    except Broken as error:
        source.trouble = f"{error} after element {number}: what stands before was read"
        for _ in chunks:
            pass  # so that the digest is that of the whole file


def is_lines(head: bytes, source: Source) -> bool:
    """True where lines are objects of their own. Raises NotALog where there is no JSON at all."""
    start = head.lstrip(_SPACE)
    if start.startswith(b"["):
        return False
    first, *others = start.split(b"\n")[:_LOOKED_AT]
    if any(_is_object(line) for line in (first, *others)):
        return True
    if start.startswith(b"{"):
        return False
    raise NotALog(f"{source.path}: there is neither a JSON document nor a line of JSON in its first million bytes")


def _is_object(line: bytes) -> bool:
    line = line.strip(b"\r\x1e")
    if not line.startswith(b"{"):
        return False
    try:
        return isinstance(_decode(line), dict)
    except _BROKEN:
        return False


def opened(raw: Raw) -> Piece:
    """What stands at a place, decoded and unwrapped. Pure."""
    place, kind, element = raw.place, raw.kind, raw.element
    if element is None or element.raw is None:
        return Piece(place, kind, (), raw.reason)
    try:
        value = _decode(element.raw)
    except msgspec.DecodeError as error:
        return Piece(place, kind, (), f"not valid JSON: {error}")
    except UnicodeError:
        return Piece(place, kind, (), "not UTF-8 (Latin-1?): convert the file first")
    except RecursionError:
        return Piece(place, kind, (), "nested too deeply")
    if not isinstance(value, dict):
        return Piece(place, kind, (), "not a JSON object")
    if element.key:
        value[MESSAGES_OF] = element.key
    if recognised(value) is None:
        inside = tuple(unwrapped(value, element.context))
        if inside:
            return Piece(place, kind, inside)
    return Piece(place, kind, ((value, element.context),))
