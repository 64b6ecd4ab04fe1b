"""Neutral turns as messages of Converse. Content that has no place here is refused, never left out."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from typing import Any

from msgspec import Raw

from freehold.core.errors import NotTranslatable
from freehold.gateway.dialects.bedrock_decode import PLACE
from freehold.gateway.dialects.bedrock_parts import DEFAULT_TTL, IMAGES, NAME, STATUS, TTL, is_mine, is_object
from freehold.gateway.json_fields import JSON_TEXT, OWN, alien, build, foreign, own
from freehold.gateway.json_read import BROKEN
from freehold.gateway.json_splice import members
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

FORMATS = {f"image/{one}": one for one in sorted(IMAGES)} | {"image/jpg": "jpeg"}
"""Images this dialect knows, by their media type."""

_TTLS = {DEFAULT_TTL: "", "1h": "1h"}
"""Lifetimes this dialect names; five minutes go without saying."""
_PREFILL = "prefill"
"""How another dialect marks a last turn of the assistant that the answer continues: so it does here."""

Block = dict[str, Any] | Raw


def system_and_messages(
    turns: Sequence[Turn], dropped: list[str], *, mine: bool
) -> tuple[list[Block], list[dict[str, Any]]]:
    """Leading system turns are the `system` field; later ones stand where they are.

    Turns of one role that follow one another are one here, and turns that say nothing are left out, unless the
    request is this dialect's own (`mine`): the vendor refuses both.
    """
    leading = {"system", "developer"}
    first = next(
        (at for at, one in enumerate(turns) if one.role not in leading or own(one.extra, NAME, PLACE) is not None),
        len(turns),
    )
    system = blocks_of([part for turn in turns[:first] for part in turn.parts], dropped, mine=mine)
    if any(turn.name for turn in turns):
        dropped.append("messages.name")
    for turn in turns[:first]:
        dropped += [f"messages.{name}" for name in foreign(turn.extra, NAME)]
    messages: list[dict[str, Any]] = []
    for turn in turns[first:]:
        one = _message(turn, dropped, mine=mine)
        if mine or not messages or messages[-1]["role"] != one["role"]:
            messages.append(one)
        else:
            messages[-1]["content"] += one["content"]
    return system, [one for one in messages if mine or one["content"]]


def blocks_of(parts: Sequence[Part], dropped: list[str], *, mine: bool) -> list[Block]:
    """Blocks, each with its cache point after it."""
    found: list[Block] = []
    for part in parts:
        if isinstance(part, Text | Refusal) and not part.text and not mine:
            continue
        if isinstance(part, Thinking) and part.field:
            dropped.append(part.field)  # it carries no signature, so the vendor would refuse it
            continue
        if isinstance(part, Thinking) and alien(part.extra, NAME):
            dropped.append("thinking")  # another vendor signed it
            continue
        if isinstance(part, Redacted) and not is_base64(part.data):
            dropped.append("thinking.redacted")
            continue
        found.append(block_of(part, dropped))
        point = cache_point(part, dropped)
        if point is not None:
            found.append(point)
    return found


def block_of(part: Part, dropped: list[str]) -> Block:
    """One block. Raises NotTranslatable."""
    match part:
        case Text():
            dropped += [f"content.{name}" for name in foreign(part.extra, NAME)]
            return text_block(part, dropped)
        case Image():
            return _image(part, dropped)
        case ToolCall():
            return call_block(part, dropped)
        case ToolResult():
            return _result(part, dropped)
        case Thinking():
            return reasoning_block(part.text, part.signature)
        case Redacted():
            return {"reasoningContent": {"redactedContent": part.data}}
        case Refusal():
            dropped.append("refusal")
            return {"text": part.text}
        case Opaque() if part.dialect == NAME:
            return part.raw
    raise NotTranslatable(f"content of type '{part.kind}' has no twin in {NAME}", param="messages")


def text_block(part: Text, dropped: list[str]) -> dict[str, Any]:
    """A text, with its sources where they are this dialect's own."""
    if part.citations and is_mine(part.extra):
        return {"citationsContent": {"content": [{"text": part.text}], "citations": part.citations}}
    if part.citations:
        dropped.append("citations")
    return plain({"text": part.text}, part.extra)


def reasoning_block(text: str, signature: str) -> dict[str, Any]:
    """A thought; who gave no signature gets none."""
    told = {"text": text, "signature": signature} if signature else {"text": text}
    return {"reasoningContent": {"reasoningText": told}}


def call_block(part: ToolCall, dropped: list[str]) -> dict[str, Any]:
    """A call. Raises NotTranslatable where its arguments are no JSON object."""
    dropped += [f"tool_calls.{name}" for name in foreign(part.extra, NAME)]
    dropped += ["tool_calls.signature"] if part.signature else []
    value = input_of(part.arguments)
    if value is None:
        raise NotTranslatable(f"the arguments of tool call '{part.id}' are not a JSON object", param="messages")
    return {"toolUse": plain({"toolUseId": part.id, "name": part.name, "input": value}, part.extra)}


def input_of(arguments: str) -> Raw | None:
    """A call's arguments as the model wrote them, if they are an object; none at all are the empty one."""
    text = arguments.strip()
    if not text:
        return Raw(b"{}")
    return Raw(text.encode()) if is_object(text) else None


def plain(pairs: dict[str, Any], extra: Extra) -> dict[str, Any]:
    """An object with this dialect's own fields put back, but for the marks."""
    return build(pairs, extra, NAME, (OWN,))


def cache_point(part: Part, dropped: list[str]) -> dict[str, Any] | None:
    """The cache point after a part."""
    if not isinstance(part, Text | Image | ToolCall | ToolResult) or part.cache is None:
        return None
    return point_of(part.cache, part.extra, dropped)


def point_of(cache: Cache, extra: Extra, dropped: list[str]) -> dict[str, Any]:
    """A cache point; other vendors' lifetimes become the next one here that is not shorter, or the longest."""
    ttl = _TTLS.get(cache.ttl)
    if ttl is None:
        if cache.ttl:
            dropped.append("prompt_cache_breakpoint.ttl")
        ttl = "1h" if cache.ttl else ""
    if own(extra, NAME, TTL) is not None:
        ttl = DEFAULT_TTL
    return {"cachePoint": {"type": "default", "ttl": ttl} if ttl else {"type": "default"}}


def is_base64(text: str) -> bool:
    """Can it stand where this dialect has bytes?"""
    try:
        base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return False
    return bool(text)


def _message(turn: Turn, dropped: list[str], *, mine: bool) -> dict[str, Any]:
    if turn.role == "function":
        raise NotTranslatable(f"messages of role 'function' have no twin in {NAME}", param="messages")
    dropped += [f"messages.{name}" for name in foreign(turn.extra, NAME) if name != _PREFILL]
    role = "system" if turn.role == "developer" else turn.role
    return plain({"role": role, "content": blocks_of(turn.parts, dropped, mine=mine)}, turn.extra)


def _image(part: Image, dropped: list[str]) -> dict[str, Any]:
    dropped += [f"content.{name}" for name in foreign(part.extra, NAME)]
    if part.detail not in {"", "auto"}:
        dropped.append("image_url.detail")
    if part.url:
        raise NotTranslatable(f"{NAME} takes images as bytes, not by URL", param="messages")
    form = FORMATS.get(part.media_type)
    if form is None:
        raise NotTranslatable(f"{NAME} knows no images of type '{part.media_type[:60]}'", param="messages")
    return {"image": {"format": form, "source": {"bytes": part.data}}}


def _result(part: ToolResult, dropped: list[str]) -> dict[str, Any]:
    dropped += [f"tool_result.{name}" for name in foreign(part.extra, NAME)]
    content: list[Block] = []
    for one in part.parts:
        if isinstance(one, Text) and own(one.extra, NAME, JSON_TEXT) is not None and _is_json(one.text):
            content.append(plain({"json": Raw(one.text.encode())}, one.extra))
        else:
            content.append(block_of(one, dropped))
        if not isinstance(one, Opaque) and one.cache is not None:
            dropped.append("tool_result.cache")
    status = "error" if part.is_error else own(part.extra, NAME, STATUS)
    return {"toolResult": plain({"toolUseId": part.id, "content": content, "status": status}, part.extra)}


def _is_json(text: str) -> bool:
    try:
        members(Raw(b'{"json":' + text.encode() + b"}"))
    except BROKEN:
        return False
    return True
