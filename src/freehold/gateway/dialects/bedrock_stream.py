"""A ConverseStream into events, strict about what the protocol allows; the last event tells what was used.

Texts and thoughts begin with their first delta, only calls are announced. Kinds that are not known go through as they
came: the vendor adds some within a version.
"""

from __future__ import annotations

import base64
import binascii

import msgspec
from msgspec import Raw

from freehold.core.errors import UpstreamLied
from freehold.gateway.dialects import bedrock_wire as wire
from freehold.gateway.dialects.bedrock_answer import METRICS, STARTED
from freehold.gateway.dialects.bedrock_parts import NAME, marked, union_of
from freehold.gateway.event_stream import Frame, Frames
from freehold.gateway.json_fields import NULL, Fields, target_fault
from freehold.gateway.json_read import BROKEN, Count, from_target
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
    Part,
    Redacted,
    Started,
    Stopped,
    Text,
    Thinking,
    ToolCall,
)


class _ToolUse(msgspec.Struct):
    input: str = ""


class _Reasoning(msgspec.Struct):
    text: str | None = None
    signature: str | None = None
    redactedContent: str | None = None  # noqa: N815 - the wire's name


class _Delta(msgspec.Struct):
    text: str | None = None
    toolUse: _ToolUse | None = None  # noqa: N815 - the wire's name
    reasoningContent: _Reasoning | None = None  # noqa: N815 - the wire's name
    citation: Raw = NULL


class _Block(msgspec.Struct):
    contentBlockIndex: Count  # noqa: N815 - the wire's name
    delta: Raw = NULL
    start: Raw = NULL


class _Error(msgspec.Struct):
    message: str = "the target reported an error in its stream"


_block = msgspec.json.Decoder(_Block)
_delta = msgspec.json.Decoder(_Delta)
_error = msgspec.json.Decoder(_Error)


class _Open:
    """One open block."""

    __slots__ = ("hidden", "kind", "silent")

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.silent = True
        self.hidden: list[str] = []
        """What the vendor keeps encrypted, in pieces."""


class Decoder:
    """Feed it a body; it raises UpstreamLied where that is no stream of this dialect."""

    __slots__ = ("_begun", "_frames", "_open", "_over", "_seen", "_stopped")

    def __init__(self) -> None:
        self._frames = Frames()
        self._open: dict[int, _Open] = {}
        self._seen = -1
        self._begun = self._stopped = self._over = False

    def feed(self, data: bytes) -> list[Event]:
        """Events that are now complete. Raises UpstreamLied on what the protocol does not allow."""
        out: list[Event] = []
        for frame in self._frames.feed(data):
            if not self._over:
                self._take(frame, out)
        return out

    def end(self) -> list[Event]:
        """The body is over. Raises UpstreamLied where the stream was cut before its end mark."""
        self._frames.end()
        if not self._over:
            raise UpstreamLied("the target's stream was cut: metadata never came")
        return []

    def _take(self, frame: Frame, out: list[Event]) -> None:
        kind = frame.kind
        wire.checked(frame.payload)
        if frame.failed:
            self._over = True
            out.append(_failure(frame))
        elif kind == "messageStart":
            if self._begun:
                raise UpstreamLied("the target's stream begins twice")
            self._begun = True
            out.append(Started("", ""))
        elif not self._begun:
            raise UpstreamLied(f"the target's stream begins with {kind[:40]}")
        elif kind == "contentBlockDelta":
            self._grow(frame.payload, out)
        elif kind == "contentBlockStart":
            self._begin(frame.payload, out)
        elif kind == "contentBlockStop":
            self._close(from_target(_block, frame.payload).contentBlockIndex, out)
        elif kind == "messageStop":
            self._stop(Fields(frame.payload, kind, target_fault), out)
        elif kind == "metadata":
            self._count(Fields(frame.payload, kind, target_fault), out)
        else:
            out.append(_aside(kind, frame.payload))

    def _enter(self, index: int, kind: str) -> _Open:
        if self._stopped or index <= self._seen:
            raise UpstreamLied(f"the target's stream opens block {index} out of order")
        self._seen = index
        found = self._open[index] = _Open(kind)
        return found

    def _begin(self, payload: bytes, out: list[Event]) -> None:
        block = from_target(_block, payload)
        start = Fields(block.start, "contentBlockStart.start", target_fault)
        kind = union_of(block.start)
        if not kind:  # a start that says nothing: the first delta tells what begins
            return
        part: Part = Opaque(NAME, STARTED + kind, block.start)
        call = start.inner("toolUse")
        if call is not None and call.raw("type") is None:
            part = ToolCall(call.text("toolUseId", None), call.text("name", None), "", extra=call.rest(NAME))
        self._enter(block.contentBlockIndex, "opaque" if isinstance(part, Opaque) else "toolUse")
        out.append(Opened(block.contentBlockIndex, part))

    def _grow(self, payload: bytes, out: list[Event]) -> None:
        seen = from_target(_block, payload)
        index = seen.contentBlockIndex
        delta = from_target(_delta, bytes(seen.delta))
        block = self._open.get(index)
        if block is not None and block.kind == "opaque":
            out.append(_aside("contentBlockDelta", payload))
            return
        kind, part = _kind(delta)
        if not kind:
            out.append(_aside("contentBlockDelta", payload))
            return
        if block is None:
            if kind == "toolUse":
                raise UpstreamLied(f"the target's stream has a call's delta in block {index}, which is not open")
            block = self._enter(index, kind)
            if part is not None:
                out.append(Opened(index, part))
        if self._stopped or block.kind != kind:
            raise UpstreamLied(f"the target's stream has a delta of {kind} in a block of {block.kind}")
        _growth(index, block, delta, out)

    def _close(self, index: int, out: list[Event]) -> None:
        block = self._open.pop(index, None)
        if block is None:  # a block without a delta is an empty text
            self._enter(index, "text")
            del self._open[index]
            out += [Opened(index, Text("", extra=marked())), Closed(index)]
            return
        if block.kind == "hidden":
            out.append(Opened(index, Redacted(_joined(block.hidden))))
        elif block.kind == "toolUse" and block.silent:
            out.append(Grown(index, "{}"))
        out.append(Closed(index))

    def _stop(self, told: Fields, out: list[Event]) -> None:
        if self._stopped or self._open:
            raise UpstreamLied("the target's stream stops twice, or inside a block")
        self._stopped = True
        told.raw("p")
        stop, extra = wire.stop_of(told.text("stopReason", None))
        out.append(Stopped(stop, extra=(*extra, *told.rest(NAME))))

    def _count(self, told: Fields, out: list[Event]) -> None:
        if not self._stopped:
            raise UpstreamLied("the target's stream ended before its answer was whole")
        self._over = True
        told.raw("p")
        usage, metrics = told.raw("usage"), told.raw("metrics")
        if usage is None:
            told.wrong("is required", "usage")
        counts, more = wire.told_usage(usage)
        timed: Extra = () if metrics is None else ((NAME, METRICS, metrics),)
        out += [Counted(counts, (*more, *timed, *told.rest(NAME))), Ended()]


def _kind(delta: _Delta) -> tuple[str, Part | None]:
    """What kind of block a delta belongs to, and the part it begins; empty for one that is not known."""
    if delta.text is not None or delta.citation != NULL:
        return "text", Text("", extra=marked())
    if delta.toolUse is not None:
        return "toolUse", None
    told = delta.reasoningContent
    if told is None:
        return "", None
    if told.redactedContent is not None:
        return "hidden", None
    return ("reasoning", Thinking("")) if told.text is not None or told.signature is not None else ("", None)


def _growth(index: int, block: _Open, delta: _Delta, out: list[Event]) -> None:
    citation = None if delta.citation == NULL else delta.citation
    text, signature = delta.text or "", ""
    if delta.toolUse is not None:
        text = delta.toolUse.input
    elif delta.reasoningContent is not None:
        told = delta.reasoningContent
        text, signature = told.text or "", told.signature or ""
        block.hidden += [told.redactedContent] if told.redactedContent else []
    if text or signature or citation is not None:
        block.silent = False
        out.append(Grown(index, text, signature, citation))


def _joined(pieces: list[str]) -> str:
    """Bytes in base64, of pieces that each are."""
    if len(pieces) == 1:
        return pieces[0]
    try:
        return base64.b64encode(b"".join(base64.b64decode(one, validate=True) for one in pieces)).decode()
    except (binascii.Error, ValueError):
        raise UpstreamLied("the target's stream has encrypted reasoning that is not base64") from None


def _aside(kind: str, payload: bytes) -> Aside:
    """An event of a kind that only this dialect knows, under its name."""
    value = from_target(_members, payload)
    value.pop("p", None)
    return Aside(NAME, f"event.{kind}", Raw(msgspec.json.encode(value)))


def _failure(frame: Frame) -> Failed:
    try:
        said = _error.decode(frame.payload).message
    except BROKEN:
        said = frame.headers.get(":error-message", "") or _Error().message
    return Failed(frame.kind, said, Raw(frame.payload) if frame.payload.startswith(b"{") else None)


_members = msgspec.json.Decoder(dict[str, Raw])
