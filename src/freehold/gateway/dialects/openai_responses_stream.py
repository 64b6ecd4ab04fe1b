"""A responses stream into events: items by their index, parts by theirs, strict about what the protocol allows.

Streams with and without `[DONE]` are read; what it says after its last event is not.
"""

from __future__ import annotations

import msgspec
from msgspec import Raw

from freehold.core.errors import UpstreamLied
from freehold.gateway.dialects import openai_responses_wire as wire
from freehold.gateway.dialects.openai_responses_answer import logprobs_of, stop_of
from freehold.gateway.dialects.openai_responses_parts import (
    KIND,
    NAME,
    SPOKEN,
    assistant_parts,
    call_of,
    item_of,
    reasoning_parts,
)
from freehold.gateway.json_fields import NULL, Fields, target_fault
from freehold.gateway.json_read import Count, from_target
from freehold.gateway.messages import (
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
    Refusal,
    Started,
    Stopped,
    Text,
    Thinking,
    ToolCall,
)
from freehold.gateway.sse import StreamReader


class _Event(msgspec.Struct):
    type: str = ""
    response: Raw = NULL
    item: Raw = NULL
    part: Raw = NULL
    output_index: Count = 0
    content_index: Count = 0
    summary_index: Count = 0
    delta: Raw = NULL
    text: str | None = None
    refusal: str | None = None
    arguments: str | None = None
    annotation: Raw = NULL
    logprobs: list[Raw] | None = None


class _Error(msgspec.Struct):
    message: str | None = None
    code: str | int | None = None
    type: str | None = None
    error: _Error | None = None


class _Item:
    """One item in the making."""

    __slots__ = ("blocks", "extra", "grown", "kind", "last", "whole")

    def __init__(self, kind: str, extra: Extra) -> None:
        self.kind = kind
        self.extra = extra
        self.blocks: dict[str, int] = {}
        """Parts by their place, to blocks that are open."""
        self.grown: set[int] = set()
        """Blocks that have text."""
        self.last = ""
        """The place of the part that began last."""
        self.whole = False


_event = msgspec.json.Decoder(_Event)
_error = msgspec.json.Decoder(_Error)
_text = msgspec.json.Decoder(str)
_members = msgspec.json.Decoder(dict[str, Raw])

_BEGINNINGS = frozenset({"response.created", "response.in_progress", "response.queued"})
_ENDS = frozenset({"response.completed", "response.incomplete"})
_DELTAS = {
    "response.output_text.delta": "text",
    "response.refusal.delta": "refusal",
    "response.reasoning_text.delta": "spoken",
    "response.reasoning_summary_text.delta": "summary",
}
_DONE = {
    "response.output_text.done": "text",
    "response.refusal.done": "refusal",
    "response.reasoning_text.done": "spoken",
    "response.reasoning_summary_text.done": "summary",
}
_PARTS = {"output_text": "text", "refusal": "refusal", "reasoning_text": "spoken", "summary_text": "summary"}
CALL = "call"


class Decoder(StreamReader):
    """Feed it a body; it raises UpstreamLied where that is no stream of this dialect."""

    __slots__ = ("_blocks", "_calls", "_items", "_started")
    end_mark = "its last event"

    def __init__(self) -> None:
        super().__init__()
        self._started = False
        self._items: dict[int, _Item] = {}
        self._blocks = 0
        self._calls = False

    def _take(self, payload: bytes, out: list[Event]) -> None:
        if self._over or payload.strip() == b"[DONE]":
            return
        event = from_target(_event, payload)
        kind = event.type
        if kind in {"error", "response.failed"} or (not kind and b'"error"' in payload):
            self._over = True
            out.append(_failure(payload, event))
            return
        if not self._started:
            self._start(event, out)
        elif kind in _DELTAS or kind in _DONE:
            self._grow(event, out)
        elif kind in _ENDS:
            self._end(event, out)
        else:
            self._place(event, out)

    def _start(self, event: _Event, out: list[Event]) -> None:
        if event.type not in _BEGINNINGS or event.response == NULL:
            raise UpstreamLied("the target's stream does not begin with response.created")
        self._started = True
        top = _fields(event.response, "response")
        created = int(top.number("created_at") or 0)
        extra = wire.kept(from_target(_members, bytes(event.response)))
        out.append(Started(top.text("id"), top.text("model"), created, extra=extra))

    def _place(self, event: _Event, out: list[Event]) -> None:
        """Where items and parts begin and end."""
        match event.type:
            case "response.output_item.added":
                self._item_added(event, out)
            case "response.output_item.done":
                self._item_done(event, out)
            case "response.content_part.added" | "response.reasoning_summary_part.added":
                self._part_added(event, out)
            case "response.content_part.done":
                self._part_done(event, out)
            case "response.output_text.annotation.added" if event.annotation != NULL:
                _, block = self._open(event, "text", out)
                out.append(Grown(block, citation=event.annotation))
            case "response.function_call_arguments.delta" | "response.function_call_arguments.done":
                item, block = self._open(event, CALL, out)
                self._more(item, block, event, event.arguments, out)

    def _item_added(self, event: _Event, out: list[Event]) -> None:
        at = event.output_index
        if at in self._items:
            raise UpstreamLied("the target's stream begins an item twice")
        one = _fields(event.item, "item")
        kind = one.text("type", None)
        one.raw("status")
        if kind == "function_call":
            part = call_of(one)
            item = self._items[at] = _Item(kind, part.extra)
            self._calls = True
            self._begin(item, CALL, msgspec.structs.replace(part, arguments=""), out)
            if part.arguments:
                item.grown.add(item.blocks[CALL])
                out.append(Grown(item.blocks[CALL], part.arguments))
            return
        extra: Extra = ()
        if kind == "message":
            one.raw("content")
            if one.text("role", "assistant") != "assistant":
                one.wrong("expected assistant", "role")
            (said,) = assistant_parts(one)
            extra = said.extra if isinstance(said, Text) else ()
        elif kind == "reasoning":
            for name in ("summary", "content", "encrypted_content"):
                one.raw(name)
            (thought,) = reasoning_parts(one)
            extra = thought.extra if isinstance(thought, Thinking) else ()
        self._items[at] = _Item(kind, extra)

    def _item(self, event: _Event) -> _Item:
        item = self._items.get(event.output_index)
        if item is None or item.whole:
            raise UpstreamLied(f"the target's stream has {_named(event)} for an item that is not open")
        return item

    def _part_added(self, event: _Event, out: list[Event]) -> None:
        item, part = self._item(event), _fields(event.part, "part")
        kind = _PARTS.get(part.text("type", None))
        if kind is None:
            raise UpstreamLied("the target's stream begins a part of a kind that is not known")
        place = _place_of(event, kind)
        if place in item.blocks:
            raise UpstreamLied("the target's stream begins a part twice")
        block = self._begin(item, place, _empty(kind, item.extra), out)
        text = part.text("refusal" if kind == "refusal" else "text")
        if text:
            item.grown.add(block)
            out.append(Grown(block, text))

    def _part_done(self, event: _Event, out: list[Event]) -> None:
        """Reasoning stays open: what is encrypted of it comes with the end of its item."""
        item = self._item(event)
        if item.kind == "message":
            for kind in ("text", "refusal"):
                block = item.blocks.pop(_place_of(event, kind), None)
                if block is not None:
                    out.append(Closed(block))

    def _begin(self, item: _Item, place: str, part: Part, out: list[Event]) -> int:
        if item.kind == "reasoning" and item.last in item.blocks:
            out.append(Closed(item.blocks.pop(item.last)))
        block = item.blocks[place] = self._blocks
        item.last = place
        self._blocks += 1
        out.append(Opened(block, part))
        return block

    def _open(self, event: _Event, kind: str, out: list[Event]) -> tuple[_Item, int]:
        """The block this event is about; reasoning that was never announced begins with its first words."""
        item = self._item(event)
        place = _place_of(event, kind)
        block = item.blocks.get(place)
        if block is None and item.kind == "reasoning" and kind in {"spoken", "summary"} and place != item.last:
            block = self._begin(item, place, _empty(kind, item.extra), out)
        if block is None:
            raise UpstreamLied(f"the target's stream has {_named(event)} for a part that is not open")
        return item, block

    def _grow(self, event: _Event, out: list[Event]) -> None:
        kind = _DELTAS.get(event.type) or _DONE[event.type]
        item, block = self._open(event, kind, out)
        self._more(item, block, event, event.refusal if kind == "refusal" else event.text, out)

    def _more(self, item: _Item, block: int, event: _Event, whole: str | None, out: list[Event]) -> None:
        """A fragment; or the whole, which counts where no fragment came."""
        if event.type.endswith(".delta"):
            text, logprobs = from_target(_text, bytes(event.delta)), event.logprobs or []
        else:
            text, logprobs = ("" if block in item.grown else whole or ""), []
        if text or logprobs:
            item.grown.add(block)
            told = logprobs_of([Raw(msgspec.json.encode(logprobs))]) if logprobs else None
            out.append(Grown(block, text, logprobs=told))

    def _item_done(self, event: _Event, out: list[Event]) -> None:
        item = self._item(event)
        item.whole = True
        one = _fields(event.item, "item")
        if one.text("type", None) != item.kind:
            raise UpstreamLied("the target's stream ends an item as another kind")
        if item.kind == "message" and not item.last:
            self._begin(item, "empty", Text("", extra=item.extra), out)
        elif item.kind == "reasoning":
            if not item.last:
                self._begin(item, "empty", Thinking("", extra=item.extra), out)
            sealed = one.text("encrypted_content")
            if sealed:
                out.append(Grown(item.blocks[item.last], signature=sealed))
        elif item.kind == "function_call" and item.blocks[CALL] not in item.grown:
            arguments = one.text("arguments")
            out += [Grown(item.blocks[CALL], arguments)] if arguments else []
        elif item.kind not in {"message", "function_call"}:
            opaque: Opaque = item_of(item.kind, event.item)
            self._begin(item, "item", opaque, out)
        out += [Closed(block) for block in item.blocks.values()]
        item.blocks.clear()

    def _end(self, event: _Event, out: list[Event]) -> None:
        if not all(item.whole for item in self._items.values()):
            raise UpstreamLied("the target's stream ended inside an item")
        top = _fields(event.response, "response")
        usage = top.raw("usage")
        if usage is not None:
            out.append(Counted(*wire.told_usage(usage)))
        stop, extra = stop_of(top, [ToolCall("", "", "")] if self._calls else [])
        self._over = True
        out += [Stopped(stop, extra=extra), Ended()]


def _empty(kind: str, extra: Extra) -> Part:
    match kind:
        case "text":
            return Text("", extra=extra)
        case "refusal":
            return Refusal("")
        case "spoken":
            place = sum(name.startswith("own.") for _, name, _ in extra)
            return Thinking("", extra=(*extra[:place], (NAME, KIND, SPOKEN), *extra[place:]))
    return Thinking("", extra=extra)


def _place_of(event: _Event, kind: str) -> str:
    if kind == CALL:
        return CALL
    return f"{kind}{event.summary_index if kind == 'summary' else event.content_index}"


def _fields(raw: Raw, place: str) -> Fields:
    return Fields(raw, place, target_fault)


def _named(event: _Event) -> str:
    """The event's name, if it is one of the protocol's."""
    return event.type if event.type in _DELTAS or event.type in _DONE else "an event"


def _failure(payload: bytes, event: _Event) -> Failed:
    told = "the target reported an error in its stream"
    try:
        found = _error.decode(payload if event.response == NULL else bytes(event.response))
    except msgspec.DecodeError:
        return Failed("error", told, Raw(payload))
    one = found.error or found
    kind = one.code if isinstance(one.code, str) and one.code else one.type
    return Failed(kind if kind and kind != "error" else "server_error", one.message or told, Raw(payload))
