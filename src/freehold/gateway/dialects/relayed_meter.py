"""Usage and end mark off relayed streams of pictures, sound and transcripts: both stand in the last event."""

from __future__ import annotations

import msgspec

from freehold.gateway.json_read import BROKEN, Count
from freehold.gateway.last_events import LastEvents
from freehold.ledger.meter import Usage


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


class Meter:
    """Usage and end mark off the last event. `ends` are the types of events that end one whole."""

    __slots__ = ("_ends", "_last", "feed")

    def __init__(self, ends: frozenset[str]) -> None:
        self._ends = ends
        self._last = LastEvents()
        self.feed = self._last.feed

    def end(self) -> tuple[Usage | None, bool]:
        """Usage as the last event told it, and whether it was one that ends an answer."""
        for payload in self._last.payloads()[-1:]:
            try:
                event = _event.decode(payload)
            except BROKEN:
                break
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
