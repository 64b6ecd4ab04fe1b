"""A responses request into the neutral form. What is not known is kept aside, never lost."""

from __future__ import annotations

import msgspec
from msgspec import Raw

from freehold.gateway.dialects.openai_responses_parts import (
    ITEM,
    KIND,
    NAME,
    assistant_parts,
    call_of,
    content_of,
    item_of,
    mark,
    place_of,
    reasoning_parts,
    result_of,
)
from freehold.gateway.json_fields import Fields, of_caller
from freehold.gateway.messages import Format, Opaque, Part, Request, Text, Thought, Tool, ToolChoice, Turn

INSTRUCTIONS = "instructions"
"""Marks the turn that stood in the field of this name."""
LOGPROBS = "message.output_text.logprobs"
"""What `include` calls the log probabilities."""

_ROLES = frozenset({"system", "developer", "user", "assistant"})
_CHOICES = {"auto": "auto", "none": "none", "required": "any"}
_FORMATS = frozenset({"text", "json_object", "json_schema"})

Aside = list[tuple[str, str, Raw]]


def request_of(body: bytes) -> Request:
    """Raises MalformedJson, or BadRequest with the path of the field at fault."""
    top = of_caller(body)
    aside: Aside = [mark(KIND, "request")]
    return Request(
        model=top.text("model", None),
        turns=(*_instructions(top), *_turns(top)),
        tools=tuple(_tool(raw, one) for raw, one in top.objects("tools")),
        tool_choice=_tool_choice(top, aside),
        format=_format(top, aside),
        thought=_thought(top, aside),
        max_output=top.integer("max_output_tokens"),
        temperature=top.number("temperature"),
        top_p=top.number("top_p"),
        logprobs=_logprobs(top, aside),
        top_logprobs=top.integer("top_logprobs"),
        user=top.text("user"),
        stream=top.flag("stream") is True,
        extra=(*aside, *top.rest(NAME)),
    )


def _instructions(top: Fields) -> tuple[Turn, ...]:
    text = top.text(INSTRUCTIONS)
    return (Turn("system", (Text(text),), extra=(mark(KIND, INSTRUCTIONS),)),) if text else ()


def _turns(top: Fields) -> tuple[Turn, ...]:
    """Items of the assistant that follow one another are one turn, and so are results of tools."""
    found = top.content("input")
    if isinstance(found, str):
        return (Turn("user", (Text(found),)),)
    turns: list[Turn] = []
    side = ""
    for raw, one in found:
        kind = one.text("type", "message")
        if kind == "message" and (role := one.text("role", None)) != "assistant":
            if role not in _ROLES:
                one.wrong("expected system, developer, user or assistant", "role")
            side = ""
            place, parts = place_of(one), content_of(one)
            turns.append(Turn(role, tuple(parts), extra=(*place, *one.rest(NAME, ITEM))))
            continue
        whose, said = _item(kind, raw, one)
        if whose == side:
            turns[-1] = msgspec.structs.replace(turns[-1], parts=(*turns[-1].parts, *said))
        else:
            turns.append(Turn(whose, tuple(said)))
        side = whose
    if not turns:
        top.wrong("expected a string or at least one item", "input")
    return tuple(turns)


def _item(kind: str, raw: Raw, one: Fields) -> tuple[str, list[Part]]:
    """Who says an item, and what."""
    if kind == "message":
        return "assistant", assistant_parts(one)
    if kind == "function_call":
        return "assistant", [call_of(one)]
    if kind == "reasoning":
        return "assistant", reasoning_parts(one)
    if kind == "function_call_output":
        return "user", [result_of(one)]
    return "user" if kind.endswith("_output") else "assistant", [item_of(kind, raw)]


def _tool(raw: Raw, one: Fields) -> Tool:
    kind = one.text("type", None)
    if kind != "function":
        return Tool(one.text("name") or kind, Raw(b""), opaque=Opaque(NAME, kind, raw))
    name, schema = one.text("name", None), one.raw("parameters") or Raw(b"")
    description, strict = one.text("description"), one.flag("strict")
    return Tool(name, schema, description, strict, extra=(mark(KIND, kind), *one.rest(NAME)))


def _tool_choice(top: Fields, aside: Aside) -> ToolChoice | None:
    parallel = top.flag("parallel_tool_calls")
    raw = top.raw("tool_choice")
    if raw is None:
        return None if parallel is None else ToolChoice(parallel=parallel)
    if bytes(raw).startswith(b'"'):
        kind = _CHOICES.get(bytes(raw)[1:-1].decode(errors="replace"))
        if kind is None:
            top.wrong("expected none, auto, required or an object", "tool_choice")
        return ToolChoice(kind, parallel=parallel)
    choice = top.within("tool_choice", raw)
    if choice.text("type") == "function":
        return ToolChoice("tool", choice.text("name", None), parallel)
    aside.append((NAME, "tool_choice", raw))
    if parallel is not None:
        aside.append((NAME, "parallel_tool_calls", Raw(b"true" if parallel else b"false")))
    return None


def _format(top: Fields, aside: Aside) -> Format | None:
    """Structured output; the verbosity beside it stays aside."""
    text = top.inner("text")
    if text is None:
        return None
    form = text.inner("format")
    aside += text.rest(NAME, "text.")
    if form is None:
        return None
    kind = form.text("type", None)
    if kind not in _FORMATS:
        form.wrong("expected text, json_object or json_schema", "type")
    if kind != "json_schema":
        return None if kind == "text" else Format(kind)
    schema = form.raw("schema")
    if schema is None:
        form.wrong("is required", "schema")
    found = Format(kind, schema, form.text("name"), form.text("description"), form.flag("strict"))
    aside += form.rest(NAME, "text.format.")
    return found


def _thought(top: Fields, aside: Aside) -> Thought | None:
    reasoning = top.inner("reasoning")
    if reasoning is None:
        return None
    effort = reasoning.text("effort")
    aside += reasoning.rest(NAME, "reasoning.")
    return Thought(enabled=effort != "none", effort=effort) if effort else None


def _logprobs(top: Fields, aside: Aside) -> bool:
    """Are they asked for? A list that asks for more is kept as it came."""
    raw = top.raw("include")
    if raw is None:
        return False
    top.put_back("include", raw)
    names = top.texts("include")
    if names != (LOGPROBS,):
        aside.append((NAME, "include", raw))
    return LOGPROBS in names
