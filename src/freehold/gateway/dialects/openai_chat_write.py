"""Events as a chat completions stream: same id, created and model on every chunk, the role first, `[DONE]` last."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Raw

from freehold.gateway.dialects import openai_wire as wire
from freehold.gateway.dialects.openai_chat_answer import finish_of, merged, thinking_field, unsayable
from freehold.gateway.dialects.openai_chat_messages import call_of
from freehold.gateway.dialects.openai_chat_parts import NAME
from freehold.gateway.json_fields import build, foreign, under
from freehold.gateway.messages import (
    Aside,
    Counted,
    Ended,
    Event,
    Failed,
    Grown,
    Opaque,
    Opened,
    Refusal,
    Started,
    Stopped,
    Text,
    Thinking,
    ToolCall,
)
from freehold.gateway.sse import event_of
from freehold.gateway.stream_writer import StreamWriter

_encode = msgspec.json.Encoder().encode


class Encoder(StreamWriter):
    """Bytes for events, for a caller who wants usage at the end or not."""

    __slots__ = ("_calls", "_counted", "_created", "_fields", "_head", "_met", "_tail", "_wants_usage")

    def __init__(self, *, wants_usage: bool, created: int) -> None:
        super().__init__()
        self._wants_usage = wants_usage
        self._created = created
        self._tail = b',"usage":null}' if wants_usage else b"}"
        self._head = b""
        self._met: set[int] = set()
        self._fields: dict[tuple[int, int], str] = {}
        """Choice and block to the delta's field; empty where the block has no place here."""
        self._calls: dict[tuple[int, int], int] = {}
        """Choice and block to the index of the call."""
        self._counted: Counted | None = None

    def _bytes(self, event: Event) -> bytes:
        match event:
            case Grown():
                return self._grown(event)
            case Opened():
                return self._role(event.choice) + self._opened(event)
            case Started():
                self._start(event)
            case Stopped():
                reason = finish_of(event.stop, event.stop_sequence, event.extra, self._dropped)
                return self._role(event.choice) + self._chunk(event.choice, {}, reason)
            case Counted():
                self._counted = event
            case Aside():
                return self._aside(event)
            case Ended():
                return self._usage() + b"data: [DONE]\n\n"
            case Failed():
                error = {"message": event.message, "type": event.kind, "param": None, "code": None}
                return event_of(_encode({"error": error}))
        return b""

    def _start(self, event: Started) -> None:
        self._dropped += foreign(event.extra, NAME)
        pairs = {
            "id": event.id,
            "object": "chat.completion.chunk",
            "created": event.created or self._created,
            "model": event.model,
        }
        self._head = _encode(build(pairs, event.extra, NAME))[:-1] + b',"choices":['

    def _role(self, choice: int) -> bytes:
        if choice in self._met:
            return b""
        self._met.add(choice)
        return self._chunk(choice, {"role": "assistant", "content": ""})

    def _opened(self, event: Opened) -> bytes:
        part, key = event.part, (event.choice, event.block)
        match part:
            case ToolCall():
                at = self._calls[key] = sum(choice == event.choice for choice, _ in self._calls)
                return self._chunk(
                    event.choice, {"tool_calls": [{"index": at, **call_of(part, self._dropped, answered=True)}]}
                )
            case Text():
                self._fields[key] = "content"
            case Refusal():
                self._fields[key] = "refusal"
            case Thinking():
                self._fields[key] = thinking_field(part, self._dropped)
            case Opaque() if part.dialect == NAME:
                return self._chunk(event.choice, {"content": [part.raw]})
            case _:
                self._dropped.append(unsayable(part))
        return b""

    def _grown(self, event: Grown) -> bytes:
        if event.signature:
            self._dropped.append("thinking.signature")
        if event.citation is not None:
            self._dropped.append("citations")
        if not event.text:
            return b""
        key = (event.choice, event.block)
        at = self._calls.get(key)
        if at is not None:
            delta: dict[str, Any] = {"tool_calls": [{"index": at, "function": {"arguments": event.text}}]}
        else:
            field = self._fields.get(key)
            if field is None:
                return b""
            delta = {field: event.text}
        return self._chunk(event.choice, delta, logprobs=event.logprobs)

    def _aside(self, event: Aside) -> bytes:
        if event.dialect != NAME:
            self._dropped.append(event.field)
            return b""
        if event.field == "logprobs":
            return self._role(event.choice) + self._chunk(event.choice, {}, logprobs=event.raw)
        value: Any = [event.raw] if event.field == "content" else event.raw
        return self._role(event.choice) + self._chunk(event.choice, {event.field: value})

    def _chunk(self, choice: int, delta: dict[str, Any], reason: Any = None, logprobs: Raw | None = None) -> bytes:
        one = {"index": choice, "delta": delta, "logprobs": logprobs, "finish_reason": reason}
        return event_of(self._head + _encode(one) + b"]" + self._tail)

    def _usage(self) -> bytes:
        if not self._wants_usage or self._counted is None:
            return b""
        usage, extra = self._counted.usage, self._counted.extra
        if usage.cache_write_1h:
            self._dropped.append("usage.cache_creation")
        self._dropped += foreign(extra, NAME)
        counts = merged(wire.counts_of(usage), under(extra, NAME, "usage."))
        return event_of(self._head + b'],"usage":' + _encode(counts) + b"}")
