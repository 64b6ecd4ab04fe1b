"""The shape of an answer: calls of tools, JSON with which keys, a number, a few words, or text.

Tolerant: what cannot be read is no answer, nothing raises.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from freehold.gateway.json_read import BROKEN

NONE, TOOL, JSON, NUMBER, SHORT, TEXT = "none", "tool", "json", "number", "short", "text"
KINDS = (NONE, TOOL, JSON, NUMBER, SHORT, TEXT)

MOST_TEXT = 4000
"""Characters of an answer that are looked at, once it is known not to be JSON."""
_MOST_KEYS = 64
_SHORT_LETTERS = 60
_SHORT_WORDS = 6
_FENCED = re.compile(r"\A\s*```[A-Za-z0-9_-]*\s*\n(.*?)\n?\s*```\s*\Z", re.DOTALL)
_NUMBER = re.compile(r"\A\s*[-+$€£¥]?\s?\d[\d.,'  ]*\s?%?\s*\Z")


class Said(msgspec.Struct, frozen=True):
    """An answer's kind, the names in it (of tools, or top-level keys of JSON; sorted), and its text."""

    kind: str
    names: tuple[str, ...] = ()
    text: str = ""


class _Function(msgspec.Struct, frozen=True):
    name: str = ""
    arguments: Any = None


class _Call(msgspec.Struct, frozen=True):
    function: _Function = _Function()


class _Message(msgspec.Struct, frozen=True):
    content: Any = None
    tool_calls: list[_Call] | None = None


class _Choice(msgspec.Struct, frozen=True):
    message: _Message = _Message()


class _Whole(msgspec.Struct):
    choices: list[_Choice] = []


_whole = msgspec.json.Decoder(_Whole)
_any = msgspec.json.Decoder()
NOTHING = Said(NONE)


def said_of(response: bytes) -> Said:
    """The first choice of a `chat.completion`; `NOTHING` where there is none or it cannot be read."""
    if not response:
        return NOTHING
    try:
        choices = _whole.decode(response).choices
    except BROKEN:
        return NOTHING
    if not choices:
        return NOTHING
    message = choices[0].message
    if message.tool_calls:
        names = sorted({one.function.name for one in message.tool_calls})
        texts = [str(one.function.arguments) for one in message.tool_calls]
        return Said(TOOL, tuple(names), "\n".join(texts)[:MOST_TEXT])
    return said_in(_text(message.content))


def said_in(text: str) -> Said:
    """The shape of an answer's text."""
    bare = text.strip()
    if not bare:
        return NOTHING
    if bare[0] in "{[`":
        fenced = _FENCED.match(bare)
        inner = fenced[1].strip() if fenced else bare
        keys = _keys(inner)
        if keys is not None:
            return Said(JSON, keys, inner[:MOST_TEXT])
    if _NUMBER.match(bare):
        return Said(NUMBER, (), bare)
    if len(bare) <= _SHORT_LETTERS and "\n" not in bare and len(bare.split()) <= _SHORT_WORDS:
        return Said(SHORT, (), bare)
    return Said(TEXT, (), bare[:MOST_TEXT])


def _keys(text: str) -> tuple[str, ...] | None:
    """Top-level keys of an object, or of the first object in a list; None where it is no JSON of that form."""
    if text[:1] not in ("{", "["):
        return None
    try:
        value = _any.decode(text)
    except BROKEN:
        return None
    if isinstance(value, list):
        value = value[0] if value else {}
        if not isinstance(value, dict):
            return ("[]",)
        return ("[]", *sorted(value)[:_MOST_KEYS])
    return tuple(sorted(value)[:_MOST_KEYS]) if isinstance(value, dict) else None


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        texts = [one.get("text", "") for one in content if isinstance(one, dict)]
        return "\n".join(one for one in texts if isinstance(one, str))
    return ""
