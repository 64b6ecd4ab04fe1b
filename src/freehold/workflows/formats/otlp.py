"""OpenTelemetry spans in OTLP's JSON with GenAI attributes, in the words of several years.

Messages stand in `gen_ai.input.messages`, in `gen_ai.prompt.N.*`, or in the span's events; OpenInference too.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from freehold.workflows.errors import NotACall, Unreadable
from freehold.workflows.formats import phoenix
from freehold.workflows.formats.chat import answer_of, counts, request_of, response_of, usage_of
from freehold.workflows.formats.fields import between, labelled, mapping, number, parsed, sequence, text, when
from freehold.workflows.formats.messages import joined, spread
from freehold.workflows.formats.nesting import nested, numbered
from freehold.workflows.formats.types import Draft, Format, Json
from freehold.workflows.formats.vendors import vendor_of

_NAME = "otlp"
_CHATS = frozenset({"", "chat", "text_completion", "generate_content", "completion", "message", "responses"})
_ASKED: tuple[tuple[str, str], ...] = (
    ("frequency_penalty", "frequency_penalty"),
    ("max_tokens", "max_tokens"),
    ("presence_penalty", "presence_penalty"),
    ("seed", "seed"),
    ("stop_sequences", "stop"),
    ("temperature", "temperature"),
    ("top_p", "top_p"),
)
_EVENTS = {
    "gen_ai.assistant.message": "assistant",
    "gen_ai.system.message": "system",
    "gen_ai.tool.message": "tool",
    "gen_ai.user.message": "user",
}


def _knows(one: Json) -> bool:
    return ("spanId" in one or "span_id" in one) and isinstance(one.get("attributes"), list)


def _read(one: Json, context: Json) -> Iterator[Draft]:
    attributes = attributes_of(one["attributes"])
    resource = attributes_of(mapping(context, "resource").get("attributes"))
    start = when(one, "startTimeUnixNano", "start_time_unix_nano")
    status = mapping(one, "status").get("code")
    draft = Draft(
        source=_NAME,
        external_id=text(one, "spanId", "span_id"),
        at=start,
        latency=between(start, when(one, "endTimeUnixNano", "end_time_unix_nano")),
        status=500 if status in (2, "STATUS_CODE_ERROR") else 200,
        app=text(resource, "service.name"),
        request={},
    )
    if phoenix.speaks(attributes):
        yield phoenix.draft_of(attributes, draft, "")
        return
    events = [event for event in sequence(one, "events") if isinstance(event, dict)]
    for event in events:
        if text(event, "name") == "gen_ai.client.inference.operation.details":
            attributes = {**attributes, **attributes_of(event.get("attributes"))}
    if not any(name.startswith(("gen_ai.", "llm.")) for name in attributes):
        raise NotACall("a span that calls no model")
    if text(attributes, "gen_ai.operation.name") not in _CHATS:
        raise NotACall("a span of another kind than a chat")
    yield _filled(draft, attributes, events)


def _filled(draft: Draft, attributes: Json, events: list[Json]) -> Draft:
    asked_for = text(attributes, "gen_ai.request.model", "llm.request.model")
    answered = text(attributes, "gen_ai.response.model", "llm.response.model")
    messages, answer, finish = _told(attributes, events)
    if not messages:
        raise Unreadable("its content was not captured: the instrumentation must be told to")
    body: Json = {"messages": messages}
    for name, member in _ASKED:
        value = attributes.get(f"gen_ai.request.{name}", attributes.get(f"llm.request.{name}"))
        if value is not None:
            body[member] = value
    tools = _tools(attributes)
    if tools:
        body["tools"] = tools
    form = text(attributes, "gen_ai.output.type")
    if form == "json":
        body["response_format"] = {"type": "json_object"}
    draft.request = request_of(body, asked_for or answered)
    usage = usage_of(_counted(attributes))
    if answer is not None and draft.status < 400:
        reason = finish or next((str(one) for one in sequence(attributes, "gen_ai.response.finish_reasons")), "")
        draft.response = answer_of(answer, answered or asked_for, reason)
        identity = text(attributes, "gen_ai.response.id")
        if identity:
            draft.response["id"] = identity
        if usage is not None:
            draft.response["usage"] = counts(usage)
    draft.model = answered or asked_for
    provider = text(attributes, "gen_ai.provider.name", "gen_ai.system", "llm.vendor")
    draft.vendor = vendor_of(provider, draft.model, text(attributes, "server.address"))
    draft.workflow = labelled(attributes, "freehold.workflow", "gen_ai.workflow.name", "workflow")
    draft.conversation = labelled(attributes, "gen_ai.conversation.id", "session.id")
    first = number(attributes, "gen_ai.response.time_to_first_chunk", "gen_ai.server.time_to_first_token")
    draft.first_token = first
    draft.usage = usage
    return draft


def _told(attributes: Json, events: list[Json]) -> tuple[list[Json], Json | None, str]:
    """Messages in, the answer, and why it ended, from wherever this instrumentation put them."""
    messages = [each for one in _listed(attributes, "gen_ai.input.messages") for each in spread(one)]
    out = _listed(attributes, "gen_ai.output.messages")
    if messages or out:
        system = parsed(attributes.get("gen_ai.system_instructions"))
        if system:
            said = [{"type": "text", "text": text(one, "content", "text")} for one in system if isinstance(one, dict)]
            content = system if isinstance(system, str) else joined(said)
            messages.insert(0, {"role": "system", "content": content})
        last = out[-1] if out else None
        if not isinstance(last, dict):
            return messages, None, ""
        return messages, phoenix.response_message(spread(last)[-1]), text(last, "finish_reason")
    messages = [_numbered(one) for one in numbered(attributes, "gen_ai.prompt") or numbered(attributes, "llm.prompts")]
    if messages:
        made = numbered(attributes, "gen_ai.completion") or numbered(attributes, "llm.completions")
        return messages, _numbered({"role": "assistant", **made[0]}) if made else None, _reason(made)
    return _from_events(attributes, events)


def _from_events(attributes: Json, events: list[Json]) -> tuple[list[Json], Json | None, str]:
    messages: list[Json] = []
    answer: Json | None = None
    finish = ""
    for event in events:
        name, inside = text(event, "name"), attributes_of(event.get("attributes"))
        body = {**inside, **mapping(inside, "body", "event.body", "gen_ai.event.content")}
        if name in _EVENTS:
            messages += spread({"role": _EVENTS[name], **_members(body)})
        elif name == "gen_ai.choice":
            said = mapping(body, "message") or _members(body)
            answer = phoenix.response_message(spread({"role": "assistant", **said})[-1])
            finish = text(body, "finish_reason")
        elif name == "gen_ai.content.prompt":
            messages += [each for one in sequence(inside, "gen_ai.prompt") for each in spread(one)]
        elif name == "gen_ai.content.completion":
            found = response_of(parsed(inside.get("gen_ai.completion")))
            answer = found["choices"][0]["message"] if found else answer
    return messages, answer, finish


def _members(body: Json) -> Json:
    """What of an event's attributes belongs to a message; tool calls may be JSON text, or numbered."""
    found = nested({name: one for name, one in body.items() if not name.startswith(("gen_ai.", "event."))})
    for name in ("tool_calls", "content"):
        if isinstance(found.get(name), str) and (name == "tool_calls" or found[name].startswith("[{")):
            found[name] = parsed(found[name])
    if "id" in found and "tool_call_id" not in found:
        found["tool_call_id"] = found["id"]
    return found


def _numbered(one: Json) -> Json:
    """A message out of `role, content, tool_calls.0.name, tool_calls.0.arguments`."""
    found = nested(one)
    content = found.get("content")
    if isinstance(content, str) and content.startswith("[{"):
        found["content"] = parsed(content)
    return spread(found)[-1]


def _reason(made: list[Json]) -> str:
    return text(made[0], "finish_reason") if made else ""


def _tools(attributes: Json) -> list[Any]:
    whole = _listed(attributes, "gen_ai.tool.definitions")
    if whole:
        return whole
    found = numbered(attributes, "llm.request.functions") or numbered(attributes, "gen_ai.request.tools")
    return [nested(one) for one in found]


def _listed(attributes: Json, name: str) -> list[Any]:
    """A list, its JSON text, or a list of JSON texts."""
    return [parsed(one) for one in sequence(attributes, name)]


def _counted(attributes: Json) -> Json:
    def of(*names: str) -> Any:
        return next(
            (
                attributes[f"{room}.usage.{name}"]
                for room in ("gen_ai", "llm")
                for name in names
                if attributes.get(f"{room}.usage.{name}") is not None
            ),
            None,
        )

    return {
        "prompt_tokens": of("input_tokens", "prompt_tokens"),
        "completion_tokens": of("output_tokens", "completion_tokens"),
        "prompt_tokens_details": {"cached_tokens": of("cache_read.input_tokens", "cache_read_input_tokens")},
        "completion_tokens_details": {"reasoning_tokens": of("reasoning.output_tokens", "reasoning_tokens")},
    }


def attributes_of(pairs: Any) -> Json:
    """OTLP's list of keys and typed values as an object; a plain object as it is."""
    if isinstance(pairs, dict):
        return pairs
    found: Json = {}
    for one in pairs if isinstance(pairs, list) else ():
        if isinstance(one, dict) and isinstance(one.get("key"), str):
            found[one["key"]] = value_of(one.get("value"))
    return found


def value_of(value: Any, depth: int = 0) -> Any:
    """One of OTLP's AnyValues, in camel or snake case; whole numbers come as text."""
    if not isinstance(value, dict) or depth > 24:
        return value if not isinstance(value, dict) else None
    for name, inner in value.items():
        kind = name.replace("_", "").lower()
        if kind == "intvalue":
            return int(inner) if isinstance(inner, str) and inner.lstrip("-").isdecimal() else inner
        if kind in ("stringvalue", "doublevalue", "boolvalue", "bytesvalue"):
            return inner
        if kind == "arrayvalue":
            return [value_of(one, depth + 1) for one in sequence(inner if isinstance(inner, dict) else {}, "values")]
        if kind == "kvlistvalue":
            pairs = sequence(inner if isinstance(inner, dict) else {}, "values")
            return {
                str(one.get("key")): value_of(one.get("value"), depth + 1) for one in pairs if isinstance(one, dict)
            }
    return None


FORMAT = Format(_NAME, _knows, _read)
