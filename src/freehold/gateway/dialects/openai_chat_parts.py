"""The parts of a chat completions message, out of its JSON: for requests and for answers."""

from __future__ import annotations

import re

import msgspec
from msgspec import Raw

from freehold.gateway.json_fields import Fields
from freehold.gateway.json_read import BROKEN
from freehold.gateway.json_texts import is_sealed
from freehold.gateway.messages import (
    Cache,
    Extra,
    Image,
    Opaque,
    Part,
    Refusal,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
)

NAME = "openai_chat"

THINKING_FIELDS = ("reasoning_content", "reasoning")
"""Where compatible servers put reasoning text: DeepSeek, xAI and llama.cpp say the first, OpenRouter and Groq the
second. The official API has neither."""

SIGNED = "own.signed"
"""Marks a call that came with its signature: only who sent one is sent one."""

_DATA_URL = re.compile(r"data:([a-z]+/[a-zA-Z0-9.+-]+);base64,(.*)", re.DOTALL)


class _Google(msgspec.Struct, forbid_unknown_fields=True):
    thought_signature: str


class _Signed(msgspec.Struct, forbid_unknown_fields=True):
    google: _Google


_signed = msgspec.json.Decoder(_Signed)


def content_of(one: Fields) -> list[Part]:
    """The `content` of a message: a string or parts. An empty string is no part."""
    found = one.content("content")
    if isinstance(found, str):
        return [Text(found)] if found else []
    return [_part(raw, part) for raw, part in found]


def said_by_assistant(one: Fields) -> list[Part]:
    """Thinking, content, refusal, then calls: the order in which the model made them."""
    parts: list[Part] = []
    for field in THINKING_FIELDS:
        thought = one.text(field)
        if thought:
            parts.append(Thinking(thought, field=field))
    parts += content_of(one)
    refusal = one.text("refusal")
    if refusal:
        parts.append(Refusal(refusal))
    parts += [_call(raw, call) for raw, call in one.objects("tool_calls")]
    return parts


def tool_result_of(one: Fields) -> ToolResult:
    """A message of role `tool`."""
    parts: list[Text | Image | Opaque] = []
    for part in content_of(one):
        if not isinstance(part, Text | Image | Opaque):
            one.wrong("expected text", "content")
        parts.append(part)
    return ToolResult(one.text("tool_call_id", None), tuple(parts), extra=one.rest(NAME))


def _part(raw: Raw, one: Fields) -> Part:
    kind = one.text("type", None)
    if kind == "text":
        text = one.text("text", None)
        cache, extra = _cache(one)
        return Text(text, cache, extra=(*extra, *one.rest(NAME)))
    if kind == "refusal":
        return Refusal(one.text("refusal", None))
    if kind == "image_url":
        return _image(raw, one)
    return Opaque(NAME, kind, raw)


def _image(raw: Raw, one: Fields) -> Image | Opaque:
    inner = one.inner("image_url")
    if inner is None:
        one.wrong("is required", "image_url")
    url, detail = inner.text("url", None), inner.text("detail")
    if inner.rest(NAME):
        return Opaque(NAME, "image_url", raw)
    cache, extra = _cache(one)
    extra = (*extra, *one.rest(NAME))
    inline = _DATA_URL.fullmatch(url)
    if inline is not None:
        return Image(media_type=inline[1], data=inline[2], detail=detail, cache=cache, extra=extra)
    return Image(url, detail=detail, cache=cache, extra=extra)


def _cache(one: Fields) -> tuple[Cache | None, Extra]:
    """The breakpoint after this part; its bytes too, where they say more than we know."""
    raw = one.raw("prompt_cache_breakpoint")
    if raw is None:
        return None, ()
    inner = one.within("prompt_cache_breakpoint", raw)
    mode, ttl = inner.text("mode"), inner.text("ttl")
    more = mode != "explicit" or inner.rest(NAME)
    return Cache(ttl), ((NAME, "prompt_cache_breakpoint", raw),) if more else ()


def _call(raw: Raw, one: Fields) -> ToolCall | Opaque:
    kind, function = one.text("type", "function"), one.inner("function")
    if kind != "function" or function is None:
        return Opaque(NAME, "tool_call", raw)
    call = one.text("id", None)
    name, arguments = function.text("name", None), function.text("arguments")
    signature = _signature(one)
    signed: Extra = ((NAME, SIGNED, Raw(b"true")),) if signature else ()
    extra = (*function.rest(NAME, "function."), *one.rest(NAME), *signed)
    return ToolCall(call, name, arguments, extra=extra, signature=signature)


def _signature(one: Fields) -> str:
    """Google's compatible endpoint signs a call's thinking in `extra_content.google.thought_signature`."""
    raw = one.raw("extra_content")
    if raw is None:
        return ""
    try:
        found = _signed.decode(raw)
    except BROKEN:
        found = None
    signature = "" if found is None else found.google.thought_signature
    if not is_sealed("thoughtSignature", f'"{signature}"'.encode("utf-8", "surrogatepass")):
        signature = ""
    if not signature:
        one.put_back("extra_content", raw)
    return signature
