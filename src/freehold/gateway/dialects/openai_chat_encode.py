"""A neutral request as a chat completions body. What has no place here is named, or refused where it is content."""

from __future__ import annotations

from typing import Any

from freehold.core.errors import NotTranslatable
from freehold.gateway.dialects.openai_chat_messages import messages_of
from freehold.gateway.dialects.openai_chat_parts import NAME
from freehold.gateway.json_fields import NULL, build, encoded, foreign, given, named, own, under
from freehold.gateway.messages import Format, Request, Tool, ToolChoice

REFUSED = frozenset(
    {
        "background",
        "cachedContent",
        "conversation",
        "generationConfig.responseModalities",
        "guardrailConfig",
        "inference_geo",
        "previous_response_id",
        "prompt",
        "promptVariables",
    }
)
"""Fields of other dialects that are more than an option: without them the call would not be what was meant."""

_NESTED = ("stream_options.", "function.")
_CHOICES = {"auto": "auto", "none": "none", "any": "required"}


def body_of(request: Request, model: str) -> tuple[bytes, tuple[str, ...]]:
    """The body, and what was dropped. Raises NotTranslatable."""
    dropped = foreign(request.extra, NAME)
    refused = sorted(REFUSED.intersection(dropped))
    if request.tool_choice is None and "tool_choice" in dropped:
        refused.append("tool_choice")
    if refused:
        raise NotTranslatable(f"{refused[0]} has no twin in {NAME}", param=refused[0])
    if request.top_k is not None:
        dropped.append("top_k")
    effort = request.thought.effort if request.thought is not None else ""
    if request.thought is not None and not effort and "thinking" not in dropped:
        dropped.append("thinking")
    pairs: dict[str, Any] = {
        "model": model,
        "messages": messages_of(request.turns, dropped),
        "tools": _tools(request, dropped) or None,
        **_choice(request.tool_choice),
        "response_format": None if request.format is None else _format(request.format),
        "reasoning_effort": effort or None,
        "temperature": request.temperature,
        "top_p": request.top_p,
        "stop": request.stop or None,
        "n": request.choices if request.choices > 1 else None,
        "seed": request.seed,
        "presence_penalty": request.presence_penalty,
        "frequency_penalty": request.frequency_penalty,
        "logprobs": request.logprobs or None,
        "top_logprobs": request.top_logprobs,
        "logit_bias": request.logit_bias,
        "user": request.user or None,
        "stream": request.stream or None,
        "stream_options": _options(request),
    }
    found = build(pairs, request.extra, NAME, _NESTED)
    for name in _limits(request):
        found[name] = request.max_output
    return encoded({name: one for name, one in found.items() if one is not None and one != NULL}), named(dropped)


def _limits(request: Request) -> list[str]:
    """The names the output limit is sent under: those the caller or the vendor's row used, else the official one."""
    used = [name for name in ("max_completion_tokens", "max_tokens") if own(request.extra, NAME, name) is not None]
    return used or ["max_completion_tokens"]


def _options(request: Request) -> dict[str, Any] | None:
    """Usage is asked for here only where the request says so."""
    found: dict[str, Any] = dict(under(request.extra, NAME, "stream_options."))
    if request.stream and request.wants_usage:
        found["include_usage"] = True
    return found or None


def _choice(choice: ToolChoice | None) -> dict[str, Any]:
    if choice is None:
        return {}
    named_tool = {"type": "function", "function": {"name": choice.name}}
    return {
        "tool_choice": named_tool if choice.kind == "tool" else _CHOICES[choice.kind],
        "parallel_tool_calls": choice.parallel,
    }


def _format(form: Format) -> dict[str, Any]:
    """A schema needs a name here; one that came without is called `answer`."""
    if form.kind != "json_schema":
        return {"type": form.kind}
    schema = {
        "name": form.name or "answer",
        "description": form.description or None,
        "schema": given(form.schema),
        "strict": form.strict,
    }
    return {"type": "json_schema", "json_schema": build(schema, (), NAME)}


def _tools(request: Request, dropped: list[str]) -> list[Any]:
    found: list[Any] = []
    for tool in request.tools:
        if tool.opaque is None:
            found.append(_tool(tool, dropped))
        elif tool.opaque.dialect == NAME:
            found.append(tool.opaque.raw)
        elif request.tool_choice is not None and request.tool_choice.name == tool.name:
            raise NotTranslatable(f"the tool '{tool.name}' has no twin in {NAME}", param="tools")
        else:
            dropped.append(f"tools.{tool.opaque.kind}")
    return found


def _tool(tool: Tool, dropped: list[str]) -> dict[str, Any]:
    dropped += [f"tools.{name}" for name in foreign(tool.extra, NAME)]
    if tool.cache is not None:
        dropped.append("cache_control")
    function = {
        "name": tool.name,
        "description": tool.description or None,
        "parameters": given(tool.schema),
        "strict": tool.strict,
    }
    inner = {**build(function, (), NAME), **under(tool.extra, NAME, "function.")}
    return build({"type": "function", "function": inner}, tool.extra, NAME, _NESTED)
