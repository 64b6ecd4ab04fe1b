"""Events as a messages stream, in the official order: one block at a time, usage with the stop reason.

Blocks that grow side by side (calls of other vendors) are told one after the other: later ones wait.
"""

from __future__ import annotations

from typing import Any

import msgspec

from freehold.gateway.dialects import anthropic_wire as wire
from freehold.gateway.dialects.anthropic_answer import reason_of, start_block
from freehold.gateway.dialects.anthropic_parts import NAME
from freehold.gateway.in_turn import InTurn, OfBlock
from freehold.gateway.json_fields import alien, build, foreign, under
from freehold.gateway.messages import (
    Aside,
    Closed,
    Counted,
    Ended,
    Event,
    Failed,
    Grown,
    Opaque,
    Opened,
    Part,
    Refusal,
    Started,
    Stopped,
    Text,
    Thinking,
    ToolCall,
)
from freehold.gateway.sse import event_of
from freehold.gateway.stream_writer import StreamWriter
from freehold.ledger.meter import Usage

_encode = msgspec.json.Encoder().encode
_NESTED = ("usage.",)
_ERRORS = frozenset(
    {
        "invalid_request_error", "authentication_error", "billing_error", "permission_error", "not_found_error",
        "rate_limit_error", "timeout_error", "api_error", "overloaded_error",
    }
)  # fmt: skip


class Encoder(StreamWriter):
    """Bytes for events. Only the first alternative has a place in this dialect."""

    __slots__ = ("_counted", "_index", "_marks", "_parts", "_started", "_stopped", "_turn")

    def __init__(self) -> None:
        super().__init__()
        self._turn = InTurn()
        self._index = -1
        self._parts: dict[int, Part] = {}
        self._marks: list[Part] = []
        """A part of each kind that shows in the stop reason."""
        self._started = Usage()
        self._counted: Counted | None = None
        self._stopped: Stopped | None = None

    def _bytes(self, event: Event) -> bytes:
        match event:
            case Grown() | Opened() | Closed() if event.choice == 0:
                return b"".join([self._tell(one) for one in self._turn.take(event)])
            case Started():
                return self._start(event)
            case Stopped() if event.choice == 0:
                self._stopped = event
            case Counted():
                self._counted = event
            case Aside():
                if event.dialect != NAME:
                    self._dropped.append(event.field)
                    return b""
                kind = msgspec.json.decode(event.raw, type=_Kind).type
                return _named(kind, bytes(event.raw))
            case Ended():
                return self._end()
            case Failed():
                kind = event.kind if event.kind in _ERRORS else "api_error"
                error = {"type": "error", "error": {"type": kind, "message": event.message}}
                return _named("error", _encode(error))
            case _:
                self._dropped.append("choices")
        return b""

    def _start(self, event: Started) -> bytes:
        self._dropped += foreign(event.extra, NAME)
        self._started = event.usage or Usage()
        message = {
            "id": event.id,
            "type": "message",
            "role": "assistant",
            "model": event.model,
            "content": [],
        }
        found = build(message, event.extra, NAME, _NESTED)
        found["stop_reason"] = found["stop_sequence"] = None
        found["usage"] = {**wire.counts_of(self._started), **under(event.extra, NAME, "usage.")}
        return _named("message_start", _encode({"type": "message_start", "message": found}))

    def _tell(self, event: OfBlock) -> bytes:
        match event:
            case Grown():
                return self._grow(event)
            case Opened():
                return self._open(event)
            case Closed():
                return self._close(event.block)

    def _open(self, event: Opened) -> bytes:
        part = event.part
        if isinstance(part, ToolCall | Refusal):
            self._marks.append(part)
        block = start_block(part, self._dropped)
        if block is None:
            return b""
        self._parts[event.block] = part
        self._index += 1
        value = {"type": "content_block_start", "index": self._index, "content_block": block}
        return _named("content_block_start", _encode(value))

    def _grow(self, event: Grown) -> bytes:
        part = self._parts.get(event.block)
        if event.logprobs is not None:
            self._dropped.append("logprobs")
        if part is None:
            return b""
        deltas: list[dict[str, Any]] = []
        if event.text:
            match part:
                case ToolCall() | Opaque():
                    deltas.append({"type": "input_json_delta", "partial_json": event.text})
                case Thinking():
                    deltas.append({"type": "thinking_delta", "thinking": event.text})
                case _:
                    deltas.append({"type": "text_delta", "text": event.text})
        strange = isinstance(part, Text | Thinking) and alien(part.extra, NAME)
        if event.signature and strange:
            self._dropped.append("thinking.signature")
        elif event.signature:
            deltas.append({"type": "signature_delta", "signature": event.signature})
        if event.citation is not None:
            if isinstance(part, Text) and not strange:
                deltas.append({"type": "citations_delta", "citation": event.citation})
            else:
                self._dropped.append("citations")
        return b"".join(
            [
                _named(
                    "content_block_delta",
                    _encode({"type": "content_block_delta", "index": self._index, "delta": delta}),
                )
                for delta in deltas
            ]
        )

    def _close(self, block: int) -> bytes:
        if self._parts.pop(block, None) is None:
            return b""
        return _named("content_block_stop", _encode({"type": "content_block_stop", "index": self._index}))

    def _end(self) -> bytes:
        stopped = self._stopped or Stopped("end")
        usage, extra = (self._started, ()) if self._counted is None else (self._counted.usage, self._counted.extra)
        self._dropped += [*foreign(extra, NAME), *foreign(stopped.extra, NAME)]
        delta = {
            "stop_reason": reason_of(stopped.stop, self._marks, stopped.extra),
            "stop_sequence": stopped.stop_sequence or None,
            **build({}, tuple(one for one in stopped.extra if one[1] != "stop_reason"), NAME),
        }
        known = usage.cache_write_1h == self._started.cache_write_1h  # else the start could not tell it
        counts = {name: one for name, one in wire.counts_of(usage).items() if name != "cache_creation" or not known}
        value = {"type": "message_delta", "delta": delta, "usage": {**counts, **under(extra, NAME, "usage.")}}
        return _named("message_delta", _encode(value)) + _named("message_stop", b'{"type":"message_stop"}')


class _Kind(msgspec.Struct):
    type: str


def _named(kind: str, data: bytes) -> bytes:
    return event_of(data, kind)
