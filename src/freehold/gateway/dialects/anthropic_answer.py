"""A whole message, both ways."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Raw

from freehold.core.errors import UpstreamLied
from freehold.gateway.dialects import anthropic_wire as wire
from freehold.gateway.dialects.anthropic_blocks import input_of
from freehold.gateway.dialects.anthropic_parts import NAME, blocks_of
from freehold.gateway.json_fields import alien, build, encoded, foreign, named, of_target, own, under
from freehold.gateway.json_read import from_target
from freehold.gateway.messages import (
    Answer,
    Choice,
    Extra,
    Opaque,
    Part,
    Redacted,
    Refusal,
    Text,
    Thinking,
    ToolCall,
)

STOPS = {
    "end_turn": "end",
    "max_tokens": "length",
    "stop_sequence": "stop_sequence",
    "tool_use": "tool_calls",
    "pause_turn": "pause",
    "refusal": "refusal",
    "model_context_window_exceeded": "length",
}

REASONS = {
    "end": "end_turn",
    "length": "max_tokens",
    "stop_sequence": "stop_sequence",
    "tool_calls": "tool_use",
    "pause": "pause_turn",
    "refusal": "refusal",
    "content_filter": "refusal",
}

_counts = msgspec.json.Decoder(wire.Counts)
_members = msgspec.json.Decoder(dict[str, Raw])
_KNOWN_COUNTS = frozenset(wire.Counts.__struct_fields__)
_NESTED = ("usage.",)


def answer_of(body: bytes) -> Answer:
    """Raises UpstreamLied."""
    top = of_target(body)
    if top.text("type") == "error" or top.raw("error") is not None:
        raise UpstreamLied("the target answered 200 with an error inside")
    if top.text("role", "assistant") != "assistant":
        top.wrong("expected assistant", "role")
    content = top.raw("content")
    if content is None:
        top.wrong("is required", "content")
    top.put_back("content", content)
    parts = blocks_of(top)
    stop, extra = stop_of(top.text("stop_reason"))
    sequence = top.text("stop_sequence")
    usage = top.raw("usage")
    identity, model = top.text("id"), top.text("model")
    more = usage_extra(usage)
    return Answer(
        id=identity,
        model=model,
        choices=(Choice(parts=tuple(parts), stop=stop, stop_sequence=sequence, extra=extra),),
        usage=None if usage is None else wire.usage_of(from_target(_counts, bytes(usage))),
        extra=(*more, *top.rest(NAME)),
    )


def body_of(answer: Answer) -> tuple[bytes, tuple[str, ...]]:
    """The body for a caller, and what was dropped. Raises UpstreamLied where a call's arguments are no object."""
    dropped = foreign(answer.extra, NAME)
    if len(answer.choices) != 1:
        dropped.append("choices")
    choice = answer.choices[0] if answer.choices else Choice()
    dropped += [name.removeprefix("message.") for name in foreign(choice.extra, NAME)]
    if choice.logprobs is not None:
        dropped.append("logprobs")
    counts = wire.counts_of(answer.usage) if answer.usage is not None else {"input_tokens": 0, "output_tokens": 0}
    pairs = {
        "id": answer.id,
        "type": "message",
        "role": "assistant",
        "model": answer.model,
        "content": _content(choice, dropped),
    }
    found = build(pairs, answer.extra, NAME, _NESTED)
    found["stop_reason"] = reason_of(choice.stop, choice.parts, choice.extra)
    found["stop_sequence"] = choice.stop_sequence or None
    found["usage"] = {**counts, **under(answer.extra, NAME, "usage.")}
    return encoded(found), named(dropped)


def stop_of(reason: str) -> tuple[str, Extra]:
    """The neutral word; the vendor's own is kept where it says more."""
    if not reason:
        return "end", ()
    stop = STOPS.get(reason, "end")
    return stop, () if REASONS[stop] == reason else ((NAME, "stop_reason", Raw(msgspec.json.encode(reason))),)


def reason_of(stop: str, parts: Sequence[Part], extra: Extra) -> Any:
    """The stop reason. Here a call or a refusal always shows in it; other vendors may just say `stop`."""
    kept = own(extra, NAME, "stop_reason")
    if kept is not None:
        return kept
    if stop == "end":
        if any(isinstance(part, ToolCall) for part in parts):
            return "tool_use"
        if any(isinstance(part, Refusal) for part in parts):
            return "refusal"
    return REASONS[stop]


def usage_extra(usage: Raw | None) -> Extra:
    """The counts that the neutral form does not hold."""
    if usage is None:
        return ()
    found = from_target(_members, bytes(usage)).items()
    return tuple(
        (NAME, f"usage.{name}", value) for name, value in found if name not in _KNOWN_COUNTS and bytes(value) != b"null"
    )


def start_block(part: Part, dropped: list[str]) -> Any:
    """An answer's block as it begins, still empty; None where it has no place here."""
    match part:
        case Text():
            dropped += [f"content.{name}" for name in foreign(part.extra, NAME)]
            return build({"type": "text", "text": ""}, part.extra, NAME)
        case Refusal():
            return {"type": "text", "text": ""}
        case Thinking():
            dropped += [f"thinking.{name}" for name in foreign(part.extra, NAME)]
            return {"type": "thinking", "thinking": "", "signature": ""}
        case Redacted():
            return {"type": "redacted_thinking", "data": part.data}
        case ToolCall():
            dropped += [f"tool_calls.{name}" for name in foreign(part.extra, NAME)]
            dropped += ["tool_calls.signature"] if part.signature else []
            return build({"type": "tool_use", "id": part.id, "name": part.name, "input": {}}, part.extra, NAME)
        case Opaque() if part.dialect == NAME:
            return part.raw
    dropped.append(f"content.{part.kind if isinstance(part, Opaque) else type(part).__name__.lower()}")
    return None


def _content(choice: Choice, dropped: list[str]) -> list[Any]:
    found = []
    for part in choice.parts:
        block = start_block(part, dropped)
        match part:
            case Text():
                block = {**block, "text": part.text}
                if part.citations and alien(part.extra, NAME):
                    dropped.append("citations")
                elif part.citations:
                    block["citations"] = part.citations
            case Refusal():
                block = {"type": "text", "text": part.text}
            case Thinking():
                signature = "" if alien(part.extra, NAME) else part.signature
                if signature != part.signature:
                    dropped.append("thinking.signature")
                block = {"type": "thinking", "thinking": part.text, "signature": signature}
            case ToolCall():
                block = {**block, "input": _input(part, choice.stop, dropped)}
        if block is not None:
            found.append(block)
    return found


def _input(part: ToolCall, stop: str, dropped: list[str]) -> Raw:
    """Arguments cut by the output limit are no object, and cannot stand in this dialect."""
    found = input_of(part.arguments)
    if found is not None:
        return found
    if stop != "length":
        raise UpstreamLied("the target's tool call has arguments that are not a JSON object")
    dropped.append("tool_calls.arguments")
    return Raw(b"{}")
