"""A neutral request as a Converse body. What has no place here is named, or refused where it changes the meaning.

The model and whether to stream stand in the path, not in the body.
"""

from __future__ import annotations

from typing import Any

from msgspec import Raw

from freehold.core.errors import NotTranslatable
from freehold.gateway.dialects.bedrock_blocks import plain, point_of, system_and_messages
from freehold.gateway.dialects.bedrock_decode import MORE, SAID_BUDGET, SAID_TOP_K
from freehold.gateway.dialects.bedrock_parts import NAME, is_mine
from freehold.gateway.json_fields import OWN, build, encoded, foreign, named, own, under
from freehold.gateway.messages import Request, Tool, ToolCall, ToolResult

REFUSED = frozenset(
    {
        "audio",
        "background",
        "cachedContent",
        "conversation",
        "function_call",
        "functions",
        "inference_geo",
        "modalities",
        "previous_response_id",
        "prompt",
        "response_format",
        "tool_choice",
        "web_search_options",
    }
)
"""Fields of other dialects that are more than an option: without them the call would not be what was meant."""

THINKING = "thinking"
"""What Claude's own field is called, in its vendor's dialect and among a model's own fields here."""
_CONSUMED = frozenset({"max_tokens", "max_completion_tokens", "stream_options"})
"""Fields kept aside only to be written the same way again; their meaning is in the neutral form."""
_LEFT = ("seed", "presence_penalty", "frequency_penalty", "logprobs", "top_logprobs", "logit_bias", "user")
_NESTED = ("inferenceConfig.", "outputConfig.", "toolConfig.", f"{MORE}.", OWN)


def body_of(request: Request, model: str) -> tuple[bytes, tuple[str, ...]]:
    """The body, and what was dropped. Raises NotTranslatable."""
    dropped = _left_aside(request, claude="claude" in model)
    system, messages = system_and_messages(request.turns, dropped, mine=is_mine(request.extra))
    pairs: dict[str, Any] = {
        "messages": messages or None,
        "system": system or None,
        "inferenceConfig": _limits(request, dropped) or None,
        "toolConfig": _tools(request, dropped) or None,
        "outputConfig": _output(request, dropped) or None,
        MORE: _more(request, model, dropped) or None,
    }
    return encoded(build(pairs, request.extra, NAME, _NESTED)), named(dropped)


def _left_aside(request: Request, *, claude: bool) -> list[str]:
    """What can only be dropped; what cannot even be that is refused."""
    if request.choices > 1:
        raise NotTranslatable(f"{NAME} gives one answer, {request.choices} were asked for", param="n")
    if request.format is not None and request.format.kind != "json_schema":
        raise NotTranslatable(f"{NAME} has no '{request.format.kind}' without a schema", param="response_format")
    text_only = Raw(b'["text"]')
    carried = _CONSUMED | {THINKING} if claude else _CONSUMED
    kept = tuple(one for one in request.extra if one[1] not in carried and one[2] != text_only)
    dropped = foreign(kept, NAME)
    refused = sorted(REFUSED.intersection(dropped))
    if refused and not (refused == ["response_format"] and request.format is not None):
        raise NotTranslatable(f"{refused[0]} has no twin in {NAME}", param=refused[0])
    return [*dropped, *(name for name in _LEFT if getattr(request, name))]


def _limits(request: Request, dropped: list[str]) -> dict[str, Any]:
    temperature = request.temperature
    if temperature is not None and temperature > 1 and not is_mine(request.extra):
        dropped.append("temperature")  # up to 1 here, up to 2 elsewhere: the top is cut, and said so
        temperature = 1.0
    pairs = {
        "maxTokens": request.max_output,
        "temperature": temperature,
        "topP": request.top_p,
        "stopSequences": request.stop or None,
    }
    found = {name: value for name, value in pairs.items() if value is not None}
    return {**found, **under(request.extra, NAME, "inferenceConfig.")}


def _tools(request: Request, dropped: list[str]) -> dict[str, Any]:
    choice, more = request.tool_choice, under(request.extra, NAME, "toolConfig.")
    if choice is not None and choice.parallel is not None:
        dropped.append("parallel_tool_calls")
    if choice is not None and choice.kind == "none":
        if any(isinstance(part, ToolCall | ToolResult) for turn in request.turns for part in turn.parts):
            raise NotTranslatable(f"{NAME} cannot forbid tools that earlier turns have called", param="tool_choice")
        dropped += ["tools"] if request.tools else []
        return {}
    tools: list[Any] = []
    for tool in request.tools:
        if tool.opaque is None:
            tools.append(_tool(tool, dropped))
            if tool.cache is not None:
                tools.append(point_of(tool.cache, tool.extra, dropped))
        elif tool.opaque.dialect == NAME:
            tools.append(tool.opaque.raw)
        else:
            dropped.append(f"tools.{tool.opaque.kind}")
    found: dict[str, Any] = {"tools": tools} if tools else {}
    if choice is not None and not tools and choice.kind == "auto":
        dropped.append("tool_choice")  # among none; any other choice is the vendor's to refuse
    elif choice is not None:
        found = {"tools": tools, "toolChoice": {choice.kind: {"name": choice.name} if choice.kind == "tool" else {}}}
    return {**found, **more}


def _tool(tool: Tool, dropped: list[str]) -> dict[str, Any]:
    dropped += [f"tools.{name}" for name in foreign(tool.extra, NAME)]
    schema = tool.schema if bytes(tool.schema) else Raw(b'{"type":"object","properties":{}}')
    pairs = {
        "name": tool.name,
        "description": tool.description or None,
        "inputSchema": {"json": schema},
        "strict": tool.strict,
    }
    return {"toolSpec": plain(pairs, tool.extra)}


def _output(request: Request, dropped: list[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    form, effort = request.format, request.thought.effort if request.thought is not None else ""
    if form is not None:
        pairs = {
            "schema": bytes(form.schema).decode() if bytes(form.schema) else '{"type":"object"}',
            "name": form.name or None,
            "description": form.description or None,
        }
        schema = {name: value for name, value in pairs.items() if value is not None}
        found["textFormat"] = {"type": "json_schema", "structure": {"jsonSchema": schema}}
    if effort and effort != "none":
        found["effort"] = effort
    return {**found, **under(request.extra, NAME, "outputConfig.")}


def _more(request: Request, model: str, dropped: list[str]) -> dict[str, Any]:
    """Fields of the model's own: only Claude's are known, and others refuse what they do not know."""
    extra, thought = request.extra, request.thought
    claude = "claude" in model
    found: dict[str, Any] = {}
    if request.top_k is not None and (claude or own(extra, NAME, SAID_TOP_K) is not None):
        found["top_k"] = request.top_k
    elif request.top_k is not None:
        dropped.append("top_k")
    kept = own(extra, NAME, f"{MORE}.{THINKING}") is not None
    told = next((value for owner, name, value in extra if name == THINKING and owner != NAME), None)
    if claude and told is not None:
        found[THINKING] = told
    elif thought is not None and not kept and (not thought.enabled or thought.budget is not None):
        if claude or own(extra, NAME, SAID_BUDGET) is not None:
            budget = {} if thought.budget is None else {"budget_tokens": thought.budget}
            found[THINKING] = {"type": "enabled" if thought.enabled else "disabled", **budget}
        elif THINKING not in dropped:
            dropped.append(THINKING)
    return {**found, **under(extra, NAME, f"{MORE}.")}
