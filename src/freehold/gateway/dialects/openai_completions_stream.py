"""A stream of text completions into events and back: one block of text for each choice."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Raw

from freehold.core.errors import UpstreamLied
from freehold.gateway.dialects import openai_wire as wire
from freehold.gateway.dialects.openai_completions_form import NAME, finish_of, stop_of
from freehold.gateway.json_fields import NULL, build, foreign
from freehold.gateway.json_read import from_target
from freehold.gateway.messages import (
    Aside,
    Closed,
    Counted,
    Ended,
    Event,
    Failed,
    Grown,
    Opened,
    Started,
    Stopped,
    Text,
)
from freehold.gateway.sse import StreamReader, event_of
from freehold.gateway.stream_writer import StreamWriter

_encode = msgspec.json.Encoder().encode


class _Choice(msgspec.Struct):
    index: int = 0
    text: str | None = None
    finish_reason: str | None = None
    logprobs: Raw = NULL


class _Chunk(msgspec.Struct):
    id: str | None = None
    model: str | None = None
    created: int | None = None
    choices: list[_Choice] | None = None
    usage: Raw = NULL
    error: Raw = NULL
    system_fingerprint: Raw = NULL


_chunk = msgspec.json.Decoder(_Chunk)
_counts = msgspec.json.Decoder(wire.Counts)


class Decoder(StreamReader):
    """Feed it a body; it raises UpstreamLied where that is no stream of this dialect."""

    __slots__ = ("_begun", "_choices")
    end_mark = "its end mark"

    def __init__(self) -> None:
        super().__init__()
        self._begun = False
        self._choices: dict[int, bool] = {}
        """Whether each choice has stopped."""

    def _take(self, payload: bytes, out: list[Event]) -> None:
        if self._over:
            return
        if payload.strip() == b"[DONE]":
            if not self._choices or not all(self._choices.values()):
                raise UpstreamLied("the target's stream ended before its answer was whole: no finish_reason")
            self._over = True
            out.append(Ended())
            return
        chunk = from_target(_chunk, payload)
        if chunk.error != NULL:
            self._over = True
            out.append(wire.failed(bytes(chunk.error)))
            return
        if not self._begun:
            self._begun = True
            extra = ((NAME, "system_fingerprint", chunk.system_fingerprint),)
            out.append(
                Started(
                    chunk.id or "",
                    chunk.model or "",
                    chunk.created or 0,
                    extra=extra if chunk.system_fingerprint != NULL else (),
                )
            )
        for choice in chunk.choices or ():
            self._choice(choice, out)
        if chunk.usage != NULL:
            out.append(Counted(wire.usage_of(from_target(_counts, bytes(chunk.usage)))))

    def _choice(self, choice: _Choice, out: list[Event]) -> None:
        at = choice.index
        if self._choices.get(at):
            if choice.text:
                raise UpstreamLied("the target's stream goes on after its finish_reason")
            return
        if at not in self._choices:
            self._choices[at] = False
            out.append(Opened(0, Text(""), at))
        logprobs = None if choice.logprobs == NULL else choice.logprobs
        if choice.text or logprobs is not None:
            out.append(Grown(0, choice.text or "", logprobs=logprobs, choice=at))
        if choice.finish_reason:
            self._choices[at] = True
            stop, extra = stop_of(choice.finish_reason)
            out += [Closed(0, at), Stopped(stop, choice=at, extra=extra)]


class Encoder(StreamWriter):
    """Bytes for events, for a caller who wants usage at the end or not."""

    __slots__ = ("_counted", "_created", "_head", "_wants_usage")

    def __init__(self, *, wants_usage: bool, created: int) -> None:
        super().__init__()
        self._wants_usage = wants_usage
        self._created = created
        self._head = b""
        self._counted: Counted | None = None

    def _bytes(self, event: Event) -> bytes:
        match event:
            case Started():
                self._dropped += foreign(event.extra, NAME)
                pairs = {
                    "id": event.id,
                    "object": "text_completion",
                    "created": event.created or self._created,
                    "model": event.model,
                }
                self._head = _encode(build(pairs, event.extra, NAME))[:-1] + b',"choices":['
            case Grown() if event.text or event.logprobs is not None:
                return self._chunk(event.choice, event.text, None, event.logprobs)
            case Stopped():
                return self._chunk(event.choice, "", finish_of(event.stop, event.extra), None)
            case Counted():
                self._counted = event
            case Aside() if event.field == "logprobs":
                return self._chunk(event.choice, "", None, event.raw)
            case Aside():
                self._dropped.append(event.field)
            case Ended():
                return self._usage() + b"data: [DONE]\n\n"
            case Failed():
                error = {"message": event.message, "type": event.kind, "param": None, "code": None}
                return event_of(_encode({"error": error}))
        return b""

    def _chunk(self, choice: int, text: str, reason: Any, logprobs: Raw | None) -> bytes:
        one = {"text": text, "index": choice, "logprobs": logprobs, "finish_reason": reason}
        tail = b'],"usage":null}' if self._wants_usage else b"]}"
        return event_of(self._head + _encode(one) + tail)

    def _usage(self) -> bytes:
        if not self._wants_usage or self._counted is None:
            return b""
        return event_of(self._head + b'],"usage":' + _encode(wire.counts_of(self._counted.usage)) + b"}")
