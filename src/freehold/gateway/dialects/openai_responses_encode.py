"""A neutral request as a responses body. What has no place here is named, or refused where it changes the meaning.

A translated call is never kept by the vendor: `store` is false where this dialect's caller did not choose.
"""

from __future__ import annotations

from typing import Any

from msgspec import Raw

from freehold.core.errors import NotTranslatable
from freehold.gateway.dialects.openai_responses_decode import LOGPROBS
from freehold.gateway.dialects.openai_responses_items import instructions_and_items
from freehold.gateway.dialects.openai_responses_parts import NAME, is_mine
from freehold.gateway.json_fields import build, encoded, foreign, given, named, own, under
from freehold.gateway.messages import Format, Request, Tool, ToolChoice

REFUSED = frozenset(
    {
        "audio",
        "cachedContent",
        "function_call",
        "functions",
        "generationConfig.responseModalities",
        "guardrailConfig",
        "inference_geo",
        "modalities",
        "promptVariables",
        "response_format",
        "tool_choice",
        "web_search_options",
    }
)
"""Fields of other dialects that are more than an option: without them the call would not be what was meant."""

_CONSUMED = frozenset({"max_tokens", "max_completion_tokens", "stream_options"})
"""Fields kept aside only to be written the same way again; their meaning is in the neutral form."""
_NESTED = ("own.", "reasoning.", "text.")
_CHOICES = {"auto": "auto", "none": "none", "any": "required"}


def body_of(request: Request, model: str) -> tuple[bytes, tuple[str, ...]]:
    """The body, and what was dropped. Raises NotTranslatable."""
    dropped = _left_aside(request)
    instructions, items = instructions_and_items(request.turns, dropped)
    mine = is_mine(request.extra)
    include = [LOGPROBS] if request.logprobs and own(request.extra, NAME, "include") is None else None
    pairs: dict[str, Any] = {
        "model": model,
        "instructions": instructions,
        "input": items,
        "tools": _tools(request, dropped) or None,
        **_choice(request.tool_choice),
        "text": _text(request),
        "reasoning": _reasoning(request, dropped),
        "max_output_tokens": request.max_output,
        "temperature": request.temperature,
        "top_p": request.top_p,
        "include": include,
        "top_logprobs": request.top_logprobs,
        "user": request.user or None,
        "stream": request.stream or None,
        "store": None if mine else False,
    }
    return encoded(build(pairs, request.extra, NAME, _NESTED)), named(dropped)


def _left_aside(request: Request) -> list[str]:
    """What can only be dropped; what cannot even be that is refused."""
    if request.choices > 1:
        raise NotTranslatable(f"{NAME} gives one answer, {request.choices} were asked for", param="n")
    if request.stop:
        raise NotTranslatable(f"{NAME} knows no stop sequences", param="stop")
    text_only = Raw(b'["text"]')
    kept = tuple(one for one in request.extra if one[1] not in _CONSUMED and one[2] != text_only)
    dropped = foreign(kept, NAME)
    refused = sorted(REFUSED.intersection(dropped))
    if refused and not (refused == ["response_format"] and request.format is not None):
        raise NotTranslatable(f"{refused[0]} has no twin in {NAME}", param=refused[0])
    names = ("top_k", "seed", "presence_penalty", "frequency_penalty", "logit_bias")
    dropped += [name for name in names if getattr(request, name) is not None]
    return dropped


def _choice(choice: ToolChoice | None) -> dict[str, Any]:
    if choice is None:
        return {}
    one = {"type": "function", "name": choice.name}
    return {
        "tool_choice": one if choice.kind == "tool" else _CHOICES[choice.kind],
        "parallel_tool_calls": choice.parallel,
    }


def _text(request: Request) -> dict[str, Any] | None:
    more = under(request.extra, NAME, "text.")
    found: dict[str, Any] = {name: one for name, one in more.items() if not name.startswith("format.")}
    if request.format is not None:
        found["format"] = {**_format(request.format), **under(request.extra, NAME, "text.format.")}
    return found or None


def _format(form: Format) -> dict[str, Any]:
    """A schema needs a name here; one that came without is called `answer`."""
    if form.kind != "json_schema":
        return {"type": form.kind}
    pairs = {
        "type": form.kind,
        "name": form.name or "answer",
        "description": form.description or None,
        "schema": given(form.schema) or {"type": "object"},
        "strict": form.strict,
    }
    return build(pairs, (), NAME)


def _reasoning(request: Request, dropped: list[str]) -> dict[str, Any] | None:
    """An effort has a word here, a budget of tokens has none."""
    thought = request.thought
    effort = "" if thought is None else thought.effort
    if thought is not None and not effort and "thinking" not in dropped:
        dropped.append("thinking")
    found: dict[str, Any] = {"effort": effort} if effort else {}
    found.update(under(request.extra, NAME, "reasoning."))
    return found or None


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
    """Here strict is what goes without saying, elsewhere it is not."""
    dropped += [f"tools.{name}" for name in foreign(tool.extra, NAME)]
    if tool.cache is not None:
        dropped.append("cache_control")
    mine = is_mine(tool.extra)
    pairs = {
        "type": "function",
        "name": tool.name,
        "description": tool.description or None,
        "parameters": given(tool.schema) or (None if mine else {"type": "object", "properties": {}}),
        "strict": tool.strict if tool.strict is not None or mine else False,
    }
    return build(pairs, tool.extra, NAME, _NESTED)
