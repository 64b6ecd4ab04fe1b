"""What discovery and assignment see of a request: its system text, the users' turns, its tools and its JSON schema.

Read off the raw body of either dialect. Tolerant: what has another shape counts as absent, nothing raises.
"""

from __future__ import annotations

from typing import Any

import msgspec

from freehold.gateway.json_read import BROKEN

_SYSTEM = frozenset({"system", "developer"})
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
    role: str = ""
    content: Any = None


class _Body(msgspec.Struct):
    messages: list[_Message] = []
    system: Any = None
    tools: Any = None
    response_format: Any = None
    output_format: Any = None
    output_config: Any = None


_body = msgspec.json.Decoder(_Body)


def prompt_of(body: bytes) -> Prompt:
    """Read a body of `openai_chat` or `anthropic_messages`; an empty prompt where it is neither."""
    try:
        seen = _body.decode(body)
    except BROKEN:
        return Prompt()
    system = [_text(seen.system)] if seen.system else []
    first = last = ""
    turns = 0
    for one in seen.messages:
        if one.role == "user":
            said = _text(one.content)
            if said:
                first = first or said
                last = said
        elif one.role in _SYSTEM:
            system.append(_text(one.content))
        else:
            turns += 1
    return Prompt(
        system=system[0] if len(system) == 1 else "\n".join(system),
        first=first,
        last=first if last == first else last,
        turns=turns,
        tools=_tools(seen.tools),
        keys=_keys(seen),
    )


def _text(content: Any) -> str:
    """The text of a string, or of a list of parts."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return ""
    texts = [one.get("text") for one in content if isinstance(one, dict) and one.get("type") in ("text", "input_text")]
    return "\n".join(one for one in texts if isinstance(one, str))


def _tools(tools: Any) -> tuple[str, ...]:
    if not isinstance(tools, list) or not tools:
        return ()
    names = set()
    for one in tools[:_MOST_TOOLS]:
        if isinstance(one, dict):
            function = one.get("function")
            name = function.get("name") if isinstance(function, dict) else one.get("name", one.get("type"))
            if isinstance(name, str):
                names.add(name)
    return tuple(sorted(names))


def _keys(seen: _Body) -> tuple[str, ...]:
    """Members of the schema, in the places where the dialects put it."""
    form = seen.response_format if isinstance(seen.response_format, dict) else {}
    kind = form.get("type")
    if kind == "json_object":
        return ("*",)
    held: Any = form.get("json_schema")
    if not held:
        held = seen.output_format
        if not held and isinstance(seen.output_config, dict):
            held = seen.output_config.get("format")
    schema = held.get("schema") if isinstance(held, dict) else None
    members = schema.get("properties") if isinstance(schema, dict) else None
    if isinstance(members, dict):
        return tuple(sorted(str(one) for one in members)[:_MOST_KEYS])
    return ("*",) if kind == "json_schema" or held else ()
