"""Usage and end mark off a relayed responses stream: both stand in its last event, which repeats the whole answer."""

from __future__ import annotations

import msgspec

from freehold.gateway.dialects import openai_responses_wire as wire
from freehold.gateway.json_read import BROKEN
from freehold.gateway.last_events import LastEvents
from freehold.ledger.meter import Usage


class _Response(msgspec.Struct):
    usage: wire.Counts | None = None


class _Event(msgspec.Struct):
    type: str = ""
    response: _Response | None = None


_event = msgspec.json.Decoder(_Event)


class Meter:
    """Usage and end mark off the last event."""

    __slots__ = ("_last", "feed")

    def __init__(self) -> None:
        self._last = LastEvents()
        self.feed = self._last.feed

    def end(self) -> tuple[Usage | None, bool]:
        """Usage as the last event told it, and whether it was one that ends an answer."""
        for payload in self._last.payloads()[-1:]:
            try:
                event = _event.decode(payload)
            except BROKEN:
                break
            counts = None if event.response is None else event.response.usage
            complete = event.type in {"response.completed", "response.incomplete"}
            return None if counts is None else wire.usage_of(counts), complete
        return None, False
