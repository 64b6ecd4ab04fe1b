"""Takes the closing usage chunk out of a relayed stream whose caller did not ask for it; all else byte for byte."""

from __future__ import annotations

import re

import msgspec
from msgspec import Raw

from freehold.gateway.json_read import BROKEN
from freehold.gateway.sse import Events, payloads

_EMPTY = re.compile(rb'"choices"[ \t\r\n]*:[ \t\r\n]*\[[ \t\r\n]*\]')
"""Cannot match inside a JSON string: there a quote is escaped."""
_BLANK = re.compile(rb"(?:\r\n|\n|\r){2}")


class _Chunk(msgspec.Struct):
    choices: list[Raw]
    usage: Raw = Raw(b"null")
    error: Raw = Raw(b"null")


_chunk = msgspec.json.Decoder(_Chunk)


class UsageStripper:
    """Passes whole events; one whose `choices` is empty and whose `usage` is not null is dropped."""

    __slots__ = ("_events",)

    def __init__(self) -> None:
        self._events = Events()

    def feed(self, data: bytes) -> bytes:
        """The bytes to pass on. Raises UpstreamLied where an event outgrows memory."""
        return _without_usage(self._events.whole(data))

    def end(self) -> bytes:
        """What was held back of an event that never ended."""
        return _without_usage(self._events.rest())


def _without_usage(text: bytes) -> bytes:
    if _EMPTY.search(text) is None:
        return text
    kept, start = [], 0
    for blank in _BLANK.finditer(text):
        event = text[start : blank.end()]
        start = blank.end()
        if not _is_usage(event):
            kept.append(event)
    if not _is_usage(text[start:]):
        kept.append(text[start:])
    return b"".join(kept)


def _is_usage(event: bytes) -> bool:
    if _EMPTY.search(event) is None:
        return False
    found = payloads(event)
    if len(found) != 1:
        return False
    try:
        chunk = _chunk.decode(found[0])
    except BROKEN:
        return False
    return not chunk.choices and bytes(chunk.usage) != b"null" and bytes(chunk.error) == b"null"
