"""What a ConverseStream that is relayed verbatim told: usage, and whether it reached its end."""

from __future__ import annotations

import msgspec
from msgspec import Raw

from freehold.core.errors import UpstreamLied
from freehold.gateway.dialects import bedrock_wire as wire
from freehold.gateway.event_stream import Frames, frame_of
from freehold.gateway.json_fields import NULL
from freehold.gateway.json_read import BROKEN
from freehold.ledger.meter import Usage


class _Metadata(msgspec.Struct):
    usage: Raw = NULL


_DELTA = b"\x07\x00\x11contentBlockDelta"
"""The kind of an event as a header has it: a string's type, its length, and the string."""
_HEADERS = 160
"""All headers of an event stand before this byte."""
_metadata = msgspec.json.Decoder(_Metadata)
_counts = msgspec.json.Decoder(wire.Counts)


class Meter:
    """Reads the frames' names, and the last one's payload. It needs the body's content, without HTTP's framing."""

    __slots__ = ("_broken", "_frames", "_stopped", "_usage")

    def __init__(self) -> None:
        self._frames = Frames()
        self._usage: Usage | None = None
        self._stopped = self._broken = False

    def feed(self, data: bytes) -> None:
        """More of the body."""
        if self._broken:
            return
        try:
            for one in self._frames.cut(data):
                if one.find(_DELTA, 0, _HEADERS) >= 0:  # nearly all are; no payload has such bytes
                    continue
                frame = frame_of(one)
                if frame.failed:
                    self._broken = True
                elif frame.kind == "messageStop":
                    self._stopped = True
                elif frame.kind == "metadata":
                    self._usage = wire.usage_of(_counts.decode(_metadata.decode(frame.payload).usage))
        except (UpstreamLied, *BROKEN):
            self._broken = True

    def end(self) -> tuple[Usage | None, bool]:
        """Usage, told by the last event alone, and whether it came in its place."""
        return self._usage, self._usage is not None and self._stopped and not self._broken
