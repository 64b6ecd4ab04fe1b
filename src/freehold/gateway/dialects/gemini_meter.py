"""Usage and end off a relayed stream of Gemini's: each event is a whole answer, and the last ones say both."""

from __future__ import annotations

import msgspec

from freehold.gateway.dialects import gemini_wire as wire
from freehold.gateway.json_read import BROKEN
from freehold.gateway.last_events import LastEvents
from freehold.ledger.meter import Usage

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
    """Usage and end off the last events."""

    __slots__ = ("_last", "feed")

    def __init__(self) -> None:
        self._last = LastEvents(_KEPT)
        self.feed = self._last.feed

    def end(self) -> tuple[Usage | None, bool]:
        """Usage as last told, and whether an alternative said why it stopped."""
        counts, complete = None, False
        for payload in self._last.payloads():
            try:
                chunk = chunk_decoder.decode(payload)
            except BROKEN:
                complete = False
                continue
            if bytes(chunk.error) != b"null":
                return (None if counts is None else wire.usage_of(counts)), False
            counts = chunk.usage or counts
            complete = complete or chunk.over
        return (None if counts is None else wire.usage_of(counts)), complete
