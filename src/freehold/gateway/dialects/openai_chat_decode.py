"""A chat completions request into the neutral form. What is not known is kept aside, never lost."""

from __future__ import annotations

from msgspec import Raw

from freehold.gateway.dialects.openai_chat_parts import NAME, content_of, said_by_assistant, tool_result_of
from freehold.gateway.json_fields import Fields, of_caller
from freehold.gateway.messages import Format, Opaque, Request, Thought, Tool, ToolChoice, Turn

_ROLES = frozenset({"system", "developer", "user", "assistant", "tool", "function"})
_CHOICES = {"auto": "auto", "none": "none", "required": "any", "any": "any"}

Aside = list[tuple[str, str, Raw]]


def request_of(body: bytes) -> Request:
    """Raises MalformedJson, or BadRequest with the path of the field at fault."""
    top = of_caller(body)
    aside: Aside = []
    stream = top.flag("stream") is True
    return Request(
        model=top.text("model", None),
        turns=_turns(top),
        tools=tuple(_tool(raw, one) for raw, one in top.objects("tools")),
        tool_choice=_tool_choice(top, aside),
        format=_format(top, aside),
        thought=_thought(top),
        max_output=_limit(top, aside),
        temperature=top.number("temperature"),
        top_p=top.number("top_p"),
        stop=top.text_or_texts("stop"),
        choices=top.integer("n", 1) or 1,
        seed=top.integer("seed", -(1 << 63)),
        presence_penalty=top.number("presence_penalty"),
        frequency_penalty=top.number("frequency_penalty"),
        logprobs=top.flag("logprobs") is True,
        top_logprobs=top.integer("top_logprobs"),
        logit_bias=top.raw("logit_bias"),
        user=top.text("user"),
        stream=stream,
        wants_usage=_wants_usage(top, aside) or not stream,
        extra=(*aside, *top.rest(NAME)),
    )


def _limit(top: Fields, aside: Aside) -> int | None:
    """The newer name counts; that the older one was used is kept, for servers that know no other."""
    newer, older = top.integer("max_completion_tokens"), top.integer("max_tokens")
    if older is None:
        return newer
    aside.append((NAME, "max_tokens", Raw(b"%d" % older)))
    if newer is None:
        return older
    aside.append((NAME, "max_completion_tokens", Raw(b"%d" % newer)))
    return newer


def _wants_usage(top: Fields, aside: Aside) -> bool:
    options = top.inner("stream_options")
    if options is None:
        return False
    wanted = options.flag("include_usage") is True
    aside += options.rest(NAME, "stream_options.")
    return wanted


def _turns(top: Fields) -> tuple[Turn, ...]:
    """Tool messages that follow one another are one user turn."""
    turns: list[Turn] = []
    open_results = False
    messages = top.objects("messages")
    if not messages:
        top.wrong("expected at least one message", "messages")
    for _, one in messages:
        role = one.text("role", None)
        if role not in _ROLES:
            one.wrong("expected system, developer, user, assistant, tool or function", "role")
        if role != "tool":
            open_results = False
            turns.append(_turn(role, one))
            continue
        result = tool_result_of(one)
        if open_results:
            last = turns.pop()
            turns.append(Turn("user", (*last.parts, result)))
        else:
            turns.append(Turn("user", (result,)))
        open_results = True
    return tuple(turns)


def _turn(role: str, one: Fields) -> Turn:
    name = one.text("name")
    parts = said_by_assistant(one) if role == "assistant" else content_of(one)
    return Turn(role, tuple(parts), name, one.rest(NAME))


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
    function = choice.inner("function")
    if choice.text("type") == "function" and function is not None:
        return ToolChoice("tool", function.text("name", None), parallel)
    aside.append((NAME, "tool_choice", raw))
    if parallel is not None:
        aside.append((NAME, "parallel_tool_calls", Raw(b"true" if parallel else b"false")))
    return None


def _format(top: Fields, aside: Aside) -> Format | None:
    raw = top.raw("response_format")
    if raw is None:
        return None
    form = top.within("response_format", raw)
    kind, schema = form.text("type", None), form.inner("json_schema")
    found = None
    if kind == "json_object":
        found = Format("json_object")
    elif kind == "json_schema":
        if schema is None:
            form.wrong("is required", "json_schema")
        found = Format(
            "json_schema",
            schema.raw("schema") or Raw(b""),
            schema.text("name"),
            schema.text("description"),
            schema.flag("strict"),
        )
    if (found is None and kind != "text") or form.rest(NAME) or (schema is not None and schema.rest(NAME)):
        aside.append((NAME, "response_format", raw))
    return found


def _thought(top: Fields) -> Thought | None:
    effort = top.text("reasoning_effort")
    return Thought(enabled=effort != "none", effort=effort) if effort else None


def _tool(raw: Raw, one: Fields) -> Tool:
    """A tool that is offered."""
    kind, function = one.text("type", "function"), one.inner("function")
    if kind != "function" or function is None:
        custom = one.inner("custom")
        name = custom.text("name") if custom is not None else ""
        return Tool(name or kind, Raw(b""), opaque=Opaque(NAME, kind, raw))
    return Tool(
        function.text("name", None),
        function.raw("parameters") or Raw(b""),
        function.text("description"),
        function.flag("strict"),
        extra=(*function.rest(NAME, "function."), *one.rest(NAME)),
    )
