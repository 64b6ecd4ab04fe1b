"""Content blocks of Bedrock's Converse, out of their JSON: for requests and for answers.

A block is an object whose one member says what it is. A cache point stands after the block it belongs to.
"""

from __future__ import annotations

import msgspec
from msgspec import Raw

from freehold.gateway.json_fields import JSON_TEXT, OWN, Fields, own
from freehold.gateway.json_read import BROKEN
from freehold.gateway.json_splice import members
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

NAME = "bedrock_converse"
MINE = OWN + "bedrock"
"""Marks what this dialect wrote, where others must know: requests, and texts with citations of its own."""
TTL = OWN + "ttl"
"""A cache point's lifetime that was said though it goes without saying."""
STATUS = OWN + "status"
"""A tool result's status that was said though it goes without saying."""

TRUE = Raw(b"true")
DEFAULT_TTL = "5m"
IMAGES = frozenset({"gif", "jpeg", "png", "webp"})
"""Formats of images."""

_KNOWN = ("text", "image", "toolUse", "toolResult", "reasoningContent", "citationsContent")


def marked(extra: Extra = ()) -> Extra:
    """The same with this dialect's mark."""
    return (*extra, (NAME, MINE, TRUE))


def is_mine(extra: Extra) -> bool:
    """Did this dialect write it?"""
    return own(extra, NAME, MINE) is not None


def union_of(raw: Raw) -> str:
    """The member that says what a block is; empty where there is none."""
    return next((name for name, value in members(raw).items() if bytes(value) != b"null"), "")


def blocks_of(one: Fields, name: str = "content") -> list[Part]:
    """The blocks in a list, each cache point with the block before it."""
    found: list[Part] = []
    for raw, block in one.objects(name):
        kind = union_of(raw)
        if kind == "cachePoint" and found:
            before = _with_cache(found[-1], block)
            if before is not None:
                found[-1] = before
                continue
        found.append(block_of(raw, block, kind))
    return found


def block_of(raw: Raw, one: Fields, kind: str) -> Part:
    """One block."""
    if not kind:
        one.wrong("expected one member that says what the block is")
    if kind == "text":
        return Text(one.text(kind), extra=one.rest(NAME))
    value = one.raw(kind)
    if kind not in _KNOWN or value is None or one.rest(NAME):
        return Opaque(NAME, kind, raw)
    inner = one.within(kind, value)
    match kind:
        case "image":
            return _image(raw, inner)
        case "toolUse":
            return _call(raw, inner)
        case "toolResult":
            return _result(inner)
        case "reasoningContent":
            return _reasoning(raw, inner)
    return _cited(raw, inner)


def cache_of(point: Fields) -> tuple[Cache, Extra] | None:
    """What a cache point says, if it says no more than we know."""
    inner = point.inner("cachePoint")
    if inner is None or inner.text("type") != "default":
        return None
    ttl = inner.text("ttl")
    if inner.rest(NAME) or point.rest(NAME):
        return None
    said: Extra = ((NAME, TTL, TRUE),) if ttl == DEFAULT_TTL else ()
    return Cache(ttl or DEFAULT_TTL), said


def _with_cache(part: Part, point: Fields) -> Part | None:
    if not isinstance(part, Text | Image | ToolCall | ToolResult) or part.cache is not None:
        return None
    found = cache_of(point)
    if found is None:
        return None
    cache, extra = found
    return msgspec.structs.replace(part, cache=cache, extra=(*part.extra, *extra))


def _image(raw: Raw, inner: Fields) -> Image | Opaque:
    source = inner.inner("source")
    if source is None:
        return Opaque(NAME, "image", raw)
    form, data = inner.text("format", None), source.raw("bytes")
    if form not in IMAGES or data is None or source.rest(NAME) or inner.rest(NAME):
        return Opaque(NAME, "image", raw)
    source.put_back("bytes", data)
    return Image(media_type=f"image/{form}", data=source.text("bytes"))


def _call(raw: Raw, inner: Fields) -> ToolCall | Opaque:
    if inner.raw("type") is not None:
        return Opaque(NAME, "toolUse", raw)
    call, name, value = inner.text("toolUseId", None), inner.text("name", None), inner.raw("input") or Raw(b"{}")
    try:
        arguments = bytes(value).decode()
    except UnicodeDecodeError:  # raw members are passed on unread, so nobody has looked at their bytes yet
        inner.wrong("is not UTF-8", "input")
    if not arguments.startswith("{"):
        inner.wrong("expected an object", "input")
    return ToolCall(call, name, arguments, extra=inner.rest(NAME))


def _result(inner: Fields) -> ToolResult:
    call, status = inner.text("toolUseId", None), inner.raw("status")
    parts: list[Text | Image | Opaque] = []
    for raw, block in inner.objects("content"):
        kind = union_of(raw)
        part = _json(block) if kind == "json" else block_of(raw, block, kind)
        if not isinstance(part, Text | Image | Opaque):
            inner.wrong("expected text, JSON, images or documents", "content")
        parts.append(part)
    failed = status is not None and bytes(status) == b'"error"'
    said: Extra = ((NAME, STATUS, status),) if status is not None and not failed else ()
    return ToolResult(call, tuple(parts), failed, extra=(*said, *inner.rest(NAME)))


def _json(block: Fields) -> Text:
    value = block.raw("json") or Raw(b"null")
    try:
        text = bytes(value).decode()
    except UnicodeDecodeError:
        block.wrong("is not UTF-8", "json")
    return Text(text, extra=((NAME, JSON_TEXT, TRUE), *block.rest(NAME)))


def _reasoning(raw: Raw, inner: Fields) -> Part:
    told, hidden = inner.raw("reasoningText"), inner.raw("redactedContent")
    if inner.rest(NAME) or (told is None) == (hidden is None):
        return Opaque(NAME, "reasoningContent", raw)
    if told is None:
        assert hidden is not None
        inner.put_back("redactedContent", hidden)
        return Redacted(inner.text("redactedContent"))
    one = inner.within("reasoningText", told)
    thought = Thinking(one.text("text"), one.text("signature"))
    return Opaque(NAME, "reasoningContent", raw) if one.rest(NAME) else thought


def _cited(raw: Raw, inner: Fields) -> Part:
    """A text with its sources; where it is in pieces they are joined."""
    texts = []
    for _, block in inner.objects("content"):
        texts.append(block.text("text"))
        if block.rest(NAME):
            return Opaque(NAME, "citationsContent", raw)
    citations = tuple(inner.raws("citations"))
    if inner.rest(NAME) or not texts or not citations:
        return Opaque(NAME, "citationsContent", raw)
    return Text("".join(texts), citations=citations, extra=marked())


def is_object(text: str | Raw) -> bool:
    """Is it the JSON of an object?"""
    try:
        members(Raw(text.encode()) if isinstance(text, str) else text)
    except BROKEN:
        return False
    return True
