"""Content blocks of the messages dialect, out of their JSON: for requests and for answers."""

from __future__ import annotations

from msgspec import Raw

from freehold.gateway.json_fields import Fields
from freehold.gateway.messages import (
    Cache,
    Extra,
    Image,
    Opaque,
    Part,
    Redacted,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
)

NAME = "anthropic_messages"


def blocks_of(one: Fields, name: str = "content") -> list[Part]:
    """The blocks in a member that may also be a string. An empty string is no block."""
    found = one.content(name)
    if isinstance(found, str):
        return [Text(found)] if found else []
    return [block_of(raw, block) for raw, block in found]


def block_of(raw: Raw, one: Fields) -> Part:
    """One block."""
    kind = one.text("type", None)
    match kind:
        case "text":
            return _text(one)
        case "image":
            return _image(raw, one)
        case "thinking":
            thought = Thinking(one.text("thinking", None), one.text("signature"))
            return Opaque(NAME, kind, raw) if one.rest(NAME) else thought
        case "redacted_thinking":
            return Redacted(one.text("data", None))
        case "tool_use":
            return _call(one)
        case "tool_result":
            return _result(one)
    return Opaque(NAME, kind, raw)


def cache_of(one: Fields) -> tuple[Cache | None, Extra]:
    """The breakpoint after this block; its bytes too, where they say more than we know."""
    raw = one.raw("cache_control")
    if raw is None:
        return None, ()
    inner = one.within("cache_control", raw)
    kind, ttl = inner.text("type"), inner.text("ttl", "5m")
    more = kind != "ephemeral" or inner.rest(NAME)
    return Cache(ttl), ((NAME, "cache_control", raw),) if more else ()


def _text(one: Fields) -> Text:
    text, citations = one.text("text", None), one.raws("citations")
    cache, extra = cache_of(one)
    return Text(text, cache, tuple(citations), (*extra, *one.rest(NAME)))


def _image(raw: Raw, one: Fields) -> Image | Opaque:
    source = one.inner("source")
    if source is None:
        one.wrong("is required", "source")
    kind = source.text("type", None)
    url, media, data = source.text("url"), source.text("media_type"), source.text("data")
    if kind not in {"url", "base64"} or source.rest(NAME):
        return Opaque(NAME, "image", raw)
    cache, extra = cache_of(one)
    extra = (*extra, *one.rest(NAME))
    if kind == "url":
        return Image(url, cache=cache, extra=extra)
    return Image(media_type=media, data=data, cache=cache, extra=extra)


def _call(one: Fields) -> ToolCall:
    call, name, value = one.text("id", None), one.text("name", None), one.raw("input") or Raw(b"{}")
    try:
        arguments = bytes(value).decode()
    except UnicodeDecodeError:  # raw members are passed on unread, so nobody has looked at their bytes yet
        one.wrong("is not UTF-8", "input")
    if not arguments.startswith("{"):
        one.wrong("expected an object", "input")
    cache, extra = cache_of(one)
    caller = one.raw("caller")
    if caller is not None and one.within("caller", caller).text("type") != "direct":
        extra = (*extra, (NAME, "caller", caller))  # `direct` is what an absent caller means
    return ToolCall(call, name, arguments, cache, (*extra, *one.rest(NAME)))


def _result(one: Fields) -> ToolResult:
    call, failed = one.text("tool_use_id", None), one.flag("is_error") is True
    parts: list[Text | Image | Opaque] = []
    for part in blocks_of(one):
        if not isinstance(part, Text | Image | Opaque):
            one.wrong("expected text, images or documents", "content")
        parts.append(part)
    cache, extra = cache_of(one)
    return ToolResult(call, tuple(parts), failed, cache, (*extra, *one.rest(NAME)))
