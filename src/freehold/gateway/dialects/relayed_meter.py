"""Usage and end mark off relayed streams of pictures, sound and transcripts: both stand in the last event."""

from __future__ import annotations

import re

import msgspec

from freehold.gateway.json_read import BROKEN, Count
from freehold.gateway.sse import MOST_BYTES
from freehold.ledger.meter import Usage

_FRAMING = re.compile(rb"\r\n[0-9A-Fa-f]{1,16}[ \t]*(?:;[^\r\n]*)?\r\n")
"""HTTP chunk framing: no line of an event stream is a bare hex number."""
_EVENT = re.compile(rb"[\r\n]data: ?\{")
_LEAST = 1 << 14


class Spent(msgspec.Struct):
    """`usage` of pictures, speech and transcripts: tokens, or seconds of sound."""

    input_tokens: Count | None = None
    output_tokens: Count | None = None
    prompt_tokens: Count | None = None
    completion_tokens: Count | None = None
    total_tokens: Count | None = None
    seconds: float | None = None


class _Event(msgspec.Struct):
    type: str = ""
    usage: Spent | None = None


_event = msgspec.json.Decoder(_Event)


def usage_of(spent: Spent | None) -> Usage:
    """Tokens and seconds as told; nothing where nothing was told."""
    if spent is None:
        return Usage()
    given = spent.input_tokens if spent.input_tokens is not None else spent.prompt_tokens
    made = spent.output_tokens if spent.output_tokens is not None else spent.completion_tokens
    if given is None:
        given = max((spent.total_tokens or 0) - (made or 0), 0)
    seconds = min(int(spent.seconds) + (spent.seconds % 1 > 0), 1 << 32) if spent.seconds and spent.seconds > 0 else 0
    return Usage(given, made or 0, units=seconds, unit="second" if seconds else "")


class LastEvent:
    """Keeps a stream from its last event on. `ends` are the types of events that end one whole."""

    __slots__ = ("_ends", "_held", "_limit", "_units")

    def __init__(self, ends: frozenset[str], unit: str = "") -> None:
        """`unit` is what each ending event stands for one of."""
        self._ends = ends
        self._units = unit
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
        for found in reversed(list(_EVENT.finditer(text))):
            line = re.split(rb"[\r\n]", text[found.end() - 1 :], maxsplit=1)[0]
            try:
                event = _event.decode(line)
            except BROKEN:
                return None, False
            return usage_of(event.usage), event.type in self._ends
        return None, False


class Passing:
    """Sound as it comes: its framing alone tells its end."""

    __slots__ = ()

    def feed(self, data: bytes) -> None:
        """Nothing is looked at."""

    def end(self) -> tuple[Usage | None, bool]:
        """Nothing is told; what was asked for is charged."""
        return Usage(), True
