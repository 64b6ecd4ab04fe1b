"""Usage and end mark off relayed streams of completions, chat or not: both stand at the stream's end."""

from __future__ import annotations

import msgspec
from msgspec import Raw

from freehold.gateway.dialects import openai_wire as wire
from freehold.gateway.json_read import BROKEN
from freehold.gateway.stream_edges import Edges
from freehold.ledger.meter import Usage


class _Chunk(msgspec.Struct):
    usage: wire.Counts | None = None
    error: Raw = Raw(b"null")


_chunk = msgspec.json.Decoder(_Chunk)


class Meter:
    """Usage and end mark off the edges of a relayed stream."""

    __slots__ = ("_edges", "feed")

    def __init__(self) -> None:
        self._edges = Edges()
        self.feed = self._edges.feed

    def end(self) -> tuple[Usage | None, bool]:
        """The last usage told, and whether `[DONE]` came and no error did."""
        complete, failed = False, False
        for payload in reversed(self._edges.tail()):
            if payload == b"[DONE]":
                complete = True
            elif b'"usage"' in payload or b'"error"' in payload:
                try:
                    chunk = _chunk.decode(payload)
                except BROKEN:
                    return None, False
                failed = failed or bytes(chunk.error) != b"null"
                if chunk.usage is not None:
                    return wire.usage_of(chunk.usage), complete and not failed
        return None, complete and not failed
