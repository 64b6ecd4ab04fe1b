"""A messages request into the neutral form. What is not known is kept aside, never lost."""

from __future__ import annotations

import msgspec
from msgspec import Raw

from freehold.gateway.dialects.anthropic_parts import NAME, blocks_of, cache_of
from freehold.gateway.json_fields import Fields, of_caller
from freehold.gateway.messages import Format, Opaque, Request, Thought, Tool, ToolChoice, Turn

PREFILL = "prefill"
"""Marks a last turn of the assistant: in this dialect the answer continues it. No field of the wire."""

_ROLES = frozenset({"user", "assistant", "system"})
_CHOICES = frozenset({"auto", "any", "tool", "none"})

Aside = list[tuple[str, str, Raw]]


def request_of(body: bytes) -> Request:
    """Raises MalformedJson, or BadRequest with the path of the field at fault."""
    top = of_caller(body)
    aside: Aside = []
    form, effort = _config(top, aside)
    limit = top.integer("max_tokens")
    if limit is None:
        top.wrong("is required", "max_tokens")
    return Request(
        model=top.text("model", None),
        turns=(*_system(top), *_turns(top)),
        tools=tuple(_tool(raw, one) for raw, one in top.objects("tools")),
        tool_choice=_tool_choice(top, aside),
        format=form,
        thought=_thought(top, effort, aside),
        max_output=limit,
        temperature=top.number("temperature"),
        top_p=top.number("top_p"),
        top_k=top.integer("top_k"),
        stop=top.texts("stop_sequences"),
        user=_user(top, aside),
        stream=top.flag("stream") is True,
        extra=(*aside, *top.rest(NAME)),
    )


def _system(top: Fields) -> tuple[Turn, ...]:
    parts = blocks_of(top, "system")
    return (Turn("system", tuple(parts)),) if parts else ()


def _turns(top: Fields) -> tuple[Turn, ...]:
    turns = []
    for _, one in top.objects("messages"):
        role = one.text("role", None)
        if role not in _ROLES:
            one.wrong("expected user, assistant or system", "role")
        parts = blocks_of(one)
        turns.append(Turn(role, tuple(parts), extra=one.rest(NAME)))
    if not turns:
        top.wrong("expected at least one message", "messages")
    if turns[-1].role == "assistant":
        mark = (NAME, PREFILL, Raw(b"true"))
        turns[-1] = msgspec.structs.replace(turns[-1], extra=(*turns[-1].extra, mark))
    return tuple(turns)


def _tool(raw: Raw, one: Fields) -> Tool:
    kind, name = one.text("type", "custom"), one.text("name")
    if kind != "custom":
        return Tool(name or kind, Raw(b""), opaque=Opaque(NAME, kind, raw))
    if not name:
        one.wrong("is required", "name")
    schema, description, strict = one.raw("input_schema"), one.text("description"), one.flag("strict")
    if schema is None:
        one.wrong("is required", "input_schema")
    cache, extra = cache_of(one)
    return Tool(name, schema, description, strict, cache, (*extra, *one.rest(NAME)))


def _tool_choice(top: Fields, aside: Aside) -> ToolChoice | None:
    raw = top.raw("tool_choice")
    if raw is None:
        return None
    one = top.within("tool_choice", raw)
    kind, name, single = one.text("type", None), one.text("name"), one.flag("disable_parallel_tool_use")
    if kind not in _CHOICES:
        one.wrong("expected auto, any, tool or none", "type")
    if one.rest(NAME):
        aside.append((NAME, "tool_choice", raw))
    return ToolChoice(kind, name, None if single is None else not single)


def _config(top: Fields, aside: Aside) -> tuple[Format | None, str]:
    """Structured output and effort; `output_format` is the older place of the former."""
    form = None
    older = top.raw("output_format")
    if older is not None:
        form = _format(top.within("output_format", older))
        aside.append((NAME, "output_format", older))
    config = top.inner("output_config")
    if config is None:
        return form, ""
    raw = config.raw("format")
    if raw is not None:
        inner = config.within("format", raw)
        form = _format(inner)
        if form is None or inner.rest(NAME):
            aside.append((NAME, "output_config.format", raw))
    effort = config.text("effort")
    aside += config.rest(NAME, "output_config.")
    return form, effort


def _format(one: Fields) -> Format | None:
    schema = one.raw("schema")
    if one.text("type") != "json_schema" or schema is None:
        return None
    return Format("json_schema", schema, strict=True)


def _thought(top: Fields, effort: str, aside: Aside) -> Thought | None:
    """Its bytes are kept too: how it is shown, and adaptive thinking, have no twin elsewhere."""
    raw = top.raw("thinking")
    if raw is None:
        return Thought(effort=effort) if effort else None
    one = top.within("thinking", raw)
    aside.append((NAME, "thinking", raw))
    return Thought(one.text("type", None) != "disabled", one.integer("budget_tokens"), effort)


def _user(top: Fields, aside: Aside) -> str:
    metadata = top.inner("metadata")
    if metadata is None:
        return ""
    user = metadata.text("user_id")
    aside += metadata.rest(NAME, "metadata.")
    return user
