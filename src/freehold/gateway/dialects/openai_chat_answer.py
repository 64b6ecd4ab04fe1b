"""A whole chat completion, both ways."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Raw

from freehold.core.errors import UpstreamLied
from freehold.gateway.dialects import openai_wire as wire
from freehold.gateway.dialects.openai_chat_messages import call_of, ordered
from freehold.gateway.dialects.openai_chat_parts import NAME, said_by_assistant
from freehold.gateway.json_fields import NULL, Fields, build, encoded, foreign, named, of_target, own, under
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
    "stop": "end",
    "length": "length",
    "tool_calls": "tool_calls",
    "content_filter": "content_filter",
    "function_call": "tool_calls",
    "eos": "end",
    "eos_token": "end",
    "stop_sequence": "stop_sequence",
    "model_length": "length",
}
"""Reasons of the official API, then those of compatible servers (TGI, Together, Mistral)."""

BROKEN_OFF = frozenset({"error", "abort", "insufficient_system_resource"})
"""Reasons that say the answer is not what was asked for (OpenRouter, vLLM, DeepSeek)."""

FINISH = {
    "end": "stop",
    "length": "length",
    "stop_sequence": "stop",
    "tool_calls": "tool_calls",
    "content_filter": "content_filter",
    "refusal": "content_filter",
    "pause": "length",
}
"""A refusal by the vendor's own classifier is what `content_filter` means; a paused turn is no finished answer."""

_NESTED = ("usage.", "message.")
_counts = msgspec.json.Decoder(wire.Counts)
_members = msgspec.json.Decoder(dict[str, Raw])
_KNOWN_COUNTS: dict[str, frozenset[str]] = {
    "prompt_tokens": frozenset(),
    "completion_tokens": frozenset(),
    "total_tokens": frozenset(),
    "prompt_tokens_details": frozenset(wire.PromptDetails.__struct_fields__),
    "completion_tokens_details": frozenset(wire.CompletionDetails.__struct_fields__),
}
"""The counts that the neutral form holds, and which of their details."""


def answer_of(body: bytes) -> Answer:
    """Raises UpstreamLied."""
    top = of_target(body)
    if top.raw("error") is not None:
        raise UpstreamLied("the target answered 200 with an error inside")
    top.raw("object")
    usage = top.raw("usage")
    choices = top.objects("choices")
    if not choices:
        top.wrong("expected at least one choice", "choices")
    return Answer(
        id=top.text("id"),
        model=top.text("model"),
        created=top.integer("created") or 0,
        choices=tuple(_choice(at, one) for at, (_, one) in enumerate(choices)),
        usage=None if usage is None else wire.usage_of(from_target(_counts, bytes(usage))),
        extra=(*(() if usage is None else usage_extra(usage)), *top.rest(NAME)),
    )


def body_of(answer: Answer, created: int) -> tuple[bytes, tuple[str, ...]]:
    """The body for a caller, and what was dropped."""
    dropped = foreign(answer.extra, NAME)
    usage = None
    if answer.usage is not None:
        usage = merged(wire.counts_of(answer.usage), under(answer.extra, NAME, "usage."))
        if answer.usage.cache_write_1h:
            dropped.append("usage.cache_creation")
    pairs = {
        "id": answer.id,
        "object": "chat.completion",
        "created": answer.created or created,
        "model": answer.model,
        "choices": [_choice_fields(one, dropped) for one in answer.choices],
        "usage": usage,
    }
    return encoded(build(pairs, answer.extra, NAME, _NESTED)), named(dropped)


def stop_of(reason: str | None) -> tuple[str, Extra]:
    """The neutral word; the server's own is kept where it says more. Raises UpstreamLied for a broken answer."""
    if reason is None:
        return "end", ()
    if reason in BROKEN_OFF:
        raise UpstreamLied(f"the target broke the answer off: finish_reason {reason}")
    stop = STOPS.get(reason, "end")
    return stop, () if FINISH[stop] == reason else ((NAME, "finish_reason", Raw(msgspec.json.encode(reason))),)


def finish_of(stop: str, sequence: str, extra: Extra, dropped: list[str]) -> Any:
    """The finish reason; the value of a stop sequence has no place here."""
    if sequence:
        dropped.append("stop_sequence")
    if stop == "pause":
        dropped.append("stop_reason")
    dropped += foreign(extra, NAME)
    return own(extra, NAME, "finish_reason") or FINISH[stop]


def merged(known: dict[str, Any], more: dict[str, Raw]) -> dict[str, Any]:
    """Usage with the counts only this dialect knows put back, details member by member."""
    found = dict(known)
    for name, value in more.items():
        inner = found.get(name)
        if isinstance(inner, dict):
            found[name] = {**inner, **_members.decode(value)}
        else:
            found[name] = value
    return found


def _choice(at: int, one: Fields) -> Choice:
    message = one.inner("message")
    if message is None:
        one.wrong("is required", "message")
    index = one.integer("index")
    role = message.text("role", "assistant")
    if role != "assistant":
        message.wrong("expected assistant", "role")
    parts = said_by_assistant(message)
    stop, extra = stop_of(one.text("finish_reason") or None)
    logprobs = one.raw("logprobs")
    return Choice(
        index=at if index is None else index,
        parts=tuple(parts),
        stop=stop,
        logprobs=logprobs,
        extra=(*extra, *message.rest(NAME, "message."), *one.rest(NAME)),
    )


def _choice_fields(choice: Choice, dropped: list[str]) -> dict[str, Any]:
    message = {**_message(choice.parts, dropped), **under(choice.extra, NAME, "message.")}
    found = {
        "index": choice.index,
        "message": message,
        "logprobs": choice.logprobs,
        "finish_reason": finish_of(choice.stop, choice.stop_sequence, choice.extra, dropped),
    }
    more = tuple(one for one in choice.extra if one[1] != "finish_reason")
    return {**found, **build({}, more, NAME, _NESTED)}


def _message(parts: Sequence[Part], dropped: list[str]) -> dict[str, Any]:
    """An answer cannot be refused any more: what has no place is named. Texts are joined, as a reader sees them."""
    said: list[Any] = []
    refusal = ""
    calls: list[Any] = []
    thoughts: dict[str, str] = {}
    for part in parts:
        match part:
            case Text():
                said.append(text_of(part, dropped))
            case Refusal():
                refusal += part.text
            case ToolCall():
                calls.append(call_of(part, dropped, answered=True))
            case Thinking():
                field = thinking_field(part, dropped)
                thoughts[field] = thoughts.get(field, "") + part.text
            case Opaque() if part.dialect == NAME and part.kind == "tool_call":
                calls.append(part.raw)
            case Opaque() if part.dialect == NAME:
                said.append(part.raw)
            case _:
                dropped.append(unsayable(part))
    if not ordered(parts):
        dropped.append("content.order")
    found: dict[str, Any] = {"role": "assistant", "content": _content(said), "refusal": refusal or None, **thoughts}
    if calls:
        found["tool_calls"] = calls
    return found


def text_of(part: Text, dropped: list[str]) -> str:
    """An answer's text, without what this dialect cannot attach to it."""
    if part.citations:
        dropped.append("citations")
    dropped += [f"content.{name}" for name in foreign(part.extra, NAME)]
    return part.text


def thinking_field(part: Thinking, dropped: list[str]) -> str:
    """Where reasoning text goes: the field it came in, else the one most compatible clients read."""
    dropped += [f"thinking.{name}" for name in foreign(part.extra, NAME)]
    if part.signature:
        dropped.append("thinking.signature")
    return part.field or "reasoning_content"


def unsayable(part: Part) -> str:
    """The name of a part that this dialect's answers cannot hold."""
    if isinstance(part, Redacted):
        return "thinking"
    return f"content.{part.kind if isinstance(part, Opaque) else type(part).__name__.lower()}"


def _content(said: list[Any]) -> Any:
    if not said:
        return None
    if all(isinstance(one, str) for one in said):
        return "".join(said)
    return [{"type": "text", "text": one} if isinstance(one, str) else one for one in said]


def usage_extra(usage: Raw) -> Extra:
    """The counts that the neutral form does not hold."""
    found: list[tuple[str, str, Raw]] = []
    for name, value in from_target(_members, bytes(usage)).items():
        known = _KNOWN_COUNTS.get(name)
        if known is None or (known and bytes(value).startswith(b"{") and not known.issuperset(_members.decode(value))):
            found.append((NAME, f"usage.{name}", value))
    return tuple(one for one in found if one[2] != NULL)
