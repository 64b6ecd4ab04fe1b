"""A generateContent request into the neutral form. What is not known is kept aside, never lost."""

from __future__ import annotations

import msgspec
from msgspec import Raw

from freehold.gateway.dialects.gemini_parts import (
    SPELLINGS,
    Calls,
    content_parts,
    inner,
    many,
)
from freehold.gateway.dialects.gemini_schema import json_schema
from freehold.gateway.dialects.gemini_wire import NAME
from freehold.gateway.json_fields import Fields, of_caller
from freehold.gateway.messages import Format, Opaque, Part, Request, Text, Thought, Tool, ToolChoice, Turn

CONFIG = "generationConfig."
"""Before names of fields that stand in the field of this name."""
CHOICE = "tool_choice"
"""What a choice of tools is called, here as elsewhere, that no other dialect has."""
OWN_SCHEMA = "own.parameters"
"""A schema in the vendor's own form, beside its twin in JSON Schema."""
OWN_FORM = "own.responseSchema"
OWN_THOUGHT = "own.thinkingConfig"
OWN_MODALITIES = "own.responseModalities"
JSON = "application/json"
TEXT_ONLY = Raw(b'["TEXT"]')

_ROLES = {"user": "user", "model": "assistant", "function": "user", "": "user"}
_MODES = {"AUTO": "auto", "ANY": "any", "NONE": "none", "MODE_UNSPECIFIED": "auto", "": "auto"}

Aside = list[tuple[str, str, Raw]]


def request_of(body: bytes) -> Request:
    """Raises MalformedJson, or BadRequest with the path of the field at fault."""
    top = of_caller(body).spelled(SPELLINGS)
    aside: Aside = []
    config = inner(top, "generationConfig") or of_caller(b"{}")
    if _text_only(config):
        aside.append((NAME, OWN_MODALITIES, TEXT_ONLY))
    return Request(
        model=top.text("model", None),
        turns=(*_system(top), *_turns(top)),
        tools=tuple(_tools(top)),
        tool_choice=_tool_choice(top, aside),
        format=_format(config, aside),
        thought=_thought(config, aside),
        max_output=config.integer("maxOutputTokens"),
        temperature=config.number("temperature"),
        top_p=config.number("topP"),
        top_k=_top_k(config),
        stop=config.texts("stopSequences"),
        choices=config.integer("candidateCount", 1) or 1,
        seed=config.integer("seed", -(1 << 63)),
        presence_penalty=config.number("presencePenalty"),
        frequency_penalty=config.number("frequencyPenalty"),
        logprobs=config.flag("responseLogprobs") is True,
        top_logprobs=config.integer("logprobs"),
        stream=top.flag("stream") is True,
        extra=(*aside, *config.rest(NAME, CONFIG), *top.rest(NAME)),
    )


def _text_only(config: Fields) -> bool:
    """Are answers in text asked for, as they are without asking? Any other kind is more than an option."""
    raw = config.raw("responseModalities")
    if raw is None:
        return False
    text = bytes(raw).replace(b" ", b"").upper() == bytes(TEXT_ONLY)
    if not text:
        config.put_back("responseModalities", raw)
    return text


def _top_k(config: Fields) -> int | None:
    """The official client writes it as a decimal number."""
    found = config.number("topK")
    if found is not None and (found < 0 or found != int(found)):
        config.wrong("expected a whole number from 0", "topK")
    return None if found is None else int(found)


def _system(top: Fields) -> tuple[Turn, ...]:
    raw = top.raw("systemInstruction")
    if raw is None:
        return ()
    if bytes(raw).startswith(b'"'):
        return (Turn("system", (Text(msgspec.json.decode(raw, type=str)),)),)
    one = top.within("systemInstruction", raw).spelled(SPELLINGS)
    one.text("role")
    parts = content_parts(one, Calls(""))
    return (Turn("system", tuple(parts), extra=one.rest(NAME)),) if parts else ()


def _turns(top: Fields) -> tuple[Turn, ...]:
    calls = Calls("")
    turns = []
    for _, one in many(top, "contents"):
        role = _ROLES.get(one.text("role"))
        if role is None:
            one.wrong("expected user or model", "role")
        parts: list[Part] = content_parts(one, calls)
        turns.append(Turn(role, tuple(parts), extra=one.rest(NAME)))
    if not turns:
        top.wrong("expected at least one content", "contents")
    return tuple(turns)


def _tools(top: Fields) -> list[Tool]:
    """Each function of each group; what the vendor does itself is one tool with its settings."""
    found: list[Tool] = []
    for _, one in many(top, "tools"):
        found += [_function(function) for _, function in many(one, "functionDeclarations")]
        found += [
            Tool(name, Raw(b""), opaque=Opaque(NAME, name, Raw(msgspec.json.encode({name: value}))))
            for _, name, value in one.rest(NAME)
        ]
    return found


def _function(one: Fields) -> Tool:
    name, description = one.text("name", None), one.text("description")
    schema, plain = one.raw("parameters"), one.raw("parametersJsonSchema")
    extra = one.rest(NAME)
    if plain is not None or schema is None:
        return Tool(name, plain or Raw(b""), description, extra=extra)
    return Tool(name, json_schema(schema), description, extra=((NAME, OWN_SCHEMA, schema), *extra))


def _tool_choice(top: Fields, aside: Aside) -> ToolChoice | None:
    """Which of several functions must be called, and validated ones, have no twin elsewhere: kept aside whole."""
    config = inner(top, "toolConfig")
    if config is None:
        return None
    raw = config.raw("functionCallingConfig")
    aside += config.rest(NAME, "toolConfig.")
    if raw is None:
        return None
    one = config.within("functionCallingConfig", raw).spelled(SPELLINGS)
    mode, names = one.text("mode"), one.texts("allowedFunctionNames")
    kind = _MODES.get(mode)
    if kind is None or one.rest(NAME) or len(names) > 1 or (names and kind != "any"):
        aside.append((NAME, CHOICE, raw))
        return None
    return ToolChoice("tool", names[0]) if names else ToolChoice(kind)


def _format(config: Fields, aside: Aside) -> Format | None:
    """JSON is asked for by its media type, with a schema or without."""
    kind, own, plain = config.text("responseMimeType"), config.raw("responseSchema"), config.raw("responseJsonSchema")
    if kind not in {"", "text/plain", JSON}:
        aside.append((NAME, f"{CONFIG}responseMimeType", Raw(msgspec.json.encode(kind))))
        kind = ""
    if kind == JSON:
        if own is not None:
            aside.append((NAME, OWN_FORM, own))
        schema = plain or (json_schema(own) if own is not None else None)
        return Format("json_object") if schema is None else Format("json_schema", schema, strict=True)
    if plain is not None:
        aside.append((NAME, f"{CONFIG}responseJsonSchema", plain))
    if own is not None:
        aside.append((NAME, f"{CONFIG}responseSchema", own))
    return None


def _thought(config: Fields, aside: Aside) -> Thought | None:
    """Its bytes are kept too: whether thoughts are shown has no twin elsewhere."""
    raw = config.raw("thinkingConfig")
    if raw is None:
        return None
    one = config.within("thinkingConfig", raw).spelled(SPELLINGS)
    budget, level = one.integer("thinkingBudget", -1), one.text("thinkingLevel").lower()
    aside.append((NAME, OWN_THOUGHT, raw))
    effort = "" if level == "thinking_level_unspecified" else level
    if budget is None and not effort:
        return None
    return Thought(budget != 0, None if budget in (-1, 0) else budget, effort)
