"""What a record says, for whoever compares words: system text, turns, tools, the wanted form, the answer.

Tolerant: what has an unknown shape is empty, nothing here raises for content.
"""

from __future__ import annotations

from typing import Any

import msgspec

from freehold.grading.types import Answer, ToolCall
from freehold.workflows.records import Record

_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode
_BROKEN = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_SYSTEM = frozenset({"system", "developer"})
_REFUSED = frozenset({"content_filter"})


class Exchange(msgspec.Struct, frozen=True, kw_only=True):
    """A request and its answer as text."""

    system: str = ""
    """System and developer messages, joined by line ends."""
    turns: tuple[tuple[str, str], ...] = ()
    """(role, text) of every other message; a call of a tool reads `name(arguments)`."""
    tools: tuple[str, ...] = ()
    """Names of the tools offered, in their order."""
    tool_schemas: dict[str, Any] = {}
    """JSON Schema of each tool's parameters, by name."""
    schema: dict[str, Any] | None = None
    """JSON Schema the answer must have (`response_format`); `{"type": "object"}` where any object will do."""
    answer: Answer = Answer()


def exchange(record: Record) -> Exchange:
    """What the record says."""
    body = _object(record.request)
    system: list[str] = []
    turns: list[tuple[str, str]] = []
    for one in _list(body.get("messages")):
        if not isinstance(one, dict):
            continue
        role, said = _text(one.get("role")), said_in(one)
        if role in _SYSTEM:
            system.append(said)
        else:
            turns.append((role, said))
    schemas = {name: schema for name, schema in map(_tool, _list(body.get("tools"))) if name}
    schemas |= {name: schema for name, schema in map(_function, _list(body.get("functions"))) if name}
    return Exchange(
        system="\n".join(system),
        turns=tuple(turns),
        tools=tuple(schemas),
        tool_schemas=schemas,
        schema=_schema(body.get("response_format")),
        answer=answer_of(record.response),
    )


def answer_of(response: bytes) -> Answer:
    """The first choice of a `chat.completion`; an empty answer where there is none."""
    choice = next((one for one in _list(_object(response).get("choices")) if isinstance(one, dict)), {})
    message = _dict(choice.get("message"))
    refusal = _text(message.get("refusal"))
    finish = _text(choice.get("finish_reason")) or "stop"
    confidence = _dict(choice.get("freehold")).get("confidence")
    return Answer(
        text=content_text(message.get("content")) or refusal,
        tool_calls=_calls(message),
        refusal=bool(refusal) or finish in _REFUSED,
        finish=finish,
        confidence=float(confidence) if isinstance(confidence, int | float) else None,
    )


def said_in(message: dict[str, Any]) -> str:
    """The text of one message, calls of tools after it."""
    said = content_text(message.get("content")) or _text(message.get("refusal"))
    calls = _calls(message)
    if not calls:
        return said
    return "\n".join([*([said] if said else []), *(f"{one.name}({one.arguments})" for one in calls)])


def content_text(content: object) -> str:
    """Text of a message's `content`: a string, or the texts of its parts joined by line ends."""
    if isinstance(content, str):
        return content
    parts = (_dict(one) for one in _list(content))
    return "\n".join(text for one in parts if (text := _text(one.get("text")) or _text(one.get("refusal"))))


def _calls(message: dict[str, Any]) -> tuple[ToolCall, ...]:
    found = [_call(_dict(_dict(one).get("function"))) for one in _list(message.get("tool_calls"))]
    old = message.get("function_call")
    if isinstance(old, dict):
        found.append(_call(old))
    return tuple(found)


def _call(function: dict[str, Any]) -> ToolCall:
    arguments = function.get("arguments")
    text = arguments if isinstance(arguments, str) else "" if arguments is None else _encode(arguments).decode()
    return ToolCall(_text(function.get("name")), text)


def _tool(tool: object) -> tuple[str, Any]:
    return _function(_dict(tool).get("function"))


def _function(function: object) -> tuple[str, Any]:
    found = _dict(function)
    return _text(found.get("name")), found.get("parameters") or {}


def _schema(form: object) -> dict[str, Any] | None:
    found = _dict(form)
    kind = found.get("type")
    if kind == "json_schema":
        return _dict(_dict(found.get("json_schema")).get("schema")) or {"type": "object"}
    return {"type": "object"} if kind == "json_object" else None


def _object(data: bytes) -> dict[str, Any]:
    try:
        return _dict(_decode(data)) if data else {}
    except _BROKEN:
        return {}


def _dict(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
