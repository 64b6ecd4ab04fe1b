"""A neutral request as a messages body. What has no place here is named, or refused where it changes the meaning."""

from __future__ import annotations

from typing import Any

from msgspec import Raw

from freehold.core.errors import NotTranslatable
from freehold.gateway.dialects.anthropic_blocks import cache_control, system_and_messages
from freehold.gateway.dialects.anthropic_parts import NAME
from freehold.gateway.json_fields import build, encoded, foreign, named, under
from freehold.gateway.messages import Request, Tool, ToolChoice

DEFAULT_MAX_TOKENS = 4096
"""Sent where the caller named no limit: this dialect demands one."""

REFUSED = frozenset(
    {
        "audio",
        "background",
        "cachedContent",
        "conversation",
        "function_call",
        "functions",
        "generationConfig.responseModalities",
        "guardrailConfig",
        "modalities",
        "previous_response_id",
        "prompt",
        "promptVariables",
        "response_format",
        "tool_choice",
        "web_search_options",
    }
)
"""Fields of other dialects that are more than an option: without them the call would not be what was meant."""

_CONSUMED = frozenset({"max_tokens", "max_completion_tokens", "stream_options"})
"""Fields kept aside only to be written the same way again; their meaning is in the neutral form."""

_EFFORTS = frozenset({"low", "medium", "high", "xhigh", "max"})
_NESTED = ("metadata.", "output_config.")


def body_of(request: Request, model: str) -> tuple[bytes, tuple[str, ...]]:
    """The body, and what was dropped. Raises NotTranslatable."""
    dropped = _left_aside(request)
    system, messages = system_and_messages(request.turns, dropped)
    pairs: dict[str, Any] = {
        "model": model,
        "max_tokens": DEFAULT_MAX_TOKENS if request.max_output is None else request.max_output,
        "system": system,
        "messages": messages,
        "tools": _tools(request, dropped) or None,
        "tool_choice": _choice(request.tool_choice),
        "thinking": _thinking(request),
        "output_config": _config(request, dropped),
        "temperature": _temperature(request, dropped),
        "top_p": request.top_p,
        "top_k": request.top_k,
        "stop_sequences": request.stop or None,
        "metadata": _metadata(request),
        "stream": request.stream or None,
    }
    return encoded(build(pairs, request.extra, NAME, _NESTED)), named(dropped)


def _left_aside(request: Request) -> list[str]:
    """What can only be dropped; what cannot even be that is refused."""
    if request.choices > 1:
        raise NotTranslatable(f"{NAME} gives one answer, {request.choices} were asked for", param="n")
    if request.format is not None and request.format.kind != "json_schema":
        raise NotTranslatable(f"{NAME} has no '{request.format.kind}' without a schema", param="response_format")
    text_only = Raw(b'["text"]')
    kept = tuple(one for one in request.extra if one[1] not in _CONSUMED and one[2] != text_only)
    dropped = foreign(kept, NAME)
    refused = sorted(REFUSED.intersection(dropped))
    if refused and not (refused == ["response_format"] and request.format is not None):
        raise NotTranslatable(f"{refused[0]} has no twin in {NAME}", param=refused[0])
    for name in ("seed", "presence_penalty", "frequency_penalty", "logprobs", "top_logprobs", "logit_bias"):
        if getattr(request, name):
            dropped.append(name)
    if request.format is not None and request.format.description:
        dropped.append("response_format.json_schema.description")
    return dropped


def _temperature(request: Request, dropped: list[str]) -> float | None:
    """Up to 1 here, up to 2 elsewhere: the top is cut, and said so."""
    if request.temperature is not None and request.temperature > 1:
        dropped.append("temperature")
        return 1.0
    return request.temperature


def _thinking(request: Request) -> dict[str, Any] | None:
    thought = request.thought
    if thought is None:
        return None
    if not thought.enabled:
        return {"type": "disabled"}
    return None if thought.budget is None else {"type": "enabled", "budget_tokens": thought.budget}


def _config(request: Request, dropped: list[str]) -> dict[str, Any] | None:
    found: dict[str, Any] = {}
    effort = request.thought.effort if request.thought is not None else ""
    if effort and effort not in _EFFORTS and effort != "none":
        dropped.append("reasoning_effort")
        effort = "low" if effort == "minimal" else ""
    if effort and effort != "none":
        found["effort"] = effort
    older = any(owner == NAME and name == "output_format" for owner, name, _ in request.extra)
    if request.format is not None and not older:
        found["format"] = {"type": "json_schema", "schema": request.format.schema}
    found.update(under(request.extra, NAME, "output_config."))
    return found or None


def _metadata(request: Request) -> dict[str, Any] | None:
    found: dict[str, Any] = {"user_id": request.user} if request.user else {}
    found.update(under(request.extra, NAME, "metadata."))
    return found or None


def _choice(choice: ToolChoice | None) -> dict[str, Any] | None:
    if choice is None:
        return None
    found: dict[str, Any] = {"type": choice.kind}
    if choice.kind == "tool":
        found["name"] = choice.name
    if choice.parallel is not None and choice.kind != "none":
        found["disable_parallel_tool_use"] = not choice.parallel
    return found


def _tools(request: Request, dropped: list[str]) -> list[Any]:
    found: list[Any] = []
    for tool in request.tools:
        if tool.opaque is None:
            found.append(_tool(tool, dropped))
        elif tool.opaque.dialect == NAME:
            found.append(tool.opaque.raw)
        else:
            dropped.append(f"tools.{tool.opaque.kind}")
    return found


def _tool(tool: Tool, dropped: list[str]) -> dict[str, Any]:
    dropped += [f"tools.{name}" for name in foreign(tool.extra, NAME)]
    pairs = {
        "name": tool.name,
        "description": tool.description or None,
        "input_schema": tool.schema if bytes(tool.schema) else {"type": "object"},
        "strict": tool.strict,
        "cache_control": cache_control(tool.cache, dropped),
    }
    return build(pairs, tool.extra, NAME)
