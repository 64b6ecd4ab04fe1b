"""Neutral turns as items of a responses request. Content that has no place here is refused, never left out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from freehold.core.errors import NotTranslatable
from freehold.gateway.dialects.openai_responses_decode import INSTRUCTIONS
from freehold.gateway.dialects.openai_responses_parts import (
    ID,
    ITEM,
    KIND,
    NAME,
    SPOKEN,
    STATUS,
    id_of,
    is_mine,
    mark,
)
from freehold.gateway.json_fields import build, foreign, lone_text, own, under
from freehold.gateway.messages import (
    Cache,
    Extra,
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

ASIDE = ("own.", ITEM)
"""Prefixes of fields that belong to the item, not to the part."""


def instructions_and_items(turns: Sequence[Turn], dropped: list[str]) -> tuple[str | None, list[Any]]:
    """The field `instructions`, where a turn stood in it, and `input`."""
    instructions: str | None = None
    items: list[Any] = []
    for turn in turns:
        text = turn.parts[0] if turn.parts else None
        if mark(KIND, INSTRUCTIONS) in turn.extra and isinstance(text, Text):
            instructions = text.text
        elif turn.role == "assistant":
            dropped += _lost(turn)
            items += _assistant(turn.parts, dropped)
        elif turn.role == "function":
            raise NotTranslatable(f"messages of role 'function' have no twin in {NAME}", param="input")
        else:
            items += _said(turn, dropped)
    return instructions, items


def placed(extra: Extra) -> dict[str, Any]:
    """An item's own fields: id, state and what else it had."""
    found: dict[str, Any] = {"id": own(extra, NAME, ID), "status": own(extra, NAME, STATUS)}
    return {name: one for name, one in {**found, **under(extra, NAME, ITEM)}.items() if one is not None}


def lost_of(extra: Extra, what: str) -> list[str]:
    """Names of another dialect's fields on a part."""
    return [f"{what}.{name}" for name in foreign(extra, NAME)]


def _lost(turn: Turn) -> list[str]:
    return [*lost_of(turn.extra, "messages"), *(["messages.name"] if turn.name else [])]


def _said(turn: Turn, dropped: list[str]) -> list[Any]:
    """What a caller says, with results of tools and items at their places."""
    dropped += _lost(turn)
    items: list[Any] = []
    content: list[Part] = []

    def flush() -> None:
        if content:
            items.append({"role": turn.role, "content": _content(content, dropped), **placed(turn.extra)})
            content.clear()

    for part in turn.parts:
        if isinstance(part, ToolResult):
            flush()
            items.append(_result(part, dropped))
        elif isinstance(part, Opaque) and part.dialect == NAME and part.kind.startswith(ITEM):
            flush()
            items.append(part.raw)
        else:
            content.append(part)
    flush()
    return items or [{"role": turn.role, "content": "", **placed(turn.extra)}]


def _assistant(parts: Sequence[Part], dropped: list[str]) -> list[Any]:
    items: list[Any] = []
    at = 0
    while at < len(parts):
        part = parts[at]
        end = at + 1
        match part:
            case Text() | Refusal():
                end = _run(parts, at)
                items.append(_message(parts[at:end], dropped))
            case Thinking() if is_mine(part.extra):
                end = _thought(parts, at)
                items.append(_reasoning([one for one in parts[at:end] if isinstance(one, Thinking)]))
            case Thinking():
                dropped.append(part.field or "thinking")
            case Redacted():
                dropped.append("thinking")
            case ToolCall():
                items.append(_call(part, dropped))
            case Opaque() if part.dialect == NAME:
                items.append(part.raw)
            case _:
                raise _untold(part)
        at = end
    return items


def _run(parts: Sequence[Part], at: int) -> int:
    """Where the message that begins here ends: at another id, or another kind of part."""
    first = parts[at]
    place = id_of(first.extra) if isinstance(first, Text) else ""
    end = at + 1
    while end < len(parts) and isinstance(one := parts[end], Text | Refusal):
        if isinstance(one, Text) and id_of(one.extra) != place:
            break
        end += 1
    return end


def _thought(parts: Sequence[Part], at: int) -> int:
    """Where the reasoning item that begins here ends: its last text holds what is encrypted."""
    end = at
    while end < len(parts) and isinstance(one := parts[end], Thinking) and is_mine(one.extra):
        if end > at and id_of(one.extra) != id_of(parts[at].extra):  # type: ignore[union-attr]
            break
        end += 1
        if one.signature:
            break
    return end


def _message(parts: Sequence[Part], dropped: list[str]) -> dict[str, Any]:
    texts = [one for one in parts if isinstance(one, Text)]
    fields = placed(texts[0].extra) if texts else {}
    lone = parts[0]
    if len(parts) == 1 and isinstance(lone, Text) and not fields and _plain(lone):
        dropped += lost_of(lone.extra, "content")
        return {"role": "assistant", "content": lone.text}
    content = [_output(part, dropped) for part in parts]
    return {"type": "message", "role": "assistant", "content": content, **fields}


def _plain(part: Text) -> bool:
    return not part.citations and not is_mine(part.extra) and part.cache is None


def _output(part: Part, dropped: list[str]) -> dict[str, Any]:
    if isinstance(part, Refusal):
        return {"type": "refusal", "refusal": part.text}
    assert isinstance(part, Text)
    dropped += lost_of(part.extra, "content")
    annotations = part.citations if is_mine(part.extra) else ()
    if len(annotations) != len(part.citations):
        dropped.append("citations")
    pairs = {
        "type": "output_text",
        "text": part.text,
        "annotations": annotations,
        "prompt_cache_breakpoint": _cache(part.cache, dropped),
    }
    return build(pairs, part.extra, NAME, ASIDE)


def _reasoning(parts: Sequence[Thinking]) -> dict[str, Any]:
    extra = parts[0].extra
    summary = [
        {"type": "summary_text", "text": one.text} for one in parts if one.text and own(one.extra, NAME, KIND) != SPOKEN
    ]
    spoken = [
        {"type": "reasoning_text", "text": one.text}
        for one in parts
        if one.text and own(one.extra, NAME, KIND) == SPOKEN
    ]
    found: dict[str, Any] = {"type": "reasoning", **placed(extra), "summary": summary}
    if spoken:
        found["content"] = spoken
    if parts[-1].signature:
        found["encrypted_content"] = parts[-1].signature
    return found


def _call(part: ToolCall, dropped: list[str]) -> dict[str, Any]:
    dropped += lost_of(part.extra, "tool_calls")
    dropped += ["tool_calls.signature"] if part.signature else []
    if part.cache is not None:
        dropped.append("cache_control")
    found = {"type": "function_call", "call_id": part.id, "name": part.name, "arguments": part.arguments}
    return {**found, **placed(part.extra)}


def _result(part: ToolResult, dropped: list[str]) -> dict[str, Any]:
    dropped += lost_of(part.extra, "tool_result")
    if part.is_error:
        dropped.append("is_error")
    if part.cache is not None:
        dropped.append("cache_control")
    found = {"type": "function_call_output", "call_id": part.id, "output": _content(part.parts, dropped)}
    return {**found, **placed(part.extra)}


def _content(parts: Sequence[Part], dropped: list[str]) -> str | list[Any]:
    """A lone plain text as a string, anything else as a list of parts."""
    return lone_text([_input(part, dropped) for part in parts])


def _input(part: Part, dropped: list[str]) -> Any:
    match part:
        case Text():
            dropped += lost_of(part.extra, "content")
            annotations = part.citations if is_mine(part.extra) else ()
            if len(annotations) != len(part.citations):
                dropped.append("citations")
            pairs = {
                "type": "output_text" if annotations else "input_text",
                "text": part.text,
                "annotations": annotations or None,
                "prompt_cache_breakpoint": _cache(part.cache, dropped),
            }
            return build(pairs, part.extra, NAME, ASIDE)
        case Image():
            dropped += lost_of(part.extra, "content")
            pairs = {
                "type": "input_image",
                "image_url": part.url or f"data:{part.media_type};base64,{part.data}",
                "detail": part.detail or None,
                "prompt_cache_breakpoint": _cache(part.cache, dropped),
            }
            return build(pairs, part.extra, NAME)
        case Refusal():
            return {"type": "refusal", "refusal": part.text}
        case Opaque() if part.dialect == NAME:
            return part.raw
    raise _untold(part)


def _untold(part: Part) -> NotTranslatable:
    kind = part.kind if isinstance(part, Opaque) else type(part).__name__.lower()
    return NotTranslatable(f"content of type '{kind}' has no twin in {NAME} at its place", param="input")


def _cache(cache: Cache | None, dropped: list[str]) -> dict[str, Any] | None:
    """A breakpoint: other vendors' lifetimes mean other prices, so they are not converted."""
    if cache is None:
        return None
    if cache.ttl not in TTLS:
        dropped.append("cache_control")
        return None
    return {"mode": "explicit", "ttl": cache.ttl} if cache.ttl else {"mode": "explicit"}
