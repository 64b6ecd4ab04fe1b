"""The items and parts of OpenAI's responses, out of their JSON: for requests and for answers.

An item's id, its state and its kind stand in its parts' own fields under `own.`: they place it, and say nothing else.
"""

from __future__ import annotations

import re

import msgspec
from msgspec import Raw

from freehold.gateway.json_fields import Fields, own
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

NAME = "openai_responses"

ID, STATUS, KIND = "own.id", "own.status", "own.kind"
ECHO = "own.echo."
"""Fields of an answer that repeat the request, or say what the vendor takes for granted."""
ITEM = "item."
"""Before other fields of an item, and before the kind of an item that only this dialect knows."""

SPOKEN = Raw(b'"reasoning_text"')
"""The kind of reasoning that is the model's own words, not their summary."""
SUMMED = Raw(b'"summary_text"')
"""The kind of their summary: said where nothing else marks reasoning as this dialect's."""

_TEXTS = frozenset({"input_text", "output_text", "text", "summary_text", "reasoning_text"})
_DATA_URL = re.compile(r"data:([a-z]+/[a-zA-Z0-9.+-]+);base64,(.*)", re.DOTALL)


def mark(name: str, value: str) -> tuple[str, str, Raw]:
    """A field of this dialect's own."""
    return NAME, name, Raw(msgspec.json.encode(value))


def is_mine(extra: Extra) -> bool:
    """Did this dialect write the part?"""
    return any(owner == NAME for owner, _, _ in extra)


def id_of(extra: Extra) -> str:
    """The id of the item a part stood in; empty where it had none."""
    raw = own(extra, NAME, ID)
    return "" if raw is None else msgspec.json.decode(raw, type=str)


def place_of(one: Fields) -> Extra:
    """Id and state of an item, where it has them."""
    found = [(name, one.text(field)) for name, field in ((ID, "id"), (STATUS, "status"))]
    return tuple(mark(name, value) for name, value in found if value)


def assistant_parts(one: Fields) -> list[Part]:
    """A message of the assistant; one that says nothing is an empty text, for the sake of its place."""
    place = place_of(one)
    found = one.content("content")
    extra = (*place, *one.rest(NAME, ITEM))
    if isinstance(found, str):
        return [Text(found, extra=extra)]
    parts: list[Part] = []
    for _, part in found:
        kind = part.text("type", None)
        if kind == "refusal":
            parts.append(Refusal(part.text("refusal", None)))
        elif kind in _TEXTS:
            parts.append(_text(part, extra))
        else:
            part.wrong("expected output_text or refusal", "type")
    return parts or [Text("", extra=extra)]


def content_of(one: Fields, name: str = "content") -> list[Part]:
    """What a caller or a tool says: a string or parts. An empty string is no part."""
    found = one.content(name)
    if isinstance(found, str):
        return [Text(found)] if found else []
    return [_part(raw, part) for raw, part in found]


def reasoning_parts(one: Fields) -> list[Part]:
    """A reasoning item: each text of it, and on the last what the vendor keeps encrypted."""
    place = place_of(one)
    extra: Extra = place or ((NAME, KIND, SUMMED),)  # clients that keep nothing with the vendor send no ids
    texts = [(part.text("text"), extra) for _, part in one.objects("summary")]
    inner = (*place, (NAME, KIND, SPOKEN))
    texts += [(part.text("text"), inner) for _, part in one.objects("content")]
    sealed = one.text("encrypted_content")
    more = one.rest(NAME, ITEM)
    found = [Thinking(text, extra=(*marks, *more)) for text, marks in texts or [("", extra)]]
    if sealed:
        found[-1] = msgspec.structs.replace(found[-1], signature=sealed)
    return list(found)


def call_of(one: Fields) -> ToolCall:
    """A call of a function."""
    place = place_of(one)
    call, name, arguments = one.text("call_id", None), one.text("name", None), one.text("arguments")
    return ToolCall(call, name, arguments, extra=(*place, *one.rest(NAME, ITEM)))


def result_of(one: Fields) -> ToolResult:
    """What a function gave back."""
    place, call = place_of(one), one.text("call_id", None)
    parts: list[Text | Image | Opaque] = []
    for part in content_of(one, "output"):
        if not isinstance(part, Text | Image | Opaque):
            one.wrong("expected text, images or files", "output")
        parts.append(part)
    return ToolResult(call, tuple(parts), extra=(*place, *one.rest(NAME, ITEM)))


def item_of(kind: str, raw: Raw) -> Opaque:
    """An item that only this dialect knows."""
    return Opaque(NAME, ITEM + kind, raw)


def _part(raw: Raw, one: Fields) -> Part:
    kind = one.text("type", None)
    if kind in _TEXTS:
        return _text(one, ())
    if kind == "refusal":
        return Refusal(one.text("refusal", None))
    if kind == "input_image":
        return _image(raw, one)
    return Opaque(NAME, kind, raw)


def _text(one: Fields, place: Extra) -> Text:
    text = one.text("text", None)
    citations = tuple(one.raws("annotations"))
    logprobs = one.raw("logprobs")
    told = ((NAME, "logprobs", logprobs),) if logprobs is not None and bytes(logprobs) != b"[]" else ()
    cache, extra = _cache(one)
    kept = (*place, *told, *extra, *one.rest(NAME))
    if citations and not kept:
        kept = (mark(KIND, "output_text"),)
    return Text(text, cache, citations, kept)


def _image(raw: Raw, one: Fields) -> Image | Opaque:
    if one.raw("file_id") is not None:
        return Opaque(NAME, "input_image", raw)
    url, detail = one.text("image_url", None), one.text("detail")
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
