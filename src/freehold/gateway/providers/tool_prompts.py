"""Tools for a model that knows none: said in the system prompt, enforced by a JSON schema on the answer. Pure.

The answer then is `{"tool_calls": [...]}` or, where the model may choose, `{"answer": ...}`; `tool_answers` turns it
back. Calls and results of earlier turns are told in the same form, as text.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Raw

from freehold.core.errors import NotTranslatable
from freehold.gateway.messages import Format, Part, Request, Text, Tool, ToolCall, ToolChoice, ToolResult, Turn
from freehold.gateway.providers.bounded_schema import MAX_CHARACTERS, bounded

MAX_CALLS = 4
"""Most calls in one answer: a small model repeats itself when it may."""
_FREE: dict[str, Any] = {"type": "object", "properties": {}, "additionalProperties": False}
_ANSWER: dict[str, Any] = {"type": "string", "maxLength": 4 * MAX_CHARACTERS}


def without_tools(request: Request) -> Request:
    """The request with earlier calls and results as text, and no tools offered."""
    return msgspec.structs.replace(request, turns=told(request.turns), tools=(), tool_choice=None)


def with_schema(request: Request) -> Request:
    """The request with its tools as an instruction and a schema. Raises NotTranslatable for tools that are no function.

    The choice must be `auto`, `any` or `tool`.
    """
    choice = request.tool_choice or ToolChoice()
    offered = _offered(request.tools, choice)
    schema = _schema(offered, choice, request.format)
    instruction = _instruction(offered, choice)
    return msgspec.structs.replace(
        request,
        turns=_instructed(told(request.turns), instruction),
        tools=(),
        tool_choice=None,
        format=Format("json_schema", Raw(msgspec.json.encode(schema)), name="reply", strict=True),
    )


def told(turns: tuple[Turn, ...]) -> tuple[Turn, ...]:
    """The turns with tool calls and their results as text."""
    names = {part.id: part.name for turn in turns for part in turn.parts if isinstance(part, ToolCall)}
    return tuple(_told(turn, names) for turn in turns)


def _told(turn: Turn, names: dict[str, str]) -> Turn:
    if not any(isinstance(one, ToolCall | ToolResult) for one in turn.parts):
        return turn
    calls = [one for one in turn.parts if isinstance(one, ToolCall)]
    parts: list[Part] = []
    for one in turn.parts:
        if isinstance(one, ToolResult):
            parts.append(Text(_result(one, names.get(one.id, "the tool"))))
        elif not isinstance(one, ToolCall):
            parts.append(one)
    if calls:
        parts.append(Text(f'{{"tool_calls": [{", ".join(_call(one) for one in calls)}]}}'))
    return msgspec.structs.replace(turn, parts=tuple(parts))


def _call(call: ToolCall) -> str:
    return f'{{"name": {msgspec.json.encode(call.name).decode()}, "arguments": {call.arguments or "{}"}}}'


def _result(result: ToolResult, name: str) -> str:
    text = "\n".join(one.text for one in result.parts if isinstance(one, Text))
    return f"{name} {'failed' if result.is_error else 'returned'}: {text}"


def _offered(tools: tuple[Tool, ...], choice: ToolChoice) -> tuple[Tool, ...]:
    for tool in tools:
        if tool.opaque is not None:
            raise NotTranslatable(f"{tool.name or tool.opaque.kind!r} is no function tool", param="tools")
    if choice.kind != "tool":
        return tools
    named = tuple(one for one in tools if one.name == choice.name)
    if not named:
        raise NotTranslatable(f"tool_choice names {choice.name!r}, which is not among the tools", param="tool_choice")
    return named


def _schema(tools: tuple[Tool, ...], choice: ToolChoice, wanted: Format | None) -> dict[str, Any]:
    definitions = {f"tool_{i}": _arguments(tool, f"#/$defs/tool_{i}") for i, tool in enumerate(tools)}
    one_call = [
        _object({"name": {"const": tool.name}, "arguments": {"$ref": f"#/$defs/tool_{i}"}})
        for i, tool in enumerate(tools)
    ]
    item = one_call[0] if len(one_call) == 1 else {"anyOf": one_call}
    most = 1 if choice.parallel is False else MAX_CALLS
    calls = _object({"tool_calls": {"type": "array", "items": item, "minItems": 1, "maxItems": most}})
    if choice.kind != "auto":
        return {**calls, "$defs": definitions}
    answer: Any = _ANSWER
    if wanted is not None:
        definitions["answer"] = bounded(_json(wanted.schema, {"type": "object"}), "#/$defs/answer")
        answer = {"$ref": "#/$defs/answer"}
    return {"anyOf": [calls, _object({"answer": answer})], "$defs": definitions}


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _arguments(tool: Tool, base: str) -> Any:
    schema = _json(tool.schema, _FREE)
    if isinstance(schema, dict) and schema.get("type") == "object" and not schema.get("properties"):
        # A function without parameters; an object that is free in every way would never end.
        return schema if schema.keys() & {"$ref", "anyOf", "oneOf", "allOf"} else _FREE
    return bounded(schema, base)


def _json(raw: Raw, otherwise: dict[str, Any]) -> Any:
    return msgspec.json.decode(raw) if bytes(raw) else otherwise


def _instruction(tools: tuple[Tool, ...], choice: ToolChoice) -> str:
    lines = ["You can call these tools:"]
    for tool in tools:
        about = f": {tool.description}" if tool.description else ""
        schema = bytes(tool.schema).decode() or "{}"
        lines.append(f"- {tool.name}{about}\n  arguments: {schema}")
    lines.append('To call tools, reply with JSON: {"tool_calls": [{"name": "...", "arguments": {...}}]}')
    if choice.kind == "auto":
        lines.append('To answer without a tool, reply with JSON: {"answer": "..."}')
    else:
        lines.append("You must call a tool.")
    return "\n".join(lines)


def _instructed(turns: tuple[Turn, ...], instruction: str) -> tuple[Turn, ...]:
    first = turns[0] if turns else None
    if first is not None and first.role in {"system", "developer"}:
        return (msgspec.structs.replace(first, parts=(*first.parts, Text("\n\n" + instruction))), *turns[1:])
    return (Turn("system", (Text(instruction),)), *turns)
