"""Events as a stream of Gemini's answers: texts as they come, calls whole, reasons and usage in the last chunk.

A whole answer is written by the same hand, so both say the same.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec import Raw

from freehold.core.errors import UpstreamLied
from freehold.gateway.assemble import events_of
from freehold.gateway.dialects import gemini_wire as wire
from freehold.gateway.dialects.gemini_blocks import NESTED, call_value, input_of
from freehold.gateway.dialects.gemini_parts import SIGNATURE
from freehold.gateway.dialects.gemini_stream import BLOCKED
from freehold.gateway.dialects.gemini_wire import NAME
from freehold.gateway.in_turn import InTurn, OfBlock
from freehold.gateway.json_fields import OWN, alien, build, encoded, foreign, named, own, under
from freehold.gateway.messages import (
    Answer,
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
    Redacted,
    Refusal,
    Started,
    Stopped,
    Text,
    Thinking,
    ToolCall,
)
from freehold.gateway.sse import event_of

FINISH = {
    "end": "STOP",
    "length": "MAX_TOKENS",
    "stop_sequence": "STOP",
    "tool_calls": "STOP",
    "content_filter": "SAFETY",
    "refusal": "SAFETY",
    "pause": "OTHER",
}
_encode = msgspec.json.Encoder().encode


class _Choice:
    """One alternative under way."""

    __slots__ = ("broken", "part", "signature", "stopped", "text", "turn")

    def __init__(self) -> None:
        self.turn = InTurn()
        self.part: Part | None = None
        self.text: list[str] = []
        self.signature = ""
        self.stopped: Stopped | None = None
        self.broken = False
        """Did a call's arguments not make an object? An answer cut by its limit may end in such a call."""


class Told:
    """What events say, as parts of the wire: `parts` are (alternative, part)."""

    def __init__(self) -> None:
        self.parts: list[tuple[int, dict[str, Any] | Raw]] = []
        self.head: dict[str, Any] = {}
        self.started: Started | None = None
        self.counted: Counted | None = None
        self.ended = False
        self.dropped: list[str] = []
        self._choices: dict[int, _Choice] = {}

    def take(self, event: Event) -> None:
        """One event. Raises UpstreamLied where a call's arguments are no object."""
        match event:
            case Opened() | Grown() | Closed():
                choice = self._choices.setdefault(event.choice, _Choice())
                for one in choice.turn.take(event):
                    self._tell(one, choice)
            case Started():
                self.started = event
                self.dropped += foreign(event.extra, NAME)
                self.head = build({}, event.extra, NAME, (OWN, "usage."))
            case Stopped():
                self._stop(event, self._choices.setdefault(event.choice, _Choice()))
            case Counted():
                self.counted = event
            case Aside():
                if event.dialect == NAME and event.field == SIGNATURE:
                    self.parts.append((event.choice, {"text": "", SIGNATURE: event.raw}))
                else:
                    self.dropped.append(event.field)
            case Ended():
                self.ended = True

    def chunk(self, contents: list[tuple[int, list[Any]]], *, last: bool) -> dict[str, Any]:
        """An answer that holds these parts; the last one also says why each alternative stopped, and what it used."""
        said = dict(contents)
        candidates = []
        for index in sorted({*said, *(self._choices if last else ())}):
            parts = said.get(index)
            content = {"parts": parts, "role": "model"} if parts else {"role": "model"}
            candidates.append({"content": content, **(self._finish(index) if last else {}), "index": index})
        begun = self.started or Started("", "")
        found: dict[str, Any] = {"candidates": candidates} if candidates else {}
        counted = self.counted
        if last and counted is not None:
            self.dropped += foreign(counted.extra, NAME)
            counts = under((*begun.extra, *counted.extra), NAME, "usage.")
            found["usageMetadata"] = wire.counts_of(counted.usage, counts)
            self.head |= build({}, counted.extra, NAME, (OWN, "usage."))
        found |= {"modelVersion": begun.model} if begun.model else {}
        return {**found, **({"responseId": begun.id} if begun.id else {}), **(self.head if last else {})}

    def _finish(self, index: int) -> dict[str, Any]:
        stopped = self._choices[index].stopped or Stopped("end")
        if stopped.stop_sequence:
            self.dropped.append("stop_sequence")
        self.dropped += [name.removeprefix("message.") for name in foreign(stopped.extra, NAME)]
        reason = own(stopped.extra, NAME, "finishReason") or FINISH[stopped.stop]
        return {"finishReason": reason, **build({}, stopped.extra, NAME, (OWN, "finishReason", "message."))}

    def _stop(self, event: Stopped, choice: _Choice) -> None:
        if own(event.extra, NAME, BLOCKED) is not None:
            del self._choices[event.choice]
            return
        choice.stopped = event
        if choice.broken:
            if event.stop != "length":
                raise UpstreamLied("the target's tool call has arguments that are not a JSON object")
            self.dropped.append("tool_calls.arguments")

    def _tell(self, event: OfBlock, choice: _Choice) -> None:
        match event:
            case Opened():
                self._open(event, choice)
            case Grown():
                self._grow(event, choice)
            case Closed():
                self._close(event.choice, choice)

    def _open(self, event: Opened, choice: _Choice) -> None:
        part = choice.part = event.part
        choice.text, choice.signature = [], ""
        match part:
            case Text():
                self.dropped += [f"content.{name}" for name in foreign(part.extra, NAME)]
                if part.citations:
                    self.dropped.append("citations")
            case Thinking():
                self.dropped += [f"thinking.{name}" for name in foreign(part.extra, NAME)]
            case Opaque() if part.dialect == NAME:
                self.parts.append((event.choice, part.raw))
            case Opaque():
                self.dropped.append(f"content.{part.kind}")
            case Redacted():
                self.dropped.append("thinking")

    def _grow(self, event: Grown, choice: _Choice) -> None:
        part = choice.part
        if event.logprobs is not None:
            self.dropped.append("logprobs")
        if event.citation is not None:
            self.dropped.append("citations")
        if event.signature and isinstance(part, Thinking):
            if alien(part.extra, NAME) or not part.extra:
                self.dropped.append("thinking.signature")
            else:
                choice.signature += event.signature
        if not event.text:
            return
        match part:
            case Text() if not build({}, part.extra, NAME, NESTED):
                self.parts.append((event.choice, {"text": event.text}))
            case Refusal():
                self.dropped.append("refusal")
                self.parts.append((event.choice, {"text": event.text}))
            case Thinking():
                kept = build({}, part.extra, NAME, NESTED)
                self.parts.append((event.choice, {"text": event.text, "thought": True, **kept}))
            case Text() | ToolCall():
                choice.text.append(event.text)

    def _close(self, index: int, choice: _Choice) -> None:
        part, text = choice.part, "".join(choice.text)
        choice.part = None
        match part:
            case Text() if kept := build({}, part.extra, NAME, NESTED):
                self.parts.append((index, {"text": text, **kept}))
            case Thinking() if choice.signature:
                kept = build({}, part.extra, NAME, NESTED)
                self.parts.append((index, {"text": "", "thought": True, SIGNATURE: choice.signature, **kept}))
            case ToolCall():
                value = input_of(text.replace("\r", " ").replace("\n", " "))  # no line of a stream has ends inside
                choice.broken = choice.broken or value is None
                self.parts.append((index, call_value(part, value or Raw(b"{}"), self.dropped)))


class Encoder:
    """Bytes for events."""

    def __init__(self) -> None:
        self._told = Told()
        self.over = False
        """Was the last chunk told?"""

    @property
    def dropped(self) -> tuple[str, ...]:
        """Names of what could not be carried so far."""
        return named(self._told.dropped)

    def feed(self, events: Iterable[Event]) -> bytes:
        """The bytes for these events."""
        return b"".join([event_of(one) for one in self.chunks(events)])

    def chunks(self, events: Iterable[Event]) -> list[bytes]:
        """The answers these events make, each as JSON."""
        told, found = self._told, []
        for event in events:
            if isinstance(event, Failed):
                error = {"code": 500, "message": event.message, "status": event.kind}
                found.append(_encode({"error": error}))
                continue
            told.take(event)
            found += [encoded(told.chunk([(index, [part])], last=False)) for index, part in told.parts]
            told.parts.clear()
            if told.ended:
                told.ended, self.over = False, True
                found.append(encoded(told.chunk([], last=True)))
        return found


def body_of(answer: Answer) -> tuple[bytes, tuple[str, ...]]:
    """The body for a caller, and what was dropped. Raises UpstreamLied where a call's arguments are no object."""
    told = Told()
    for event in events_of(answer):
        told.take(event)
    contents: dict[int, list[Any]] = {}
    for index, part in told.parts:
        _add(contents.setdefault(index, []), part)
    body = encoded(told.chunk(list(contents.items()), last=True))
    return body, named(told.dropped)


def _add(parts: list[Any], part: dict[str, Any] | Raw) -> None:
    """Texts in a row are one part."""
    before = parts[-1] if parts else None
    if isinstance(part, dict) and isinstance(before, dict) and "text" in part and "text" in before:
        rest, last = ({name: one for name, one in each.items() if name != "text"} for each in (part, before))
        signed = {name: one for name, one in rest.items() if name != SIGNATURE}
        thought = rest.get("thought") is True
        if (thought and signed == last) or not (rest or last):
            parts[-1] = {**part, "text": before["text"] + part["text"]}
            return
    parts.append(part)
