"""A neutral request as a generateContent body. What has no place is named, or refused where it changes the meaning.

Model and streaming stand in the path. Schemas go as JSON Schema, in the fields that take it, as the caller wrote them.
"""

from __future__ import annotations

from typing import Any

from msgspec import Raw

from freehold.core.errors import NotTranslatable
from freehold.gateway.dialects.gemini_blocks import system_and_contents
from freehold.gateway.dialects.gemini_decode import (
    CHOICE,
    CONFIG,
    JSON,
    OWN_FORM,
    OWN_MODALITIES,
    OWN_SCHEMA,
    OWN_THOUGHT,
)
from freehold.gateway.dialects.gemini_wire import NAME
from freehold.gateway.json_fields import OWN, build, encoded, foreign, given, named, own, under
from freehold.gateway.messages import Request, Tool

REFUSED = frozenset(
    {
        "audio",
        "background",
        "conversation",
        "function_call",
        "functions",
        "guardrailConfig",
        "inference_geo",
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

_CONSUMED = frozenset({"max_tokens", "max_completion_tokens", "stream_options", "thinking"})
"""Fields kept aside only to be written the same way again; their meaning is in the neutral form."""

_NESTED = (OWN, CONFIG, "toolConfig.")
_MODES = {"auto": "AUTO", "none": "NONE", "any": "ANY", "tool": "ANY"}
_LEVELS = {"minimal": "MINIMAL", "low": "LOW", "medium": "MEDIUM", "high": "HIGH", "xhigh": "XHIGH", "max": "XHIGH"}


def body_of(request: Request) -> tuple[bytes, tuple[str, ...]]:
    """The body, and what was dropped. Raises NotTranslatable."""
    dropped = _left_aside(request)
    system, contents = system_and_contents(request.turns, dropped)
    pairs: dict[str, Any] = {
        "systemInstruction": system,
        "contents": contents,
        "tools": _tools(request, dropped) or None,
        "toolConfig": _tool_config(request) or None,
        "generationConfig": _config(request, dropped) or None,
    }
    extra = tuple(one for one in request.extra if one[1] != CHOICE)
    return encoded(build(pairs, extra, NAME, _NESTED)), named(dropped)


def _left_aside(request: Request) -> list[str]:
    """What can only be dropped; what cannot even be that is refused."""
    text_only = Raw(b'["text"]')
    kept = tuple(one for one in request.extra if one[1] not in _CONSUMED and one[2] != text_only)
    dropped = foreign(kept, NAME)
    refused = sorted(REFUSED.intersection(dropped))
    if refused and not (refused == ["response_format"] and request.format is not None):
        raise NotTranslatable(f"{refused[0]} has no twin in {NAME}", param=refused[0])
    if request.logit_bias is not None:
        dropped.append("logit_bias")
    if request.user:
        dropped.append("user")
    if request.tool_choice is not None and request.tool_choice.parallel is False:
        dropped.append("parallel_tool_calls")
    if request.format is not None and request.format.description:
        dropped.append("response_format.json_schema.description")
    return dropped


def _config(request: Request, dropped: list[str]) -> dict[str, Any]:
    found: dict[str, Any] = {
        "temperature": request.temperature,
        "topP": request.top_p,
        "topK": request.top_k,
        "candidateCount": request.choices if request.choices > 1 else None,
        "maxOutputTokens": request.max_output,
        "stopSequences": request.stop or None,
        "seed": request.seed,
        "presencePenalty": request.presence_penalty,
        "frequencyPenalty": request.frequency_penalty,
        "responseLogprobs": request.logprobs or None,
        "logprobs": request.top_logprobs,
        "thinkingConfig": _thinking(request, dropped),
    }
    if request.format is not None:
        mine = own(request.extra, NAME, OWN_FORM)
        schema = given(request.format.schema)
        found |= {
            "responseMimeType": JSON,
            "responseSchema" if mine is not None else "responseJsonSchema": mine or schema,
        }
    found["responseModalities"] = own(request.extra, NAME, OWN_MODALITIES)
    return {**build(found, (), NAME), **under(request.extra, NAME, CONFIG)}


def _thinking(request: Request, dropped: list[str]) -> Any:
    """Levels are words here too; who thinks also shows it, as other dialects do."""
    kept = own(request.extra, NAME, OWN_THOUGHT)
    thought = request.thought
    if kept is not None or thought is None:
        return kept
    if not thought.enabled:
        return {"thinkingBudget": 0}
    if thought.budget is not None:
        return {"thinkingBudget": thought.budget, "includeThoughts": True}
    level = _LEVELS.get(thought.effort)
    if thought.effort and level is None:
        dropped.append("reasoning_effort")
    return build({"thinkingLevel": level, "includeThoughts": True}, (), NAME)


def _tool_config(request: Request) -> dict[str, Any]:
    choice = request.tool_choice
    found = dict(under(request.extra, NAME, "toolConfig."))
    config: Any = own(request.extra, NAME, CHOICE)
    if config is None and choice is not None:
        config = {"mode": _MODES[choice.kind]}
        if choice.kind == "tool":
            config["allowedFunctionNames"] = [choice.name]
    return {"functionCallingConfig": config, **found} if config is not None else found


def _tools(request: Request, dropped: list[str]) -> list[Any]:
    """Functions are one group, at the place of the first."""
    functions: list[Any] = []
    found: list[Any] = []
    for tool in request.tools:
        if tool.opaque is None:
            if not functions:
                found.append({"functionDeclarations": functions})
            functions.append(_function(tool, dropped))
        elif tool.opaque.dialect == NAME:
            found.append(tool.opaque.raw)
        elif request.tool_choice is not None and request.tool_choice.name == tool.name:
            raise NotTranslatable(f"the tool '{tool.name}' has no twin in {NAME}", param="tools")
        else:
            dropped.append(f"tools.{tool.opaque.kind}")
    return found


def _function(tool: Tool, dropped: list[str]) -> dict[str, Any]:
    dropped += [f"tools.{name}" for name in foreign(tool.extra, NAME)]
    if tool.cache is not None:
        dropped.append("cache_control")
    if tool.strict:
        dropped.append("tools.strict")
    mine = own(tool.extra, NAME, OWN_SCHEMA)
    schema = given(tool.schema)
    pairs = {
        "name": tool.name,
        "description": tool.description or None,
        "parameters" if mine is not None else "parametersJsonSchema": mine or schema,
    }
    return build(pairs, tool.extra, NAME, (OWN,))
