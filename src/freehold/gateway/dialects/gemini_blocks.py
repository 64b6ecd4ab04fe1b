"""Neutral turns as Gemini's contents. Content that has no place here is refused, never left out.

A result names its tool here, which elsewhere stands in the call alone: it is looked up by the call's id.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

import msgspec
from msgspec import Raw

from freehold.core.errors import NotTranslatable
from freehold.gateway.dialects.gemini_parts import KEY, MADE, SIGNATURE, TOOL, mark_of
from freehold.gateway.dialects.gemini_wire import NAME
from freehold.gateway.json_fields import OWN, alien, build, foreign, own, under
from freehold.gateway.messages import (
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

SYSTEM = frozenset({"system", "developer"})
NESTED = (OWN, "functionCall.", "functionResponse.")

_object = msgspec.json.Decoder(dict[str, Raw])
_KINDS = {
    "gif": "image/gif",
    "heic": "image/heic",
    "heif": "image/heif",
    "jpeg": "image/jpeg",
    "jpg": "image/jpeg",
    "png": "image/png",
    "webp": "image/webp",
}


def system_and_contents(turns: Sequence[Turn], dropped: list[str]) -> tuple[Any, list[dict[str, Any]]]:
    """All that the system says stands in one place here; what came later is named.

    A turn that says nothing (any more) is left out: the vendor refuses empty ones.
    """
    names = {part.id: part.name for turn in turns for part in turn.parts if isinstance(part, ToolCall)}
    first = next((at for at, turn in enumerate(turns) if turn.role not in SYSTEM), len(turns))
    if any(turn.role in SYSTEM for turn in turns[first:]):
        dropped.append("messages.order")
    if any(turn.name for turn in turns):
        dropped.append("messages.name")
    system: list[Any] = []
    extra: dict[str, Any] = {}
    contents = []
    for turn in turns:
        dropped += [f"messages.{name}" for name in foreign(turn.extra, NAME)]
        if turn.role == "function":
            raise NotTranslatable(f"messages of role 'function' have no twin in {NAME}", param="messages")
        parts = [made for part in turn.parts if (made := part_value(part, names, dropped)) is not None]
        if turn.role in SYSTEM:
            system += parts
            extra |= build({}, turn.extra, NAME, (OWN,))
        elif parts or any(owner == NAME for owner, _, _ in turn.extra):
            role = "model" if turn.role == "assistant" else "user"
            contents.append(build({"role": role, "parts": parts}, turn.extra, NAME, (OWN,)))
    return ({"parts": system, **extra} if system else None), contents


def part_value(part: Part, names: dict[str, str], dropped: list[str]) -> Any:
    """A part; None for what says nothing here. Raises NotTranslatable."""
    if getattr(part, "cache", None) is not None:
        dropped.append("cache_control")
    match part:
        case Text():
            return _text(part, dropped)
        case Refusal():
            dropped.append("refusal")
            return {"text": part.text} if part.text else None
        case Thinking():
            return _thinking(part, dropped)
        case Redacted():
            dropped.append("thinking")
            return None
        case ToolCall():
            return _called(part, dropped)
        case ToolResult():
            return _result(part, names, dropped)
        case Image():
            return _image(part, dropped)
        case Opaque() if part.dialect == NAME:
            return part.raw
    raise NotTranslatable(f"content of type '{part.kind}' has no twin in {NAME}", param="messages")


def call_value(part: ToolCall, value: Raw, dropped: list[str]) -> dict[str, Any]:
    """A call whose arguments are an object."""
    dropped += [f"tool_calls.{name}" for name in foreign(part.extra, NAME)]
    named = None if own(part.extra, NAME, MADE) is not None else part.id
    function = build({"id": named, "name": part.name, "args": value}, (), NAME)
    function |= under(part.extra, NAME, "functionCall.")
    return build({"functionCall": function, SIGNATURE: part.signature or None}, part.extra, NAME, NESTED)


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


def _text(part: Text, dropped: list[str]) -> dict[str, Any] | None:
    if part.citations:
        dropped.append("citations")
    dropped += [f"content.{name}" for name in foreign(part.extra, NAME)]
    kept = any(owner == NAME for owner, _, _ in part.extra)
    return build({"text": part.text}, part.extra, NAME, NESTED) if part.text or kept else None


def _thinking(part: Thinking, dropped: list[str]) -> dict[str, Any] | None:
    """Another vendor's thinking is none of this one's."""
    if part.field or alien(part.extra, NAME) or not part.extra:
        dropped.append(part.field or "thinking")
        return None
    pairs = {"text": part.text, "thought": True, SIGNATURE: part.signature or None}
    return build(pairs, part.extra, NAME, NESTED)


def _called(part: ToolCall, dropped: list[str]) -> dict[str, Any]:
    value = input_of(part.arguments)
    if value is None:
        raise NotTranslatable(f"the arguments of tool call '{part.id}' are not a JSON object", param="messages")
    return call_value(part, value, dropped)


def _result(part: ToolResult, names: dict[str, str], dropped: list[str]) -> dict[str, Any]:
    dropped += [f"tool_result.{name}" for name in foreign(part.extra, NAME)]
    texts: list[str] = []
    others: list[Any] = []
    for one in part.parts:
        if isinstance(one, Text):
            texts.append(one.text)
            dropped += [f"content.{name}" for name in foreign(one.extra, NAME)]
        elif (made := part_value(one, names, dropped)) is not None:
            others.append(made)
    made_up = own(part.extra, NAME, MADE) is not None
    function: dict[str, Any] = {
        "id": None if made_up else part.id,
        "name": mark_of(part.extra, TOOL) or names.get(part.id) or part.id,
        "response": _response(part, "\n".join(texts)),
        "parts": others or None,
    }
    function = {**build(function, (), NAME), **under(part.extra, NAME, "functionResponse.")}
    return build({"functionResponse": function}, part.extra, NAME, NESTED)


def _response(part: ToolResult, text: str) -> Any:
    """What a tool said, under the name the vendor's documentation gives it; a whole response as it was."""
    if own(part.extra, NAME, KEY) is not None:
        key = mark_of(part.extra, KEY)
        whole = None if key else input_of(text)
        if whole is not None:
            return whole
        return {key or "output": text}
    return {"error" if part.is_error else "output": text}


def _image(part: Image, dropped: list[str]) -> dict[str, Any]:
    dropped += [f"content.{name}" for name in foreign(part.extra, NAME)]
    if part.detail not in {"", "auto"}:
        dropped.append("image_url.detail")
    if part.url.startswith("data:"):
        raise NotTranslatable("an image's data URL is not base64 of a plain media type", param="messages")
    if not part.url:
        return build({"inlineData": {"mimeType": part.media_type, "data": part.data}}, part.extra, NAME, NESTED)
    ending = urlsplit(part.url).path.rpartition(".")[2].lower()
    kind = part.media_type or _KINDS.get(ending)
    return build({"fileData": build({"mimeType": kind, "fileUri": part.url}, (), NAME)}, part.extra, NAME, NESTED)
