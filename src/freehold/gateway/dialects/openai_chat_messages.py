"""Neutral turns as chat completions messages. Content that has no place here is refused, never left out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from freehold.core.errors import NotTranslatable
from freehold.gateway.dialects.openai_chat_parts import NAME, SIGNED
from freehold.gateway.json_fields import OWN, alien, build, foreign, lone_text, own, under
from freehold.gateway.messages import (
    Cache,
    Image,
    Opaque,
    Part,
    Redacted,
    Refusal,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    Turn,
)

TTLS = frozenset({"", "30m", "12h"})
"""Lifetimes that a cache breakpoint of this dialect may name."""

_NESTED = ("function.", OWN)


def messages_of(turns: Sequence[Turn], dropped: list[str]) -> list[dict[str, Any]]:
    """The messages; names of what was dropped are added to `dropped`."""
    return [one for turn in turns for one in _messages(turn, dropped)]


def assistant_fields(parts: Sequence[Part], dropped: list[str]) -> dict[str, Any]:
    """Content, refusal, thinking and calls as members of a message; `content` is None where there is none."""
    said: list[Part] = []
    calls: list[Any] = []
    found: dict[str, Any] = {}
    for part in parts:
        if isinstance(part, ToolCall):
            calls.append(call_of(part, dropped))
        elif isinstance(part, Opaque) and part.kind == "tool_call" and part.dialect == NAME:
            calls.append(part.raw)
        elif isinstance(part, Thinking) and part.field:
            found[part.field] = found.get(part.field, "") + part.text
        elif isinstance(part, Thinking | Redacted):
            dropped.append("thinking")
        elif isinstance(part, Text) and not part.text and alien(part.extra, NAME):
            dropped += [f"content.{name}" for name in foreign(part.extra, NAME)]  # it only carried those
        else:
            said.append(part)
    if not ordered(parts):
        dropped.append("content.order")
    last = said[-1] if said else None
    if isinstance(last, Refusal) and sum(isinstance(one, Refusal) for one in said) == 1:
        found["refusal"] = last.text
        said.pop()
    found["content"] = _content(said, dropped) if said else None
    if calls:
        found["tool_calls"] = calls
    return found


def call_of(part: ToolCall, dropped: list[str], *, answered: bool = False) -> dict[str, Any]:
    """A call the model made. In an answer it carries the signature of its thinking, for the caller to send back."""
    dropped += [f"tool_calls.{name}" for name in foreign(part.extra, NAME)]
    if part.cache is not None:
        dropped.append("cache_control")
    function = {"name": part.name, "arguments": part.arguments, **under(part.extra, NAME, "function.")}
    pairs: dict[str, Any] = {"id": part.id, "type": "function", "function": function}
    if part.signature and (answered or own(part.extra, NAME, SIGNED) is not None):
        pairs["extra_content"] = {"google": {"thought_signature": part.signature}}
    elif part.signature:
        dropped.append("tool_calls.signature")
    return build(pairs, part.extra, NAME, _NESTED)


def _messages(turn: Turn, dropped: list[str]) -> list[dict[str, Any]]:
    dropped += [f"messages.{name}" for name in foreign(turn.extra, NAME)]
    name = turn.name or None
    if turn.role == "assistant":
        fields = assistant_fields(turn.parts, dropped)
        if fields["content"] is None and "tool_calls" not in fields:
            fields["content"] = ""
        return [build({"role": "assistant", "name": name, **fields}, turn.extra, NAME)]
    results = [part for part in turn.parts if isinstance(part, ToolResult)]
    rest = [part for part in turn.parts if not isinstance(part, ToolResult)]
    if results and tuple(turn.parts) != (*results, *rest):
        dropped.append("content.order")
    found = [_result(part, dropped) for part in results]
    images = [one for part in results for one in part.parts if isinstance(one, Image)]
    if images:
        dropped.append("tool_result.image_place")
        rest = [*images, *rest]
    if rest or not results:
        pairs = {"role": turn.role, "name": name, "content": _content(rest, dropped)}
        found.append(build(pairs, turn.extra, NAME))
    return found


def _result(part: ToolResult, dropped: list[str]) -> dict[str, Any]:
    """Only text may stand in a tool's message: images follow in the user's message."""
    dropped += [f"tool_result.{name}" for name in foreign(part.extra, NAME)]
    if part.is_error:
        dropped.append("is_error")
    if part.cache is not None:
        dropped.append("cache_control")
    said = [one for one in part.parts if not isinstance(one, Image)]
    pairs = {"role": "tool", "tool_call_id": part.id, "content": _content(said, dropped)}
    return build(pairs, part.extra, NAME)


def _content(parts: Sequence[Part], dropped: list[str]) -> str | list[Any]:
    """A lone plain text as a string, anything else as a list of parts."""
    return lone_text([_part(part, dropped) for part in parts])


def _part(part: Part, dropped: list[str]) -> Any:
    match part:
        case Text():
            if part.citations:
                dropped.append("citations")
            dropped += [f"content.{name}" for name in foreign(part.extra, NAME)]
            pairs = {"type": "text", "text": part.text, "prompt_cache_breakpoint": _cache(part.cache, dropped)}
            return build(pairs, part.extra, NAME)
        case Image():
            dropped += [f"content.{name}" for name in foreign(part.extra, NAME)]
            url = part.url or f"data:{part.media_type};base64,{part.data}"
            pairs = {
                "type": "image_url",
                "image_url": {"url": url, "detail": part.detail} if part.detail else {"url": url},
                "prompt_cache_breakpoint": _cache(part.cache, dropped),
            }
            return build(pairs, part.extra, NAME)
        case Refusal():
            return {"type": "refusal", "refusal": part.text}
        case Opaque() if part.dialect == NAME:
            return part.raw
    kind = part.kind if isinstance(part, Opaque) else type(part).__name__.lower()
    raise NotTranslatable(f"content of type '{kind}' has no twin in {NAME} at its place", param="messages")


def _cache(cache: Cache | None, dropped: list[str]) -> dict[str, Any] | None:
    """A breakpoint: other vendors' lifetimes mean other prices, so they are not converted."""
    if cache is None:
        return None
    if cache.ttl not in TTLS:
        dropped.append("cache_control")
        return None
    return {"mode": "explicit", "ttl": cache.ttl} if cache.ttl else {"mode": "explicit"}


def ordered(parts: Sequence[Part]) -> bool:
    """Thinking first, then what is said, then calls: the only order a message of this dialect can tell."""
    ranks = [0 if isinstance(one, Thinking | Redacted) else 2 if _is_call(one) else 1 for one in parts]
    return ranks == sorted(ranks)


def _is_call(part: Part) -> bool:
    return isinstance(part, ToolCall) or (isinstance(part, Opaque) and part.kind == "tool_call")
