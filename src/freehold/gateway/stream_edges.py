"""The beginning and the end of a stream that is relayed verbatim: all that metering it needs.

Bytes come in raw, so HTTP chunk framing may stand anywhere among them. No line of an event stream is a bare hex
number, so framing can be cut out of what was kept without knowing where chunks began.
"""

from __future__ import annotations

import re

HEAD_BYTES = 2048
TAIL_BYTES = 4096
"""A closing usage chunk with all details and an engine's timings is about 1.5 KB."""

_SLACK = 3 * TAIL_BYTES
_FRAMING = re.compile(rb"\r\n[0-9A-Fa-f]{1,16}[ \t]*(?:;[^\r\n]*)?\r\n")


class Edges:
    """Keeps the first and the last bytes of a stream."""

    __slots__ = ("_head", "_tail", "_whole")

    def __init__(self) -> None:
        self._head = b""
        self._tail = bytearray()
        self._whole = True

    def feed(self, data: bytes) -> None:
        """Raw bytes as they came."""
        if len(self._head) < HEAD_BYTES:
            self._head += data[: HEAD_BYTES - len(self._head)]
        tail = self._tail
        if len(data) > _SLACK:
            data = data[-TAIL_BYTES:]
            self._whole = False
            tail.clear()
        tail += data
        if len(tail) > _SLACK:
            self._whole = False
            del tail[:-TAIL_BYTES]

    def head(self) -> list[bytes]:
        """The `data:` payloads of the beginning; the last may be cut short."""
        return _payloads(_FRAMING.sub(b"", self._head))

    def tail(self) -> list[bytes]:
        """The `data:` payloads of the end, whole lines only, in order."""
        text = _FRAMING.sub(b"", bytes(self._tail))
        if not self._whole:
            text = text[text.find(b"\n") + 1 :]
        return _payloads(text)


def _payloads(text: bytes) -> list[bytes]:
    return [line[5:].strip() for line in text.splitlines() if line.startswith(b"data:")]
