"""Usage and end mark off a relayed responses stream: both stand in its last event, which repeats the whole answer."""

from __future__ import annotations

import re

import msgspec

from freehold.gateway.dialects import openai_responses_wire as wire
from freehold.gateway.json_read import BROKEN
from freehold.gateway.sse import MOST_BYTES
from freehold.ledger.meter import Usage

_FRAMING = re.compile(rb"\r\n[0-9A-Fa-f]{1,16}[ \t]*(?:;[^\r\n]*)?\r\n")
"""HTTP chunk framing: no line of an event stream is a bare hex number, and no JSON has a line end inside a string."""
_EVENT = re.compile(rb"[\r\n]data: ?\{")
_LEAST = 1 << 14


class _Response(msgspec.Struct):
    usage: wire.Counts | None = None


class _Event(msgspec.Struct):
    type: str = ""
    response: _Response | None = None


_event = msgspec.json.Decoder(_Event)


class Meter:
    """Keeps the stream from its last event on."""

    __slots__ = ("_held", "_limit")

    def __init__(self) -> None:
        self._held = bytearray()
        self._limit = _LEAST

    def feed(self, data: bytes) -> None:
        """Raw bytes as they came."""
        held = self._held
        held += data
        if len(held) <= self._limit:
            return
        held[:] = _FRAMING.sub(b"", held)
        last = 0
        for found in _EVENT.finditer(held):
            last = found.start()
        del held[:last]
        if len(held) > MOST_BYTES:  # such an event is passed on, but cannot be counted
            held.clear()
        self._limit = max(_LEAST, 2 * len(held))

    def end(self) -> tuple[Usage | None, bool]:
        """Usage as the last event told it, and whether it was one that ends an answer."""
        text = b"\n" + _FRAMING.sub(b"", bytes(self._held))
        found = list(_EVENT.finditer(text))
        if not found:
            return None, False
        begin = found[-1].end() - 1
        line = re.split(rb"[\r\n]", text[begin:], maxsplit=1)[0]
        try:
            event = _event.decode(line)
        except BROKEN:
            return None, False
        counts = None if event.response is None else event.response.usage
        complete = event.type in {"response.completed", "response.incomplete"}
        return None if counts is None else wire.usage_of(counts), complete
