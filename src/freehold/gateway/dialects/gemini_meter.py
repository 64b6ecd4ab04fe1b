"""Usage and end off a relayed stream of Gemini's: each event is a whole answer, and the last ones say both."""

from __future__ import annotations

import re

import msgspec

from freehold.gateway.dialects import gemini_wire as wire
from freehold.gateway.json_read import BROKEN
from freehold.gateway.sse import MOST_BYTES
from freehold.ledger.meter import Usage

_FRAMING = re.compile(rb"\r\n[0-9A-Fa-f]{1,16}[ \t]*(?:;[^\r\n]*)?\r\n")
"""HTTP chunk framing: no line of an event stream is a bare hex number, and no JSON has a line end inside a string."""
_EVENT = re.compile(rb"(?:^|[\r\n])data: ?(?=\{)")
_LINE = re.compile(rb"[^\r\n]*")
_LEAST = 1 << 14
_KEPT = 3
"""Events from the end: what stopped an alternative may stand before the last."""


class _Candidate(msgspec.Struct):
    finish: str | None = msgspec.field(default=None, name="finishReason")


class _Feedback(msgspec.Struct):
    reason: str | None = msgspec.field(default=None, name="blockReason")


class Chunk(msgspec.Struct):
    """What metering reads of an answer."""

    candidates: list[_Candidate] | None = None
    feedback: _Feedback | None = msgspec.field(default=None, name="promptFeedback")
    usage: wire.Counts | None = msgspec.field(default=None, name="usageMetadata")
    error: msgspec.Raw = msgspec.Raw(b"null")

    @property
    def over(self) -> bool:
        """Does it say why something stopped?"""
        if any(one.finish for one in self.candidates or ()):
            return True
        return self.feedback is not None and bool(self.feedback.reason)


chunk_decoder = msgspec.json.Decoder(Chunk)


class Meter:
    """Keeps the stream from its last events on."""

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
        begins = [found.start() for found in _EVENT.finditer(held)]
        del held[: begins[-_KEPT] if len(begins) >= _KEPT else 0]
        if len(held) > MOST_BYTES:  # such events are passed on, but cannot be counted
            held.clear()
        self._limit = max(_LEAST, 2 * len(held))

    def end(self) -> tuple[Usage | None, bool]:
        """Usage as last told, and whether an alternative said why it stopped."""
        text = _FRAMING.sub(b"", bytes(self._held))
        counts, complete = None, False
        for found in _EVENT.finditer(text):
            line = _LINE.match(text, found.end())
            try:
                chunk = chunk_decoder.decode(line[0] if line is not None else b"")
            except BROKEN:
                complete = False
                continue
            if bytes(chunk.error) != b"null":
                return (None if counts is None else wire.usage_of(counts)), False
            counts = chunk.usage or counts
            complete = complete or chunk.over
        return (None if counts is None else wire.usage_of(counts)), complete
