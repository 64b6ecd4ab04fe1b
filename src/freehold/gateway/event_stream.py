"""Amazon's binary event stream (application/vnd.amazon.eventstream): frames with checksums, sans-I/O, both ways.

Written from the public specification (smithy.io, amazon-eventstream). Invariant: any split of the same bytes gives the
same frames, and no frame whose checksums are wrong is ever given out.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from zlib import crc32

import msgspec

from freehold.core.errors import UpstreamLied, UpstreamRefused

KIND = b"application/vnd.amazon.eventstream"
"""Its media type."""
MOST_BYTES = 24 << 20
"""Longest frame the specification allows (payload of 24 MiB, headers of 128 KiB), rounded down to the payload's."""

_PRELUDE = 12
_LEAST = _PRELUDE + 4
_STRING = 7
_SIZES = {0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16}
"""Bytes of a header's value by its type; types 6 and 7 tell their length."""
_lengths = struct.Struct(">II")
_number = struct.Struct(">I")
_short = struct.Struct(">H")


class Frame(msgspec.Struct, frozen=True):
    """One message: headers that are strings (others are passed over), and the payload."""

    headers: Mapping[str, str]
    payload: bytes

    @property
    def kind(self) -> str:
        """What it is called: its event, exception or error."""
        told = self.headers
        return told.get(":event-type") or told.get(":exception-type") or told.get(":error-code") or ""

    @property
    def failed(self) -> bool:
        """Does it tell an error?"""
        return self.headers.get(":message-type", "event") != "event"


class Frames:
    """Cuts a body into frames."""

    __slots__ = ("_held",)

    def __init__(self) -> None:
        self._held = bytearray()

    def feed(self, data: bytes) -> list[Frame]:
        """Frames now complete. Raises UpstreamLied on what the format does not allow."""
        return [frame_of(one) for one in self.cut(data)]

    def cut(self, data: bytes) -> list[bytes]:
        """The same as bytes, of which only the beginning is checked so far. Raises UpstreamLied."""
        held = self._held
        held += data
        found: list[bytes] = []
        at, size = 0, len(held)
        while size - at >= _PRELUDE:
            total = _total(held, at)
            if size - at < total:
                break
            found.append(bytes(memoryview(held)[at : at + total]))
            at += total
        if at:
            del held[:at]
        return found

    def end(self) -> None:
        """The body is over. Raises UpstreamLied where it ends inside a frame."""
        if self._held:
            raise UpstreamLied("the target's stream was cut inside a frame")


def event(kind: str, payload: bytes) -> bytes:
    """One event with a JSON payload."""
    return encoded(((":event-type", kind), (":content-type", "application/json"), (":message-type", "event")), payload)


def exception(kind: str, payload: bytes) -> bytes:
    """One exception with a JSON payload; nothing follows it."""
    named = ((":exception-type", kind), (":content-type", "application/json"), (":message-type", "exception"))
    return encoded(named, payload)


def encoded(headers: Iterable[tuple[str, str]], payload: bytes) -> bytes:
    """One frame; all headers are strings."""
    lines = b"".join([_header(name.encode(), value.encode()) for name, value in headers])
    prelude = _lengths.pack(_LEAST + len(lines) + len(payload), len(lines))
    found = b"".join((prelude, _number.pack(crc32(prelude)), lines, payload))
    return found + _number.pack(crc32(found))


def begins_well(first: bytes) -> bool:
    """Is the first event of a stream there, and no error? Raises UpstreamRefused where it is one, UpstreamLied."""
    frames = Frames().feed(first)
    if frames and frames[0].failed:
        raise UpstreamRefused(f"the target's stream began with an error ({frames[0].kind[:60]})", retryable=True)
    return bool(frames)


def _header(name: bytes, value: bytes) -> bytes:
    return b"".join((bytes((len(name),)), name, bytes((_STRING,)), _short.pack(len(value)), value))


def _total(held: bytearray, at: int) -> int:
    """Length of the frame that begins there, by a prelude whose checksum is right."""
    total, lines = _lengths.unpack_from(held, at)
    if _number.unpack_from(held, at + 8)[0] != crc32(memoryview(held)[at : at + 8]):
        raise UpstreamLied("the target's stream is no event stream: a frame's beginning has the wrong checksum")
    if not _LEAST + lines <= total <= MOST_BYTES:
        raise UpstreamLied("the target's stream has a frame of an impossible length")
    return int(total)


def frame_of(data: bytes) -> Frame:
    """A whole frame that was cut out. Raises UpstreamLied where its checksum is wrong, or its headers are broken."""
    if _number.unpack_from(data, len(data) - 4)[0] != crc32(memoryview(data)[:-4]):
        raise UpstreamLied("the target's stream has a frame with the wrong checksum")
    end = _PRELUDE + _lengths.unpack_from(data)[1]
    try:
        return Frame(_headers(data, end), data[end:-4])
    except (IndexError, KeyError, struct.error, UnicodeDecodeError):
        raise UpstreamLied("the target's stream has a frame whose headers are broken") from None


def _headers(data: bytes, end: int) -> dict[str, str]:
    found: dict[str, str] = {}
    at = _PRELUDE
    while at < end:
        start = at + 1
        at = start + data[at]
        name, kind = data[start:at], data[at]
        at += 1
        if kind in (6, _STRING):
            size = _short.unpack_from(data, at)[0]
            at += 2
        else:
            size = _SIZES[kind]
        if at + size > end:
            raise IndexError
        if kind == _STRING:
            found[name.decode()] = data[at : at + size].decode()
        at += size
    return found
