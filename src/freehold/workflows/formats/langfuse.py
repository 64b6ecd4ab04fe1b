"""Langfuse's observations, of all versions: API (camel case), blob export (snake case), and traces that hold them.

Only generations are calls. `input` is messages, an object with messages and tools, or text; so is `output`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from freehold.workflows.errors import NotACall, Unreadable
from freehold.workflows.formats.chat import counts, request_of, response_of, usage_of
from freehold.workflows.formats.fields import between, labelled, mapping, number, parsed, text, when
from freehold.workflows.formats.types import Draft, Format, Json
from freehold.workflows.formats.vendors import vendor_of

_NAME = "langfuse"
_CALLS = frozenset({"GENERATION", "LLM"})
_ASKED = (
    *("temperature", "top_p", "max_tokens", "max_completion_tokens", "seed", "stop", "presence_penalty"),
    *("frequency_penalty", "response_format", "tools", "tool_choice", "reasoning_effort", "parallel_tool_calls", "n"),
)
_FORMS = frozenset({"role", "choices", "content", "output"})
_FROM_TEXT = frozenset({"temperature", "top_p", "max_tokens", "max_completion_tokens", "seed", "n"})


def _knows(one: Json) -> bool:
    if "observations" in one and ("input" in one or "projectId" in one or "sessionId" in one):
        return True
    traced = "traceId" in one or "trace_id" in one
    timed = "startTime" in one or "start_time" in one
    kind = isinstance(one.get("type"), str) and not {"run_type", "attributes"} & one.keys()
    return (
        traced and timed and "call_type" not in one and (kind or "modelParameters" in one or "model_parameters" in one)
    )


def _read(one: Json, context: Json) -> Iterator[Draft]:
    inside = one.get("observations")
    if isinstance(inside, list):
        about = {name: one[name] for name in ("sessionId", "metadata", "tags", "name") if one.get(name)}
        for each in inside:
            if isinstance(each, dict) and text(each, "type").upper() in _CALLS:
                yield _draft({"sessionId": about.get("sessionId"), "trace": about, **each})
        return
    if text(one, "type").upper() not in _CALLS:
        raise NotACall("an observation that is no generation")
    yield _draft(one)


def _draft(one: Json) -> Draft:
    given = _parameters(mapping(one, "modelParameters", "model_parameters"))
    named = text(one, "model", "provided_model_name", "providedModelName", "internal_model") or text(given, "model")
    asked = parsed(one.get("input"))
    if asked in (None, "", [], {}):
        raise Unreadable("its input was not exported")
    if isinstance(asked, str):
        asked = {"messages": [{"role": "user", "content": asked}]}
    elif isinstance(asked, list):
        asked = {"messages": asked}
    elif isinstance(asked, dict) and "role" in asked and "messages" not in asked:
        asked = {"messages": [asked]}
    request = request_of({**given, **asked}, named)
    usage = _usage(one)
    response = response_of(_output(one.get("output")), named)
    if response is not None and usage is not None and "usage" not in response:
        response["usage"] = counts(usage)
    metadata = {**mapping(mapping(one, "trace"), "metadata"), **mapping(one, "metadata")}
    start = when(one, "startTime", "start_time")
    milliseconds = number(one, "latencyMs")
    return Draft(
        source=_NAME,
        external_id=text(one, "id"),
        at=start,
        vendor=vendor_of(labelled(metadata, "ls_provider", "provider"), named),
        model=named,
        app=labelled(metadata, "app", "application", "service") or text(one, "traceName", "trace_name"),
        workflow=labelled(metadata, "workflow"),
        conversation=text(one, "sessionId", "session_id") or labelled(metadata, "session_id", "langfuse_session_id"),
        status=500 if text(one, "level") == "ERROR" else 200,
        usage=usage,
        latency=milliseconds / 1000 if milliseconds is not None else between(start, when(one, "endTime", "end_time")),
        first_token=between(start, when(one, "completionStartTime", "completion_start_time")),
        request=request,
        response=response,
    )


def _parameters(given: Json) -> Json:
    """Some clients write every parameter as text."""
    found: Json = {}
    for name in (*_ASKED, "model"):
        value = given.get(name)
        if value in (None, "", "None", "null", "Infinity"):
            continue
        if isinstance(value, str) and name in _FROM_TEXT:
            value = number(given, name)
            if value is None:
                continue
            value = int(value) if value == int(value) and "." not in str(given[name]) else value
        found[name] = parsed(value)
    return found


def _output(value: Any) -> Any:
    """An output that is JSON of no known form is what the model wrote, parsed by the client: text again."""
    found = parsed(value)
    if isinstance(value, str) and isinstance(found, dict) and not _FORMS & found.keys():
        return {"role": "assistant", "content": value}
    if isinstance(value, str) and isinstance(found, list) and not (found and isinstance(found[0], dict)):
        return {"role": "assistant", "content": value}
    return found


def _usage(one: Json) -> Any:
    for name in ("usageDetails", "usage_details", "usage"):
        found = usage_of(parsed(one.get(name)))
        if found is not None:
            return found
    return usage_of(one)


FORMAT = Format(_NAME, _knows, _read)
