"""The way back from `tool_prompts`: `{"tool_calls": [...]}` or `{"answer": ...}` as calls or text, streaming or not.

An answer that ran into its limit keeps the calls that are whole. One that is complete and fits neither form is a lie
of the engine, for the schema allowed nothing else.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence

import msgspec
from msgspec import Raw

from freehold.core.errors import UpstreamLied
from freehold.gateway.json_read import BROKEN
from freehold.gateway.messages import (
    Answer,
    Choice,
    Closed,
    Event,
    Grown,
    Opened,
    Part,
    Started,
    Stopped,
    Text,
    ToolCall,
)

_OPENING = re.compile(r'\s*\{\s*"answer"\s*:\s*"')
_CALLS = re.compile(r'\s*\{\s*"tool_calls"\s*:\s*\[')
_HIGH = re.compile(r"\\u[dD][89abAB]")
"""Half of a pair of escapes (RFC 8259, section 7): the other half must follow."""


class _Call(msgspec.Struct, frozen=True):
    name: str
    arguments: Raw


class _Reply(msgspec.Struct, frozen=True):
    tool_calls: tuple[_Call, ...] = ()
    answer: Raw = Raw(b"")


class ToolAnswers:
    """Restores one answer, whole or as a stream.

    `plain` is True where `answer` holds text, False for JSON; `stops` where a stop text of the caller's may cut it.
    """

    def __init__(self, *, plain: bool, stops: bool = False) -> None:
        self._plain = plain
        self._stops = stops
        self._id = ""
        self._choices: dict[int, _Growing] = {}

    def answer(self, answer: Answer) -> Answer:
        """Raises UpstreamLied where a complete answer has neither form."""
        self._id = answer.id
        choices = tuple(self._choice(one) for one in answer.choices)
        return msgspec.structs.replace(answer, choices=choices)

    def feed(self, events: list[Event]) -> list[Event]:
        """Text of an answer passes as it comes, calls when they are whole. Raises as `answer` does."""
        found: list[Event] = []
        for event in events:
            if isinstance(event, Started):
                self._id = event.id
            if isinstance(event, Opened | Grown | Closed | Stopped):
                growing = self._choices.setdefault(event.choice, _Growing(self._plain, event.choice))
                found += growing.feed(event, self)
            else:
                found.append(event)
        return found

    def _choice(self, choice: Choice) -> Choice:
        text = "".join(one.text for one in choice.parts if isinstance(one, Text))
        others = tuple(one for one in choice.parts if not isinstance(one, Text))
        parts = self.parts(text, choice.index, choice.stop)
        return msgspec.structs.replace(choice, parts=(*others, *parts), stop=stop_of(choice.stop, parts))

    def parts(self, text: str, choice: int, stop: str) -> tuple[Text | ToolCall, ...]:
        """The parts a text stands for. Raises UpstreamLied where it is complete and stands for nothing."""
        try:
            reply = msgspec.json.decode(text, type=_Reply)
        except BROKEN:
            if stop == "end" and not self._stops:
                raise UpstreamLied("the engine's answer is not the JSON it was held to") from None
            return self._calls(_whole_calls(text), choice) or _cut_text(text)
        if reply.tool_calls:
            return self._calls(reply.tool_calls, choice)
        if not bytes(reply.answer):
            raise UpstreamLied("the engine's answer neither calls a tool nor answers")
        value = msgspec.json.decode(reply.answer)
        if self._plain and isinstance(value, str):
            return (Text(value),)
        return (Text(_compact(reply.answer)),)

    def _calls(self, calls: tuple[_Call, ...], choice: int) -> tuple[ToolCall, ...]:
        """Each call once, though a small model may say it twice; ids follow from the answer's own id."""
        once = dict.fromkeys((one.name, _compact(one.arguments)) for one in calls)
        made = []
        for number, (name, arguments) in enumerate(once):
            digest = hashlib.sha256(f"{self._id}/{choice}/{number}".encode()).hexdigest()
            made.append(ToolCall(f"call_{digest[:24]}", name, arguments))
        return tuple(made)


class _Growing:
    """One choice of a stream: its text so far, and how much of it has been passed on."""

    def __init__(self, plain: bool, choice: int) -> None:
        self._choice = choice
        self._plain = plain
        self._text = ""
        self._passed: _Passed | None = None
        self._texts: set[int] = set()
        self._moved: dict[int, int] = {}
        self._next = 0

    def feed(self, event: Opened | Grown | Closed | Stopped, answers: ToolAnswers) -> list[Event]:
        if isinstance(event, Stopped):
            return self._finish(event, answers)
        if isinstance(event, Opened) and isinstance(event.part, Text):
            self._texts.add(event.block)
            return []
        if event.block not in self._texts:
            return [self._move(event)]
        return self._grow(event.text) if isinstance(event, Grown) else []

    def _move(self, event: Opened | Grown | Closed) -> Event:
        """A block that is none of ours, under a number that is free here."""
        if event.block not in self._moved:
            self._moved[event.block] = self._number()
        return msgspec.structs.replace(event, block=self._moved[event.block])

    def _grow(self, text: str) -> list[Event]:
        self._text += text
        if not self._plain:
            return []
        if self._passed is None:
            opening = _OPENING.match(self._text)
            if opening is None:
                return []
            self._passed = _Passed(self._number(), opening.end())
            return [Opened(self._passed.block, Text(""), self._choice), *self._more()]
        return self._more()

    def _more(self) -> list[Event]:
        if self._passed is None:
            return []
        ready = self._passed.release(self._text)
        return [Grown(self._passed.block, ready, choice=self._choice)] if ready else []

    def _finish(self, event: Stopped, answers: ToolAnswers) -> list[Event]:
        parts = answers.parts(self._text, self._choice, event.stop)
        found: list[Event] = []
        if self._passed is not None:
            found.append(Closed(self._passed.block, self._choice))
        else:
            for one in parts:
                found += self._whole(one)
        return [*found, msgspec.structs.replace(event, stop=stop_of(event.stop, parts))]

    def _whole(self, part: Text | ToolCall) -> list[Event]:
        block = self._number()
        opened = msgspec.structs.replace(part, **({"arguments": ""} if isinstance(part, ToolCall) else {"text": ""}))
        text = part.arguments if isinstance(part, ToolCall) else part.text
        grown = Grown(block, text, choice=self._choice)
        return [Opened(block, opened, self._choice), grown, Closed(block, self._choice)]

    def _number(self) -> int:
        self._next += 1
        return self._next - 1


class _Passed:
    """How far into the text the answer's string has been released."""

    def __init__(self, block: int, start: int) -> None:
        self.block = block
        self._at = start
        self._done = False

    def release(self, text: str) -> str:
        """What of the string can be read now; escapes that are not whole wait."""
        if self._done:
            return ""
        end = self._at
        while end < len(text) and text[end] != '"':
            step = _step(text, end)
            if end + step > len(text):
                break
            end += step
        else:
            self._done = end < len(text)
        raw = text[self._at : end]
        self._at += len(raw)
        return _unescape(raw)


def _step(text: str, at: int) -> int:
    """How many characters of JSON text stand for the character at `at`; more than there are, where it is not whole."""
    if text[at] != "\\":
        return 1
    if text[at + 1 : at + 2] != "u":
        return 2
    return 12 if _HIGH.match(text, at) else 6


def stop_of(stop: str, parts: Sequence[Part]) -> str:
    """Why the answer stopped, now that its calls are known."""
    return "tool_calls" if stop == "end" and any(isinstance(one, ToolCall) for one in parts) else stop


def _whole_calls(text: str) -> tuple[_Call, ...]:
    """The calls that are complete in a text that was cut."""
    opening = _CALLS.match(text)
    if opening is None:
        return ()
    for end in reversed([found.end() for found in re.finditer(r"\}", text)]):
        try:
            return msgspec.json.decode(f"[{text[opening.end() : end]}]", type=tuple[_Call, ...])
        except BROKEN:
            continue
    return ()


def _cut_text(text: str) -> tuple[Text, ...]:
    opening = _OPENING.match(text)
    return () if opening is None else (Text(_Passed(0, opening.end()).release(text)),)


def _unescape(raw: str) -> str:
    try:
        return str(msgspec.json.decode(f'"{raw}"'))
    except BROKEN:
        raise UpstreamLied("the engine's answer holds a broken escape") from None


def _compact(raw: Raw) -> str:
    return msgspec.json.format(raw, indent=-1).decode()
