"""Server-sent events, sans-I/O: bytes in, `data` payloads out (WHATWG HTML, section 9.2), tolerant of what is legal.

Invariant: any split of the same bytes gives the same payloads.
"""

from __future__ import annotations

import re

from freehold.core.errors import UpstreamLied
from freehold.gateway.messages import Event

MOST_BYTES = 16 << 20
"""Longest event held in memory while its end is awaited."""

_MARK = b"\xef\xbb\xbf"
_LINES = re.compile(rb"\r\n|\n|\r")


class Events:
    """Cuts a body into whole events (with the blank line that ends each) and reads their data."""

    __slots__ = ("_fresh", "_held")

    def __init__(self) -> None:
        self._held = bytearray()
        self._fresh = True

    def feed(self, data: bytes) -> list[bytes]:
        """Payloads now complete. Raises UpstreamLied where an event outgrows memory."""
        return self._read(self.whole(data))

    def end(self) -> list[bytes]:
        """What stands at the end without a blank line: tolerated, as clients do."""
        return self._read(self.rest())

    def _read(self, text: bytes) -> list[bytes]:
        if self._fresh and text:
            self._fresh = False
            text = text.removeprefix(_MARK)
        return payloads(text)

    def whole(self, data: bytes) -> bytes:
        """The bytes of all events now complete; what follows them is held."""
        held = self._held
        if not held and data.endswith(b"\n\n"):
            return data
        start = max(0, len(held) - 2)
        held += data
        at, at_crlf = held.rfind(b"\n\n", start), held.rfind(b"\n\r\n", start)
        end = at_crlf + 3 if at_crlf > at else at + 2 if at >= 0 else 0
        if len(held) - end > MOST_BYTES:
            raise UpstreamLied(f"an event of the stream is longer than {MOST_BYTES} bytes")
        if not end:
            return b""
        found = bytes(memoryview(held)[:end])
        del held[:end]
        return found

    def rest(self) -> bytes:
        """The held bytes, which are held no longer."""
        found = bytes(self._held)
        self._held.clear()
        return found


class StreamReader:
    """The half of a stream's decoder that every dialect shares: payloads one by one, and an end that must have come.

    A dialect says in `_take` what a payload means, and sets `_over` once it saw its end mark.
    """

    __slots__ = ("_events", "_over")
    end_mark: str
    """What the dialect's streams end with, in words."""

    def __init__(self) -> None:
        self._events = Events()
        self._over = False

    def feed(self, data: bytes) -> list[Event]:
        """Events that are now complete. Raises UpstreamLied on what the protocol does not allow."""
        out: list[Event] = []
        for payload in self._events.feed(data):
            self._take(payload, out)
        return out

    def end(self) -> list[Event]:
        """The body is over. Raises UpstreamLied where the stream was cut before its end mark."""
        out: list[Event] = []
        for payload in self._events.end():
            self._take(payload, out)
        if not self._over:
            raise UpstreamLied(f"the target's stream was cut: {self.end_mark} never came")
        return out

    def _take(self, payload: bytes, out: list[Event]) -> None:
        raise NotImplementedError


def event_of(data: bytes, name: str = "") -> bytes:
    """One event as bytes. Line ends inside JSON are only ever spacing, and would end the event's line."""
    if b"\n" in data or b"\r" in data:
        data = data.replace(b"\n", b" ").replace(b"\r", b" ")
    head = b"event: " + name.encode() + b"\n" if name else b""
    return head + b"data: " + data + b"\n\n"


def payloads(text: bytes) -> list[bytes]:
    """The data of each event that has some: its `data:` lines joined."""
    if b"\r" in text:
        text = _LINES.sub(b"\n", text)
    found: list[bytes] = []
    lines: list[bytes] = []
    for line in text.split(b"\n"):
        if line.startswith(b"data:"):
            lines.append(line[6:] if line.startswith(b" ", 5) else line[5:])
        elif not line:
            if lines:
                found.append(lines[0] if len(lines) == 1 else b"\n".join(lines))
                lines = []
        elif line == b"data":
            lines.append(b"")
    if lines:
        found.append(b"\n".join(lines))
    return found
