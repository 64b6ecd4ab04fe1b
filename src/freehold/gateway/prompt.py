"""What discovery and assignment see of a request: its system text, the users' turns, its tools and its JSON schema.

Read off the raw body of any chat dialect. Tolerant: what has another shape counts as absent, nothing raises.
"""

from __future__ import annotations

from typing import Any

import msgspec

from freehold.gateway.json_read import BROKEN

_SYSTEM = frozenset({"system", "developer"})
_TEXTS = ("text", "input_text")
_MOST_TOOLS = 128
_MOST_KEYS = 64


class Prompt(msgspec.Struct, frozen=True):
    """One request. `first` and `last` are the same where there is one turn of the user's."""

    system: str = ""
    first: str = ""
    last: str = ""
    turns: int = 0
    """Turns that are neither the system's nor the user's: more than none means a conversation."""
    tools: tuple[str, ...] = ()
    """Names, sorted."""
    keys: tuple[str, ...] = ()
    """Of the JSON schema asked for, sorted; `*` where JSON is asked for without one."""


class _Message(msgspec.Struct):
    """A turn, or another item; Gemini calls its content `parts`, and may leave the user's role out."""

    role: str = ""
    content: Any = None
    parts: Any = None


class _Body(msgspec.Struct):
    messages: list[_Message] = []
    input: Any = None
    contents: Any = None
    system: Any = None
    instructions: Any = None
    systemInstruction: Any = None  # noqa: N815 - Gemini's name
    tools: Any = None
    toolConfig: Any = None  # noqa: N815 - Bedrock's name
    response_format: Any = None
    output_format: Any = None
    output_config: Any = None
    text: Any = None
    generationConfig: Any = None  # noqa: N815 - Gemini's name


_body = msgspec.json.Decoder(_Body)


def prompt_of(body: bytes) -> Prompt:
    """Read a body of a chat dialect; an empty prompt where it is none."""
    try:
        seen = _body.decode(body)
        said = [*seen.messages, *_items(seen.input), *_items(seen.contents, "user")]
    except BROKEN:
        return Prompt()
    stated = (seen.system, seen.instructions, _inner(seen.systemInstruction, "parts"))
    system = [_text(one) for one in stated if one]
    first = last = ""
    turns = 0
    for one in said:
        if one.role == "user":
            text = _text(one.content or one.parts)
            if text:
                first = first or text
                last = text
        elif one.role in _SYSTEM:
            system.append(_text(one.content))
        else:
            turns += 1
    return Prompt(
        system=system[0] if len(system) == 1 else "\n".join(system),
        first=first,
        last=first if last == first else last,
        turns=turns,
        tools=_tools(seen.tools or _inner(seen.toolConfig, "tools")),
        keys=_keys(seen),
    )


def _items(value: Any, unnamed: str = "") -> list[_Message]:
    """`input` of responses, or `contents` of Gemini, where who speaks unnamed is the user."""
    if isinstance(value, str):
        return [_Message(role="user", content=value)]
    found = msgspec.convert(value, list[_Message]) if isinstance(value, list) else []
    return [msgspec.structs.replace(one, role=one.role or unnamed) for one in found]


def _inner(value: Any, name: str) -> Any:
    return value.get(name) if isinstance(value, dict) else None


def _text(content: Any) -> str:
    """The text of a string, or of a list of parts."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return ""
    texts = [one.get("text") for one in content if isinstance(one, dict) and one.get("type", "text") in _TEXTS]
    return "\n".join(one for one in texts if isinstance(one, str))


def _tools(tools: Any) -> tuple[str, ...]:
    if not isinstance(tools, list) or not tools:
        return ()
    names = set()
    for one in tools[:_MOST_TOOLS]:
        declared = _inner(one, "functionDeclarations")
        for each in declared[:_MOST_TOOLS] if isinstance(declared, list) else [one]:
            inner = _inner(each, "function") or _inner(each, "toolSpec") or each
            name = _inner(inner, "name") or _inner(inner, "type")
            if isinstance(name, str):
                names.add(name)
    return tuple(sorted(names))


def _keys(seen: _Body) -> tuple[str, ...]:
    """Members of the schema, in the places where the dialects put it."""
    form = seen.response_format if isinstance(seen.response_format, dict) else _inner(seen.text, "format")
    kind = _inner(form, "type")
    if kind == "json_object":
        return ("*",)
    if kind == "json_schema" and _inner(form, "schema"):
        held = form
    else:
        held = _inner(form, "json_schema") or seen.output_format or _inner(seen.output_config, "format")
    config = seen.generationConfig
    schema = _inner(held, "schema") or _inner(config, "responseJsonSchema") or _inner(config, "responseSchema")
    members = _inner(schema, "properties")
    if isinstance(members, dict):
        return tuple(sorted(str(one) for one in members)[:_MOST_KEYS])
    asked = kind == "json_schema" or held or schema or _inner(config, "responseMimeType") == "application/json"
    return ("*",) if asked else ()
