"""The last events of a stream that is relayed raw, for meters whose figures stand there. Sans-I/O.

Invariant: at most `MOST_BYTES` are held, and however the bytes were split the same events are found.
"""

from __future__ import annotations

import re

from freehold.gateway.sse import MOST_BYTES

_FRAMING = re.compile(rb"(?:\A|\r\n)[0-9A-Fa-f]{1,16}[ \t]*(?:;[^\r\n]*)?\r\n")
"""HTTP chunk framing: no line of an event stream is a bare hex number, and no JSON has a line end inside a string."""
_EVENT = re.compile(rb"(?:^|[\r\n])data: ?(?=\{)")
_LINE = re.compile(rb"[^\r\n]*")
_LEAST = 1 << 14


class LastEvents:
    """Keeps a stream from its last so many events on."""

    __slots__ = ("_held", "_kept", "_limit")

    def __init__(self, kept: int = 1) -> None:
        self._held = bytearray()
        self._kept = kept
        self._limit = _LEAST

    def feed(self, data: bytes) -> None:
        """Raw bytes as they came."""
        held = self._held
        held += data
        if len(held) <= self._limit:
            return
        held[:] = _FRAMING.sub(b"", held)
        begins = [found.start() for found in _EVENT.finditer(held)]
        del held[: begins[-self._kept] if len(begins) >= self._kept else 0]
        if len(held) > MOST_BYTES:  # such events are passed on, but cannot be counted
            held.clear()
        self._limit = max(_LEAST, 2 * len(held))

    def payloads(self) -> list[bytes]:
        """The JSON of the events that are held, in order; the last one may be cut."""
        text = _FRAMING.sub(b"", bytes(self._held))
        lines = [_LINE.match(text, found.end()) for found in _EVENT.finditer(text)]
        return [line[0] for line in lines if line is not None]
