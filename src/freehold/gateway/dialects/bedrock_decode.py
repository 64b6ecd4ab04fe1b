"""A Converse request into the neutral form. What is not known is kept aside, never lost."""

from __future__ import annotations

import msgspec
from msgspec import Raw

from freehold.gateway.dialects.bedrock_parts import (
    MINE,
    NAME,
    TRUE,
    blocks_of,
    cache_of,
    is_object,
    union_of,
)
from freehold.gateway.json_fields import OWN, Fields, of_caller
from freehold.gateway.json_read import BROKEN
from freehold.gateway.messages import Extra, Format, Opaque, Request, Thought, Tool, ToolChoice, Turn

MORE = "additionalModelRequestFields"
PLACE = OWN + "place"
"""Marks a system turn that stood among the messages."""
SAID_TOP_K, SAID_BUDGET = OWN + "top_k", OWN + "budget"
"""Marks what a model's own fields said, so that it is written there again."""

_ROLES = frozenset({"user", "assistant", "system"})
_count = msgspec.json.Decoder(int)


class _Thinking(msgspec.Struct, forbid_unknown_fields=True):
    """How Claude is told to think, in the model's own fields."""

    type: str
    budget_tokens: int | None = None


_thinking = msgspec.json.Decoder(_Thinking)

Aside = list[tuple[str, str, Raw]]


def request_of(body: bytes) -> Request:
    """Raises MalformedJson, or BadRequest with the path of the field at fault."""
    top = of_caller(body)
    aside: Aside = [(NAME, MINE, TRUE)]
    limits = top.inner("inferenceConfig")
    tools, choice = _tools(top, aside)
    form, effort = _output(top, aside)
    top_k, thought = _more(top, effort, aside)
    return Request(
        model=top.text("model"),
        turns=(*_system(top), *_turns(top)),
        tools=tools,
        tool_choice=choice,
        format=form,
        thought=thought,
        max_output=None if limits is None else limits.integer("maxTokens"),
        temperature=None if limits is None else limits.number("temperature"),
        top_p=None if limits is None else limits.number("topP"),
        top_k=top_k,
        stop=() if limits is None else limits.texts("stopSequences"),
        stream=top.flag("stream") is True,
        extra=(*aside, *(() if limits is None else limits.rest(NAME, "inferenceConfig.")), *top.rest(NAME)),
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
        place: Extra = ((NAME, PLACE, TRUE),) if role == "system" else ()
        turns.append(Turn(role, tuple(parts), extra=(*place, *one.rest(NAME))))
    return tuple(turns)


def _tools(top: Fields, aside: Aside) -> tuple[tuple[Tool, ...], ToolChoice | None]:
    config = top.inner("toolConfig")
    if config is None:
        return (), None
    found: list[Tool] = []
    for raw, one in config.objects("tools"):
        kind = union_of(raw)
        if kind == "cachePoint" and found and found[-1].cache is None and found[-1].opaque is None:
            said = cache_of(one)
            if said is not None:
                found[-1] = msgspec.structs.replace(found[-1], cache=said[0], extra=(*found[-1].extra, *said[1]))
                continue
        found.append(_tool(raw, one, kind))
    choice = _choice(config, aside)
    aside += config.rest(NAME, "toolConfig.")
    return tuple(found), choice


def _tool(raw: Raw, one: Fields, kind: str) -> Tool:
    value = one.raw("toolSpec")
    if value is None or one.rest(NAME):
        return Tool(kind, Raw(b""), opaque=Opaque(NAME, kind, raw))
    spec = one.within("toolSpec", value)
    name, description, strict = spec.text("name", None), spec.text("description"), spec.flag("strict")
    schema = spec.inner("inputSchema")
    if schema is None:
        spec.wrong("is required", "inputSchema")
    held = schema.raw("json")
    if held is None or schema.rest(NAME):
        return Tool(name, Raw(b""), opaque=Opaque(NAME, kind, raw))
    return Tool(name, held, description, strict, extra=spec.rest(NAME))


def _choice(config: Fields, aside: Aside) -> ToolChoice | None:
    raw = config.raw("toolChoice")
    if raw is None:
        return None
    one = config.within("toolChoice", raw)
    kind = union_of(raw)
    if kind not in {"auto", "any", "tool"}:
        aside.append((NAME, "toolConfig.toolChoice", raw))
        return None
    inner = one.inner(kind)
    name = inner.text("name", None) if inner is not None and kind == "tool" else ""
    if one.rest(NAME) or (inner is not None and inner.rest(NAME)):
        aside.append((NAME, "toolConfig.toolChoice", raw))
    return ToolChoice(kind, name)


def _output(top: Fields, aside: Aside) -> tuple[Format | None, str]:
    """Structured output and effort."""
    config = top.inner("outputConfig")
    if config is None:
        return None, ""
    form, raw = None, config.raw("textFormat")
    if raw is not None:
        form = _format(config.within("textFormat", raw))
        if form is None:
            aside.append((NAME, "outputConfig.textFormat", raw))
    effort = config.text("effort")
    aside += config.rest(NAME, "outputConfig.")
    return form, effort


def _format(one: Fields) -> Format | None:
    """The schema is JSON in a string; None where there is more than we know."""
    kind, structure = one.text("type"), one.inner("structure")
    held = None if structure is None else structure.inner("jsonSchema")
    if kind != "json_schema" or structure is None or held is None or one.rest(NAME) or structure.rest(NAME):
        return None
    schema, name, description = held.text("schema", None), held.text("name"), held.text("description")
    if not is_object(schema):
        held.wrong("expected the JSON of an object in a string", "schema")
    return None if held.rest(NAME) else Format("json_schema", Raw(schema.encode()), name, description, strict=True)


def _more(top: Fields, effort: str, aside: Aside) -> tuple[int | None, Thought | None]:
    """What the model's own fields say that others have words for; they may be anything, so nothing is refused."""
    raw = top.raw(MORE)
    if raw is None or not is_object(raw):
        aside += [] if raw is None else [(NAME, MORE, raw)]
        return None, Thought(effort=effort) if effort else None
    more = top.within(MORE, raw)
    top_k = _whole(more)
    thought = Thought(effort=effort) if effort else None
    told = more.raw("thinking")
    if told is not None:
        try:
            seen = _thinking.decode(told)
        except BROKEN:
            aside.append((NAME, f"{MORE}.thinking", told))
        else:
            known = seen.type == "disabled" or (seen.type == "enabled" and seen.budget_tokens is not None)
            aside.append((NAME, SAID_BUDGET, TRUE) if known else (NAME, f"{MORE}.thinking", told))
            thought = Thought(seen.type != "disabled", seen.budget_tokens, effort)
    if top_k is not None:
        aside.append((NAME, SAID_TOP_K, TRUE))
    aside += more.rest(NAME, f"{MORE}.")
    return top_k, thought


def _whole(more: Fields) -> int | None:
    raw = more.raw("top_k")
    if raw is None:
        return None
    try:
        found = _count.decode(raw)
    except BROKEN:
        found = -1
    if 0 <= found < 1 << 53:
        return found
    more.put_back("top_k", raw)
    return None
