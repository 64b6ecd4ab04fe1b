"""How a stream travels from target to caller: three ways with one face, sans-I/O.

`Verbatim` passes raw bytes on; `Filtered` passes content on through a filter; `Translated` decodes events and
encodes them anew. None of them ends well before the dialect's end mark was seen.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import msgspec

from freehold.core.errors import UpstreamLied, UpstreamRefused
from freehold.gateway.event_stream import begins_well
from freehold.gateway.messages import Counted, Ended, Event, Failed, Started
from freehold.gateway.ports import Restore, StreamDecoder, StreamEncoder, StreamMeter, StreamStripper
from freehold.ledger.meter import Usage

LAST_CHUNK = b"0\r\n\r\n"
ERRORS = (b'{"error"', b'{"type":"error"', b'{"type": "error"')
FIRST_BYTES = 24
"""So many bytes of the first event tell an error from an answer."""


def chunk(data: bytes) -> bytes:
    """One HTTP/1.1 chunk; nothing for nothing, as an empty chunk would end the body."""
    return b"%x\r\n%b\r\n" % (len(data), data) if data else b""


def plain(data: bytes) -> bytes:
    """Framing for HTTP/1.0 callers: none, the end of the connection is the end of the body."""
    return data


def answers(first: bytes, kind: bytes = b"text/event-stream") -> bool:
    """Do the first bytes of a stream show that it is an answer? False where more are needed. Raises UpstreamRefused.

    `kind` is empty where an answer may be of any: sound is one from its first byte on.
    """
    if not kind and first[:5] not in (b"data:", b"event"):
        return bool(first)
    if first.startswith(b"\0"):  # no text does: it is the length of a binary frame
        return begins_well(first)
    at = first.find(b"data:")
    begun = first[at + 5 :].lstrip(b" ") if at >= 0 else b""
    if begun.startswith(ERRORS):
        raise UpstreamRefused("the target's stream began with an error", retryable=True)
    return len(begun) >= FIRST_BYTES or b"\n" in begun or len(first) > 4096


class Stream(Protocol):
    """A streamed answer on its way. `feed` and `end` give bytes ready for the caller's connection."""

    events: int
    """Events passed on, counted roughly: what a cut stream is billed by."""

    def feed(self, data: bytes) -> bytes:
        """More of the target's body. Raises UpstreamLied or UpstreamRefused."""

    def end(self) -> bytes:
        """The target's body is over: the last bytes for the caller. Raises UpstreamLied where it was cut."""

    def usage(self) -> Usage | None:
        """What the target said it used so far."""


class Verbatim:
    """Raw bytes, HTTP framing and all, go on as they came; this only watches their content."""

    __slots__ = ("_meter", "_usage", "events")

    def __init__(self, meter: StreamMeter) -> None:
        self._meter = meter
        self._usage: Usage | None = None
        self.events = 0

    def feed(self, data: bytes) -> bytes:
        """Watch; there is nothing to add to the raw bytes."""
        self._meter.feed(data)
        self.events += data.count(b"data:") or data.count(b":event-type")
        return b""

    def end(self) -> bytes:
        """Check the end mark."""
        self._usage, complete = self._meter.end()
        if not complete:
            raise UpstreamLied("the target's stream ended without its end mark")
        return b""

    def usage(self) -> Usage | None:
        """As told in the stream."""
        if self._usage is None:
            self._usage = self._meter.end()[0]
        return self._usage


class Filtered:
    """Same dialect, framed anew, with the usage the caller did not ask for taken out."""

    __slots__ = ("_frame", "_meter", "_stripper", "_usage", "events")

    def __init__(self, meter: StreamMeter, stripper: StreamStripper | None, frame: Callable[[bytes], bytes]) -> None:
        self._meter = meter
        self._stripper = stripper
        self._frame = frame
        self._usage: Usage | None = None
        self.events = 0

    def feed(self, data: bytes) -> bytes:
        """Meter, strip, frame."""
        self._meter.feed(data)
        self.events += data.count(b"data:") or data.count(b":event-type")
        return self._frame(data if self._stripper is None else self._stripper.feed(data))

    def end(self) -> bytes:
        """What the stripper still held."""
        self._usage, complete = self._meter.end()
        if not complete:
            raise UpstreamLied("the target's stream ended without its end mark")
        return b"" if self._stripper is None else self._frame(self._stripper.end())

    def usage(self) -> Usage | None:
        """As told in the stream."""
        return self._usage or self._meter.end()[0]


class Translated:
    """Decoded, restored, encoded in the caller's dialect, framed."""

    __slots__ = ("_decoder", "_encoder", "_ended", "_frame", "_restore", "_usage", "events")

    def __init__(
        self,
        decoder: StreamDecoder,
        restore: Restore | None,
        encoder: StreamEncoder,
        frame: Callable[[bytes], bytes],
    ) -> None:
        self._decoder = decoder
        self._restore = restore
        self._encoder = encoder
        self._frame = frame
        self._usage: Usage | None = None
        self._ended = False
        self.events = 0

    def feed(self, data: bytes) -> bytes:
        """Through the neutral form."""
        return self._pass(self._decoder.feed(data))

    def end(self) -> bytes:
        """The decoder checks the end mark."""
        out = self._pass(self._decoder.end())
        if not self._ended:
            raise UpstreamLied("the target's stream ended without its end mark")
        return out

    def _pass(self, events: list[Event]) -> bytes:
        for event in events:
            if isinstance(event, Counted):
                self._usage = event.usage
            elif isinstance(event, Started) and event.usage is not None:
                # What a start says of the output is no final count.
                self._usage = msgspec.structs.replace(event.usage, estimated=True)
            elif isinstance(event, Ended):
                self._ended = True
            elif isinstance(event, Failed):
                raise UpstreamRefused(f"the target reported {event.kind or 'an error'}: {event.message}")
        self.events += len(events)
        if self._restore is not None:
            events = self._restore.feed(events)
        return self._frame(self._encoder.feed(events)) if events else b""

    def usage(self) -> Usage | None:
        """The last count."""
        return self._usage

    @property
    def dropped(self) -> tuple[str, ...]:
        """What the caller's dialect could not carry."""
        return self._encoder.dropped
