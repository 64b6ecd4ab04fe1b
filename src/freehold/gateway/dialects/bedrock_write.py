"""Events as a ConverseStream, in the vendor's order: one block at a time, why it stopped, then what was used.

Blocks that grow side by side (calls of other vendors) are told one after the other: later ones wait.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Raw

from freehold.gateway import event_stream
from freehold.gateway.dialects import bedrock_wire as wire
from freehold.gateway.dialects.bedrock_answer import STARTED, fields_of, kind_of, usage_and_metrics
from freehold.gateway.dialects.bedrock_blocks import is_base64, plain
from freehold.gateway.dialects.bedrock_parts import NAME, is_mine
from freehold.gateway.in_turn import InTurn, OfBlock
from freehold.gateway.json_fields import OWN, alien, build, foreign
from freehold.gateway.messages import (
    Answer,
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
    Part,
    Redacted,
    Refusal,
    Started,
    Stopped,
    Text,
    Thinking,
    ToolCall,
)
from freehold.gateway.stream_writer import StreamWriter
from freehold.ledger.meter import Usage

_encode = msgspec.json.Encoder().encode
_ERRORS = frozenset(
    {
        "internalServerException",
        "modelStreamErrorException",
        "serviceUnavailableException",
        "throttlingException",
        "validationException",
    }
)
_EVENT = "event."


class Encoder(StreamWriter):
    """Bytes for events. Only the first alternative has a place in this dialect."""

    __slots__ = ("_counted", "_index", "_marks", "_part", "_silent", "_started", "_stopped", "_turn")

    def __init__(self) -> None:
        super().__init__()
        self._turn = InTurn()
        self._index = -1
        self._part: Part | None = None
        """Of the block being told; None for one that has no place here."""
        self._silent = True
        self._marks: list[Part] = []
        """A part of each kind that shows in the stop reason."""
        self._started = Started("", "")
        self._counted: Counted | None = None
        self._stopped: Stopped | None = None

    def _bytes(self, event: Event) -> bytes:
        match event:
            case Grown() | Opened() | Closed() if event.choice == 0:
                return b"".join([self._tell(one) for one in self._turn.take(event)])
            case Started():
                self._started = event
                self._dropped += foreign(event.extra, NAME)
                return _event("messageStart", {"role": "assistant"})
            case Stopped() if event.choice == 0:
                self._stopped = event
            case Counted():
                self._counted = event
            case Aside() if event.choice == 0:
                if event.dialect == NAME and event.field.startswith(_EVENT):
                    return event_stream.event(event.field.removeprefix(_EVENT), bytes(event.raw))
                self._dropped.append(event.field)
            case Ended():
                return self._end()
            case Failed():
                kind = event.kind if event.kind in _ERRORS else "modelStreamErrorException"
                return event_stream.exception(kind, _encode({"message": event.message}))
            case _:
                self._dropped.append("choices")
        return b""

    def _tell(self, event: OfBlock) -> bytes:
        match event:
            case Grown():
                return self._grow(event)
            case Opened():
                return self._open(event.part)
            case Closed():
                return self._close()

    def _open(self, part: Part) -> bytes:
        self._part, self._silent = part, True
        match part:
            case ToolCall():
                self._marks.append(part)
                self._lost("tool_calls", part.extra)
                self._dropped += ["tool_calls.signature"] if part.signature else []
                return self._start({"toolUse": plain({"toolUseId": part.id, "name": part.name}, part.extra)})
            case Text():
                self._lost("content", part.extra)
            case Thinking():
                self._lost("thinking", part.extra)
            case Refusal():
                self._marks.append(part)
            case Redacted() if is_base64(part.data):
                self._index += 1
                return self._delta({"reasoningContent": {"redactedContent": part.data}})
            case Opaque() if part.dialect == NAME and part.kind.startswith(STARTED):
                return self._start(part.raw)
            case _:
                self._part = None
                self._dropped.append(f"content.{kind_of(part)}")
                return b""
        self._index += 1
        return b""

    def _lost(self, where: str, extra: Extra) -> None:
        self._dropped += [f"{where}.{name}" for name in foreign(extra, NAME)]

    def _start(self, start: Any) -> bytes:
        self._index += 1
        return _event("contentBlockStart", {"start": start, "contentBlockIndex": self._index})

    def _delta(self, delta: Any) -> bytes:
        self._silent = False
        return _event("contentBlockDelta", {"delta": delta, "contentBlockIndex": self._index})

    def _grow(self, event: Grown) -> bytes:
        part, out = self._part, b""
        if event.logprobs is not None:
            self._dropped.append("logprobs")
        if part is None:
            return out
        if event.text:
            match part:
                case ToolCall():
                    out = self._delta({"toolUse": {"input": event.text}})
                case Thinking():
                    out = self._delta({"reasoningContent": {"text": event.text}})
                case _:
                    out = self._delta({"text": event.text})
        if event.signature and isinstance(part, Thinking) and not alien(part.extra, NAME):
            out += self._delta({"reasoningContent": {"signature": event.signature}})
        elif event.signature:
            self._dropped.append("thinking.signature")
        if event.citation is not None and isinstance(part, Text) and is_mine(part.extra):
            out += self._delta({"citation": event.citation})
        elif event.citation is not None:
            self._dropped.append("citations")
        return out

    def _close(self) -> bytes:
        part, out = self._part, b""
        if part is None:
            return out
        if self._silent and isinstance(part, Text | Refusal):
            out = self._delta({"text": ""})
        elif self._silent and isinstance(part, Thinking):
            out = self._delta({"reasoningContent": {"text": ""}})
        return out + _event("contentBlockStop", {"contentBlockIndex": self._index})

    def _end(self) -> bytes:
        stopped, counted = self._stopped or Stopped("end"), self._counted
        self._dropped += foreign(stopped.extra, NAME)
        if stopped.stop_sequence:
            self._dropped.append("stop_sequence")
        reason = wire.reason_of(stopped.stop, self._marks, stopped.extra, self._dropped)
        told = {"stopReason": reason, **fields_of(stopped.extra)}
        usage: Usage | None = self._started.usage if counted is None else counted.usage
        extra = self._started.extra
        if counted is not None:
            self._dropped += foreign(counted.extra, NAME)
            extra = (*extra, *counted.extra)
        answer = Answer(id="", model="", usage=usage, extra=extra)
        metadata = {**usage_and_metrics(answer, self._dropped), **_beside(extra)}
        return _event("messageStop", told) + _event("metadata", metadata)


def _beside(extra: Extra) -> dict[str, Raw]:
    """What stands beside usage and metrics."""
    found: dict[str, Raw] = build({}, extra, NAME, ("usage.", "message.", "output.", OWN))
    return found


def _event(kind: str, value: dict[str, Any]) -> bytes:
    return event_stream.event(kind, _encode(value))
