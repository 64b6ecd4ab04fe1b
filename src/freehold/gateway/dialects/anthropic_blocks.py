"""Neutral turns as messages. Content that has no place here is refused, never left out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Raw

from freehold.core.errors import NotTranslatable
from freehold.gateway.dialects.anthropic_decode import PREFILL
from freehold.gateway.dialects.anthropic_parts import NAME
from freehold.gateway.json_fields import alien, build, foreign, lone_text
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

_TTLS = {"5m": "", "1h": "1h"}
"""Lifetimes this dialect names; five minutes go without saying."""

_object = msgspec.json.Decoder(dict[str, Raw])


def system_and_messages(turns: Sequence[Turn], dropped: list[str]) -> tuple[Any, list[dict[str, Any]]]:
    """Leading system turns are the `system` field; later ones stand where they are.

    A turn of the assistant that says nothing (any more) is left out: the vendor refuses empty ones.
    """
    first = next((at for at, turn in enumerate(turns) if turn.role not in {"system", "developer"}), len(turns))
    system = _content([part for turn in turns[:first] for part in turn.parts], dropped)
    if any(turn.name for turn in turns):
        dropped.append("messages.name")
    for turn in turns[:first]:
        dropped += [f"messages.{name}" for name in foreign(turn.extra, NAME)]
    messages = [_message(turn, dropped) for turn in turns[first:]]
    return system or None, [one for one in messages if one["content"] or one["role"] != "assistant" or len(one) > 2]


def call_block(part: ToolCall, dropped: list[str]) -> dict[str, Any]:
    """A call as a block. Raises NotTranslatable where its arguments are no JSON object."""
    dropped += [f"tool_calls.{name}" for name in foreign(part.extra, NAME)]
    dropped += ["tool_calls.signature"] if part.signature else []
    value = input_of(part.arguments)
    if value is None:
        raise NotTranslatable(f"the arguments of tool call '{part.id}' are not a JSON object", param="messages")
    pairs = {
        "type": "tool_use",
        "id": part.id,
        "name": part.name,
        "input": value,
        "cache_control": cache_control(part.cache, dropped),
    }
    return build(pairs, part.extra, NAME)


def input_of(arguments: str) -> Raw | None:
    """A call's arguments as the model wrote them, if they are an object; none at all are the empty one."""
    text = arguments.strip()
    if not text:
        return Raw(b"{}")
    try:
        _object.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return None
    return Raw(text.encode())


def _message(turn: Turn, dropped: list[str]) -> dict[str, Any]:
    if turn.role == "function":
        raise NotTranslatable(f"messages of role 'function' have no twin in {NAME}", param="messages")
    dropped += [f"messages.{name}" for name in foreign(turn.extra, NAME)]
    role = "system" if turn.role == "developer" else turn.role
    return build({"role": role, "content": _content(turn.parts, dropped)}, turn.extra, NAME, (PREFILL,))


def _content(parts: Sequence[Part], dropped: list[str]) -> str | list[Any]:
    """A lone plain text as a string, anything else as blocks. Empty texts are refused here, and say nothing."""
    blocks = []
    for part in parts:
        if isinstance(part, Text | Refusal) and not part.text:
            dropped += [f"content.{name}" for name in foreign(part.extra, NAME)] if isinstance(part, Text) else []
            continue
        if isinstance(part, Thinking) and part.field:
            dropped.append(part.field)  # it carries no signature, so the vendor would refuse it
            continue
        if isinstance(part, Thinking) and alien(part.extra, NAME):
            dropped.append("thinking")  # another vendor signed it
            continue
        blocks.append(_block(part, dropped))
    return lone_text(blocks)


def _block(part: Part, dropped: list[str]) -> Any:
    match part:
        case Text():
            dropped += [f"content.{name}" for name in foreign(part.extra, NAME)]
            pairs = {
                "type": "text",
                "text": part.text,
                "citations": _citations(part, dropped) or None,
                "cache_control": cache_control(part.cache, dropped),
            }
            return build(pairs, part.extra, NAME)
        case Image():
            return _image(part, dropped)
        case ToolCall():
            return call_block(part, dropped)
        case ToolResult():
            return _result(part, dropped)
        case Thinking():
            return {"type": "thinking", "thinking": part.text, "signature": part.signature}
        case Redacted():
            return {"type": "redacted_thinking", "data": part.data}
        case Refusal():
            dropped.append("refusal")
            return {"type": "text", "text": part.text}
        case Opaque() if part.dialect == NAME:
            return part.raw
    raise NotTranslatable(f"content of type '{part.kind}' has no twin in {NAME}", param="messages")


def _citations(part: Text, dropped: list[str]) -> tuple[Raw, ...]:
    if part.citations and alien(part.extra, NAME):
        dropped.append("citations")
        return ()
    return part.citations


def _image(part: Image, dropped: list[str]) -> dict[str, Any]:
    dropped += [f"content.{name}" for name in foreign(part.extra, NAME)]
    if part.detail not in {"", "auto"}:
        dropped.append("image_url.detail")
    if part.url.startswith("data:"):
        raise NotTranslatable("an image's data URL is not base64 of a plain media type", param="messages")
    source = (
        {"type": "url", "url": part.url}
        if part.url
        else {"type": "base64", "media_type": part.media_type, "data": part.data}
    )
    pairs = {"type": "image", "source": source, "cache_control": cache_control(part.cache, dropped)}
    return build(pairs, part.extra, NAME)


def _result(part: ToolResult, dropped: list[str]) -> dict[str, Any]:
    dropped += [f"tool_result.{name}" for name in foreign(part.extra, NAME)]
    pairs = {
        "type": "tool_result",
        "tool_use_id": part.id,
        "content": _content(part.parts, dropped) or None,
        "is_error": part.is_error or None,
        "cache_control": cache_control(part.cache, dropped),
    }
    return build(pairs, part.extra, NAME)


def cache_control(cache: Cache | None, dropped: list[str]) -> dict[str, Any] | None:
    """A breakpoint; other vendors' lifetimes become the next one here that is not shorter, or the longest."""
    if cache is None:
        return None
    ttl = _TTLS.get(cache.ttl)
    if ttl is None:
        dropped.append("prompt_cache_breakpoint.ttl")
        ttl = "1h" if cache.ttl else ""
    return {"type": "ephemeral", "ttl": ttl} if ttl else {"type": "ephemeral"}
