"""A chat completions stream into events: a state machine per choice, strict about what the protocol allows.

A tool call stays open until its choice stops, for its fragments may be mixed with those of other calls.
"""

from __future__ import annotations

import msgspec
from msgspec import Raw

from freehold.core.errors import UpstreamLied
from freehold.gateway.dialects import openai_wire as wire
from freehold.gateway.dialects.openai_chat_answer import stop_of, usage_extra
from freehold.gateway.dialects.openai_chat_parts import NAME
from freehold.gateway.json_fields import NULL
from freehold.gateway.json_read import from_target
from freehold.gateway.messages import (
    Aside,
    Closed,
    Counted,
    Ended,
    Event,
    Grown,
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


class _Function(msgspec.Struct):
    name: str | None = None
    arguments: str | None = None


class _Call(msgspec.Struct):
    index: int | None = None
    id: str | None = None
    function: _Function | None = None
    extra_content: Raw = NULL


class _Delta(msgspec.Struct):
    content: str | list[Raw] | None = None
    refusal: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    tool_calls: list[_Call] | None = None
    function_call: Raw = NULL
    audio: Raw = NULL
    annotations: Raw = NULL
    reasoning_details: Raw = NULL


class _Choice(msgspec.Struct):
    index: int = 0
    delta: _Delta | None = None
    finish_reason: str | None = None
    logprobs: Raw = NULL


class _Chunk(msgspec.Struct):
    id: str | None = None
    model: str | None = None
    created: int | None = None
    object: str | None = None
    choices: list[_Choice] | None = None
    usage: Raw = NULL
    error: Raw = NULL
    message: Raw = NULL
    system_fingerprint: Raw = NULL
    service_tier: Raw = NULL


_chunk = msgspec.json.Decoder(_Chunk)
_counts = msgspec.json.Decoder(wire.Counts)
_ASIDES = ("function_call", "audio", "annotations", "reasoning_details")


class _Open:
    """One choice in the making."""

    __slots__ = ("blocks", "calls", "kind", "spoken", "stopped")

    def __init__(self) -> None:
        self.blocks = 0
        self.kind = ""
        self.spoken = -1
        """The open block of text, thinking or refusal, of `kind`."""
        self.calls: dict[int, tuple[int, str]] = {}
        """Index of a call to its block and id."""
        self.stopped = False


class Decoder(StreamReader):
    """Feed it a body; it raises UpstreamLied where that is no stream of this dialect."""

    __slots__ = ("_answer", "_choices")
    end_mark = "its end mark"

    def __init__(self) -> None:
        super().__init__()
        self._choices: dict[int, _Open] = {}
        self._answer: str | None = None

    def _take(self, payload: bytes, out: list[Event]) -> None:
        if self._over:
            return
        if payload.strip() == b"[DONE]":
            self._finish(out)
            return
        chunk = from_target(_chunk, payload)
        if chunk.error != NULL or chunk.object == "error":
            self._over = True
            out.append(wire.failed(payload if chunk.error == NULL else bytes(chunk.error)))
            return
        if self._answer is None and not chunk.id and not chunk.choices and chunk.usage == NULL:
            return  # Azure tells of its filters before the answer begins
        if self._answer is None:
            self._answer = chunk.id or ""
            told = (("system_fingerprint", chunk.system_fingerprint), ("service_tier", chunk.service_tier))
            extra = tuple((NAME, name, value) for name, value in told if value != NULL)
            out.append(Started(self._answer, chunk.model or "", chunk.created or 0, extra=extra))
        for choice in chunk.choices or ():
            self._choice(choice, out)
        if chunk.usage != NULL:
            usage = wire.usage_of(from_target(_counts, bytes(chunk.usage)))
            out.append(Counted(usage, usage_extra(chunk.usage)))

    def _choice(self, choice: _Choice, out: list[Event]) -> None:
        state = self._choices.get(choice.index)
        if state is None:
            state = self._choices[choice.index] = _Open()
        before = len(out)
        if choice.delta is not None:
            self._delta(state, choice.index, choice.delta, out)
        if choice.logprobs != NULL:
            _attach(choice, out, before)
        if state.stopped and len(out) > before:
            raise UpstreamLied("the target's stream goes on after its finish_reason")
        if choice.finish_reason and not state.stopped:
            state.stopped = True
            stop, extra = stop_of(choice.finish_reason)
            still = sorted({*(block for block, _ in state.calls.values()), *([state.spoken] if state.kind else [])})
            out += [Closed(block, choice.index) for block in still]
            out.append(Stopped(stop, choice=choice.index, extra=extra))

    def _delta(self, state: _Open, index: int, delta: _Delta, out: list[Event]) -> None:
        if delta.reasoning_content:
            _speak(state, index, Thinking("", field="reasoning_content"), delta.reasoning_content, out)
        if delta.reasoning:
            _speak(state, index, Thinking("", field="reasoning"), delta.reasoning, out)
        if isinstance(delta.content, str):
            if delta.content:
                _speak(state, index, Text(""), delta.content, out)
        elif delta.content:
            out += [Aside(NAME, "content", one, index) for one in delta.content]
        if delta.refusal:
            _speak(state, index, Refusal(""), delta.refusal, out)
        for call in delta.tool_calls or ():
            self._call(state, index, call, out)
        for name in _ASIDES:
            raw = getattr(delta, name)
            if raw != NULL and bytes(raw) != b"[]":
                out.append(Aside(NAME, name, raw, index))

    def _call(self, state: _Open, index: int, call: _Call, out: list[Event]) -> None:
        """A fragment of a call. A new id at a known index is a new call: some servers give every call index 0."""
        function = call.function or _Function()
        at = call.index
        if at is None:
            at = len(state.calls) if call.id or not state.calls else max(state.calls)
        known = state.calls.get(at)
        if known is None or (call.id and function.name and call.id != known[1]):
            if not function.name:
                raise UpstreamLied("the target's stream continues a tool call that never began")
            if known is not None:
                state.calls[-1 - known[0]] = known
            _hush(state, index, out)
            name = call.id or f"call_{self._answer}_{index}_{state.blocks}"
            known = state.calls[at] = (state.blocks, call.id or "")
            state.blocks += 1
            extra = ((NAME, "extra_content", call.extra_content),) if call.extra_content != NULL else ()
            out.append(Opened(known[0], ToolCall(name, function.name, "", extra=extra), index))
        if function.arguments:
            out.append(Grown(known[0], function.arguments, choice=index))

    def _finish(self, out: list[Event]) -> None:
        if not self._choices or not all(state.stopped for state in self._choices.values()):
            raise UpstreamLied("the target's stream ended before its answer was whole: no finish_reason")
        self._over = True
        out.append(Ended())


def _speak(state: _Open, index: int, part: Part, text: str, out: list[Event]) -> None:
    """More text of a kind; another kind begins a new block."""
    kind = part.field if isinstance(part, Thinking) else type(part).__name__
    if state.kind != kind:
        _hush(state, index, out)
        state.kind, state.spoken = kind, state.blocks
        state.blocks += 1
        out.append(Opened(state.spoken, part, index))
    out.append(Grown(state.spoken, text, choice=index))


def _hush(state: _Open, index: int, out: list[Event]) -> None:
    if state.kind:
        out.append(Closed(state.spoken, index))
        state.kind = ""


def _attach(choice: _Choice, out: list[Event], before: int) -> None:
    """Log probabilities go with the text they came with."""
    for at in range(len(out) - 1, before - 1, -1):
        event = out[at]
        if isinstance(event, Grown):
            out[at] = msgspec.structs.replace(event, logprobs=choice.logprobs)
            return
    out.append(Aside(NAME, "logprobs", choice.logprobs, choice.index))
