"""A messages stream into events: a state machine per block, strict about what the protocol allows.

Kinds of events and deltas that are not known go through as they came: the vendor adds some within a version.
"""

from __future__ import annotations

import msgspec
from msgspec import Raw

from freehold.core.errors import UpstreamLied
from freehold.gateway.dialects import anthropic_wire as wire
from freehold.gateway.dialects.anthropic_answer import stop_of, usage_extra
from freehold.gateway.dialects.anthropic_parts import NAME, block_of
from freehold.gateway.json_fields import NULL, Fields, target_fault
from freehold.gateway.json_read import from_target
from freehold.gateway.messages import (
    Aside,
    Closed,
    Counted,
    Ended,
    Event,
    Extra,
    Failed,
    Grown,
    Opaque,
    Opened,
    Redacted,
    Started,
    Stopped,
    Text,
    Thinking,
    ToolCall,
)
from freehold.gateway.sse import StreamReader


class _Delta(msgspec.Struct):
    type: str = ""
    text: str = ""
    partial_json: str = ""
    thinking: str = ""
    signature: str = ""
    citation: Raw = NULL
    stop_reason: str | None = None
    stop_sequence: str | None = None
    stop_details: Raw = NULL
    container: Raw = NULL


class _Event(msgspec.Struct):
    type: str
    index: int = -1
    delta: _Delta | None = None
    content_block: Raw = NULL
    message: Raw = NULL
    usage: Raw = NULL
    error: Raw = NULL


class _Error(msgspec.Struct):
    type: str = "api_error"
    message: str = "the target reported an error in its stream"


_event = msgspec.json.Decoder(_Event)
_counts = msgspec.json.Decoder(wire.Counts)
_error = msgspec.json.Decoder(_Error)

_KINDS = {
    "text_delta": "text",
    "citations_delta": "text",
    "thinking_delta": "thinking",
    "signature_delta": "thinking",
    "input_json_delta": "tool_use",
}


class _Block:
    """One open block."""

    __slots__ = ("input", "kind", "silent")

    def __init__(self, kind: str, given: str) -> None:
        self.kind = kind
        self.input = given
        """Arguments that came with the start."""
        self.silent = True


class Decoder(StreamReader):
    """Feed it a body; it raises UpstreamLied where that is no stream of this dialect."""

    __slots__ = ("_first", "_open", "_seen", "_stopped")
    end_mark = "message_stop"

    def __init__(self) -> None:
        super().__init__()
        self._first: wire.Counts | None = None
        self._open: dict[int, _Block] = {}
        self._seen = -1
        self._stopped = False

    def _take(self, payload: bytes, out: list[Event]) -> None:
        if self._over:
            return
        event = from_target(_event, payload)
        match event.type:
            case "content_block_delta":
                self._delta(event, payload, out)
            case "ping":
                pass
            case "error":
                self._over = True
                out.append(_failure(event.error))
            case "message_start":
                self._start(event, out)
            case _ if self._first is None:
                raise UpstreamLied(f"the target's stream begins with {event.type[:40]}")
            case "content_block_start":
                self._begin(event, out)
            case "content_block_stop":
                self._close(event, out)
            case "message_delta":
                self._message_delta(event, out)
            case "message_stop":
                if not self._stopped or self._open:
                    raise UpstreamLied("the target's stream ended before its answer was whole")
                self._over = True
                out.append(Ended())
            case _:
                out.append(Aside(NAME, "event", Raw(payload)))

    def _start(self, event: _Event, out: list[Event]) -> None:
        if self._first is not None:
            raise UpstreamLied("the target's stream begins twice")
        message = Fields(event.message, "message", target_fault)
        usage = message.raw("usage")
        self._first = wire.Counts() if usage is None else from_target(_counts, bytes(usage))
        for name in ("type", "role", "content", "stop_reason", "stop_sequence"):
            message.raw(name)
        identity, model = message.text("id"), message.text("model")
        extra = (*usage_extra(usage), *message.rest(NAME))
        out.append(Started(identity, model, usage=wire.usage_of(self._first), extra=extra))

    def _begin(self, event: _Event, out: list[Event]) -> None:
        if self._stopped or event.index <= self._seen:
            raise UpstreamLied(f"the target's stream opens block {event.index} out of order")
        self._seen = index = event.index
        raw = event.content_block
        part = block_of(raw, Fields(raw, "content_block", target_fault))
        given, signature = "", ""
        match part:
            case Text():
                given, part = part.text, msgspec.structs.replace(part, text="", citations=())
            case Thinking():
                given, signature, part = part.text, part.signature, Thinking("")
            case ToolCall():
                self._open[index] = _Block("tool_use", part.arguments)
                out.append(Opened(index, msgspec.structs.replace(part, arguments="")))
                return
        kind = "opaque" if isinstance(part, Opaque | Redacted) else "text" if isinstance(part, Text) else "thinking"
        self._open[index] = _Block(kind, "")
        out.append(Opened(index, part))
        if given or signature:
            out.append(Grown(index, given, signature))

    def _delta(self, event: _Event, payload: bytes, out: list[Event]) -> None:
        block, delta = self._open.get(event.index), event.delta
        if block is None or delta is None or self._stopped:
            raise UpstreamLied(f"the target's stream has a delta for block {event.index}, which is not open")
        kind = _KINDS.get(delta.type)
        if kind is None:
            out.append(Aside(NAME, "event", Raw(payload)))
            return
        if block.kind not in {kind, "opaque"}:
            raise UpstreamLied(f"the target's stream has a {delta.type} in a block of type {block.kind}")
        if delta.citation != NULL:
            out.append(Grown(event.index, citation=delta.citation))
            return
        text = delta.text or delta.partial_json or delta.thinking
        if text or delta.signature:
            block.silent = False
            out.append(Grown(event.index, text, delta.signature))

    def _close(self, event: _Event, out: list[Event]) -> None:
        block = self._open.pop(event.index, None)
        if block is None:
            raise UpstreamLied(f"the target's stream closes block {event.index}, which is not open")
        if block.kind == "tool_use" and block.silent:
            out.append(Grown(event.index, block.input))
        out.append(Closed(event.index))

    def _message_delta(self, event: _Event, out: list[Event]) -> None:
        delta = event.delta or _Delta()
        if delta.stop_reason and not self._stopped:
            if self._open:
                raise UpstreamLied("the target's stream stops inside a block")
            self._stopped = True
            stop, extra = stop_of(delta.stop_reason)
            told = (("stop_details", delta.stop_details), ("container", delta.container))
            more: Extra = tuple((NAME, name, value) for name, value in told if value != NULL)
            out.append(Stopped(stop, delta.stop_sequence or "", extra=(*extra, *more)))
        if event.usage != NULL:
            last = from_target(_counts, bytes(event.usage))
            usage = wire.usage_of(self._first or wire.Counts(), last)
            out.append(Counted(usage, usage_extra(event.usage)))


def _failure(raw: Raw) -> Failed:
    try:
        told = _error.decode(raw)
    except msgspec.DecodeError:
        told = _Error()
    return Failed(told.type, told.message, raw)
