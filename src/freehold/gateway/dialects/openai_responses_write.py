"""Events as a responses stream: items one after the other, each told from its beginning to its end.

The last event repeats the whole, so a whole response is what its stream ends with.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec import Raw

from freehold.gateway.dialects import openai_responses_wire as wire
from freehold.gateway.dialects.openai_responses_items import ASIDE, lost_of
from freehold.gateway.dialects.openai_responses_parts import (
    ITEM,
    KIND,
    NAME,
    SPOKEN,
    id_of,
    is_mine,
)
from freehold.gateway.in_turn import InTurn, OfBlock
from freehold.gateway.json_fields import NULL, build, foreign, named, own, under
from freehold.gateway.json_read import from_target
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
from freehold.gateway.sse import event_of
from freehold.gateway.stream_writer import StreamWriter

_encode = msgspec.json.Encoder().encode
_members = msgspec.json.Decoder(dict[str, Raw])
_items = msgspec.json.Decoder(list[Raw])

REASONS = {"length": "max_output_tokens", "pause": "max_output_tokens"}
REASONS |= {"content_filter": "content_filter", "refusal": "content_filter"}
"""Why a response is not complete; every other end is one."""

_PREFIXES = {"message": "msg", "reasoning": "rs", "function_call": "fc"}


class _Item:
    """The item being told."""

    __slots__ = ("content", "id", "index", "kind", "open", "own", "place", "sealed", "summary")

    def __init__(self, kind: str, index: int, name: str, place: str, extra: Extra) -> None:
        self.kind = kind
        self.index = index
        self.id = name
        self.place = place
        """The id its parts came with, if any."""
        self.own: dict[str, Any] = dict(under(extra, NAME, ITEM))
        self.content: list[Any] = []
        self.summary: list[Any] = []
        self.sealed = ""
        self.open: ToolCall | None = None

    def value(self, status: str, arguments: str = "") -> dict[str, Any]:
        """The item as it stands."""
        found: dict[str, Any] = {"id": self.id, "type": self.kind, "status": status, **self.own}
        if self.open is not None:
            found |= {"call_id": self.open.id, "name": self.open.name, "arguments": arguments}
        elif self.kind == "message":
            found |= {"role": "assistant", "content": self.content}
        else:
            found["summary"] = self.summary
            found |= {"content": self.content} if self.content else {}
            found |= {"encrypted_content": self.sealed} if self.sealed else {}
        return found


class Encoder(StreamWriter):
    """Bytes for events."""

    def __init__(self, *, created: int) -> None:
        super().__init__()
        self._created = created
        self._head: dict[str, Any] = {}
        self._name = ""
        self._number = 0
        self._output: list[Any] = []
        self._item: _Item | None = None
        self._turn = InTurn()
        self._part: Part | None = None
        self._begun = False
        """Was the part of the block in front announced?"""
        self._text: list[str] = []
        self._logprobs: list[Raw] = []
        self._citations: list[Raw] = []
        self._counted: Counted | None = None
        self._stopped: Stopped | None = None
        self.response: dict[str, Any] = {}
        """The whole, once the end was told."""

    def _bytes(self, event: Event) -> bytes:
        match event:
            case Opened() | Grown() | Closed() if event.choice == 0:
                return b"".join([self._tell(one) for one in self._turn.take(event)])
            case Started():
                return self._start(event)
            case Counted():
                self._counted = event
            case Stopped() if event.choice == 0:
                self._stopped = event
            case Aside() if event.choice == 0:
                self._dropped.append(event.field)
            case Ended():
                return self._end()
            case Failed():
                error = {"code": event.kind, "message": event.message, "param": None}
                return self._say("error", **error, error={"type": event.kind, **error})
            case _:
                self._dropped.append("choices")
        return b""

    def _say(self, kind: str, **fields: Any) -> bytes:
        number = self._number
        self._number += 1
        return event_of(_encode({"type": kind, **fields, "sequence_number": number}), kind)

    def _start(self, event: Started) -> bytes:
        self._dropped += foreign(event.extra, NAME)
        self._name = event.id
        first = {"id": event.id, "object": "response", "created_at": event.created or self._created}
        self._head = {**first, "status": "in_progress", "model": event.model, **wire.head_of(event.extra)}
        response = {**self._head, "output": [], "usage": None}
        return self._say("response.created", response=response) + self._say("response.in_progress", response=response)

    def _tell(self, event: OfBlock) -> bytes:
        match event:
            case Grown():
                return self._grow(event)
            case Opened():
                return self._open(event.part)
            case Closed():
                return self._close()

    def _open(self, part: Part) -> bytes:
        self._part, self._begun = part, False
        self._text, self._logprobs, self._citations = [], [], []
        match part:
            case Text():
                self._dropped += lost_of(part.extra, "content")
                return self._enter("message", part.extra) + self._announce()
            case Refusal():
                return self._enter("message", ()) + self._announce()
            case Thinking():
                self._dropped += lost_of(part.extra, "thinking")
                return self._enter("reasoning", part.extra)
            case ToolCall():
                self._dropped += lost_of(part.extra, "tool_calls")
                self._dropped += ["tool_calls.signature"] if part.signature else []
                return self._enter("function_call", part.extra)
            case Opaque() if part.dialect == NAME:
                return self._told_item(part)
        self._dropped.append("thinking" if isinstance(part, Redacted) else f"content.{_kind_of(part)}")
        self._part = None
        return b""

    def _told_item(self, part: Opaque) -> bytes:
        before, index = self._leave(), len(self._output)
        self._output.append(part.raw)
        self._part = None
        added = self._say("response.output_item.added", output_index=index, item=part.raw)
        return before + added + self._say("response.output_item.done", output_index=index, item=part.raw)

    def _enter(self, kind: str, extra: Extra) -> bytes:
        """The item for a part: the one under way, where the part belongs to it, else a new one."""
        place, item = id_of(extra), self._item
        if item is not None and item.kind == kind and kind != "function_call" and not item.sealed:
            spoken = kind == "message" and (item.place == place or not extra)
            if spoken or (place and item.place == place):
                return b""
        before = self._leave()
        index = len(self._output)
        name = place or f"{_PREFIXES[kind]}_{self._name}_{index}"
        item = self._item = _Item(kind, index, name, place, extra)
        item.open = self._part if isinstance(self._part, ToolCall) else None
        added = self._say("response.output_item.added", output_index=index, item=item.value("in_progress"))
        return before + added

    def _leave(self, status: str = "completed") -> bytes:
        """The item under way is whole."""
        item, self._item = self._item, None
        if item is None:
            return b""
        value = item.value(status, "".join(self._text) if item.open is not None else "")
        self._output.append(value)
        return self._say("response.output_item.done", output_index=item.index, item=value)

    def _at(self) -> dict[str, Any]:
        """Where the part in front stands."""
        item = self._item
        assert item is not None
        where: dict[str, Any] = {"item_id": item.id, "output_index": item.index}
        if item.open is not None:
            return where
        if self._sums_up():
            return {**where, "summary_index": len(item.summary)}
        return {**where, "content_index": len(item.content)}

    def _sums_up(self) -> bool:
        part = self._part
        return isinstance(part, Thinking) and own(part.extra, NAME, KIND) != SPOKEN

    def _value(self) -> dict[str, Any]:
        """The part in front as it stands."""
        part, text = self._part, "".join(self._text)
        match part:
            case Refusal():
                return {"type": "refusal", "refusal": text}
            case Thinking():
                return {"type": "summary_text" if self._sums_up() else "reasoning_text", "text": text}
        extra = part.extra if isinstance(part, Text) else ()
        pairs = {"type": "output_text", "text": text, "annotations": self._citations, "logprobs": self._logprobs}
        return build(pairs, extra, NAME, ASIDE)

    def _announce(self) -> bytes:
        self._begun = True
        kind = "response.reasoning_summary_part.added" if self._sums_up() else "response.content_part.added"
        return self._say(kind, **self._at(), part=self._value())

    def _grow(self, event: Grown) -> bytes:
        part = self._part
        if event.logprobs is not None and not isinstance(part, Text):
            self._dropped.append("logprobs")
        out = [self._delta(event)] if part is not None and (event.text or event.logprobs is not None) else []
        if event.signature and isinstance(part, Thinking) and is_mine(part.extra):
            assert self._item is not None
            self._item.sealed += event.signature
        elif event.signature:
            self._dropped.append("thinking.signature")
        if event.citation is not None and isinstance(part, Text) and is_mine(part.extra):
            where = {**self._at(), "annotation_index": len(self._citations)}
            self._citations.append(event.citation)
            out.append(self._say("response.output_text.annotation.added", **where, annotation=event.citation))
        elif event.citation is not None:
            self._dropped.append("citations")
        return b"".join(out)

    def _delta(self, event: Grown) -> bytes:
        before = b"" if self._begun or not isinstance(self._part, Thinking) else self._announce()
        match self._part:
            case ToolCall():
                kind = "response.function_call_arguments"
            case Refusal():
                kind = "response.refusal"
            case Thinking():
                kind = "response.reasoning_summary_text" if self._sums_up() else "response.reasoning_text"
            case Text():
                told = _tokens(event.logprobs)
                self._text.append(event.text)
                self._logprobs += told
                return self._say("response.output_text.delta", **self._at(), delta=event.text, logprobs=told)
            case _:
                return b""
        if not event.text:
            return before
        self._text.append(event.text)
        return before + self._say(f"{kind}.delta", **self._at(), delta=event.text)

    def _close(self) -> bytes:
        part, item, text = self._part, self._item, "".join(self._text)
        if part is None or item is None:
            return b""
        where = self._at()
        if item.open is not None:
            done = self._say("response.function_call_arguments.done", **where, name=item.open.name, arguments=text)
            return done + self._leave()
        if not self._begun:
            return b""
        value = self._value()
        if self._sums_up():
            item.summary.append(value)
            done = self._say("response.reasoning_summary_text.done", **where, text=text)
            return done + self._say("response.reasoning_summary_part.done", **where, part=value)
        item.content.append(value)
        match part:
            case Refusal():
                done = self._say("response.refusal.done", **where, refusal=text)
            case Thinking():
                done = self._say("response.reasoning_text.done", **where, text=text)
            case _:
                done = self._say("response.output_text.done", **where, text=text, logprobs=self._logprobs)
        return done + self._say("response.content_part.done", **where, part=value)

    def _end(self) -> bytes:
        stopped = self._stopped or Stopped("end")
        self._dropped += [one.removeprefix("message.") for one in foreign(stopped.extra, NAME)]
        if stopped.stop_sequence:
            self._dropped.append("stop_sequence")
        if stopped.stop == "pause":
            self._dropped.append("stop_reason")
        reason: Any = own(stopped.extra, NAME, "incomplete_reason") or REASONS.get(stopped.stop)
        status = "completed" if reason is None else "incomplete"
        last = self._leave(status)
        usage = None
        if self._counted is not None:
            counted, extra = self._counted.usage, self._counted.extra
            self._dropped += foreign(extra, NAME)
            self._dropped += ["usage.cache_creation"] if counted.cache_write_1h else []
            usage = wire.counts_of(counted, under(extra, NAME, "usage."))
        details = None if reason is None else {"reason": reason}
        told = {"status": status, "incomplete_details": details, "output": self._output, "usage": usage}
        self.response = {**self._head, **told}
        return last + self._say(f"response.{status}", response=self.response)


def body_of(answer: Answer, events: Iterable[Event], created: int) -> tuple[bytes, tuple[str, ...]]:
    """The body for a caller, and what was dropped. `events` tell the answer."""
    encoder = Encoder(created=created)
    encoder.feed(events)
    lost = list(encoder.dropped) + (["choices"] if len(answer.choices) != 1 else [])
    return _encode(encoder.response), named(lost)


def _tokens(logprobs: Raw | None) -> list[Raw]:
    """The tokens of a text, out of the neutral form's lists."""
    if logprobs is None:
        return []
    found = from_target(_members, bytes(logprobs)).get("content")
    return [] if found is None or found == NULL else from_target(_items, bytes(found))


def _kind_of(part: Part) -> str:
    return part.kind if isinstance(part, Opaque) else type(part).__name__.lower()
