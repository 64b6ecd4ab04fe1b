"""LangSmith's runs of type `llm`: OpenAI's own bodies as wrappers log them, or LangChain's messages and generations."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from freehold.workflows.errors import NotACall, Unreadable
from freehold.workflows.formats.chat import answer_of, counts, request_of, response_of, usage_of
from freehold.workflows.formats.fields import between, labelled, mapping, parsed, sequence, text, when
from freehold.workflows.formats.messages import message_of
from freehold.workflows.formats.types import Draft, Format, Json
from freehold.workflows.formats.vendors import vendor_of

_NAME = "langsmith"
_NOT_ASKED = frozenset({"_type", "model_name", "messages", "model_kwargs", "azure_deployment", "n", "request_timeout"})


def _knows(one: Json) -> bool:
    return "run_type" in one and "inputs" in one


def _read(one: Json, context: Json) -> Iterator[Draft]:
    if text(one, "run_type") != "llm":
        raise NotACall("a run that calls no model")
    extra = mapping(one, "extra")
    metadata = {**mapping(one, "metadata"), **mapping(extra, "metadata")}
    given = mapping(extra, "invocation_params")
    inputs, outputs = mapping(one, "inputs"), mapping(one, "outputs")
    named = text(given, "model", "model_name") or text(inputs, "model") or labelled(metadata, "ls_model_name")
    beside = {name: value for name, value in given.items() if name not in _NOT_ASKED and value is not None}
    request = request_of({**beside, **_asked(inputs)}, named)
    usage = usage_of(outputs.get("usage_metadata")) or usage_of(outputs.get("usage")) or _counted(outputs)
    usage = usage or usage_of(one)
    response = None if text(one, "status") == "error" or one.get("error") else _answer(outputs, named)
    if response is not None and usage is not None and "usage" not in response:
        response["usage"] = counts(usage)
    model = text(response or {}, "model") or named
    start = when(one, "start_time", "startTime")
    tags = [tag for tag in sequence(one, "tags") if isinstance(tag, str) and not tag.startswith("seq:step")]
    yield Draft(
        source=_NAME,
        external_id=text(one, "id", "run_id"),
        at=start,
        vendor=vendor_of(labelled(metadata, "ls_provider"), model),
        model=model,
        app=labelled(metadata, "app", "application", "service") or (tags[0] if tags else ""),
        workflow=labelled(metadata, "workflow"),
        conversation=labelled(metadata, "session_id", "thread_id", "conversation_id"),
        status=200 if response is not None else 500,
        usage=usage,
        latency=between(start, when(one, "end_time", "endTime")),
        first_token=between(start, when(one, "first_token_time")),
        request=request,
        response=response,
    )


def _asked(inputs: Json) -> Json:
    messages = parsed(inputs.get("messages"))
    if messages:
        return {**inputs, "messages": messages}
    if "input" in inputs:
        return inputs
    prompts = sequence(inputs, "prompts")
    if prompts and isinstance(prompts[0], str):
        return {"messages": [{"role": "user", "content": prompts[0]}]}
    raise Unreadable("the run has no messages")


def _generation(outputs: Json) -> Json:
    """The first of LangChain's generations, which are one list or a list for each prompt."""
    found = sequence(outputs, "generations")
    first: Any = found[0] if found else {}
    if isinstance(first, list):
        first = first[0] if first else {}
    return first if isinstance(first, dict) else {}


def _answer(outputs: Json, named: str) -> Json | None:
    one = _generation(outputs)
    if not one:
        bare = {name: value for name, value in outputs.items() if name != "usage_metadata"}
        found = response_of(bare, named)
        if found is not None and "choices" in outputs and "model" not in outputs and not named:
            found.pop("model", None)
        return found
    if not isinstance(one.get("message"), dict):
        return answer_of({"role": "assistant", "content": text(one, "text")}, named)
    message = one["message"]
    inside = _inside(message)
    told = {**mapping(one, "generation_info"), **mapping(inside, "response_metadata")}
    model = labelled(told, "model_name", "model") or named
    return response_of({"choices": [{"message": message_of(message), "finish_reason": _finish(told)}]}, model)


def _inside(message: Any) -> Json:
    """The fields of a message of LangChain's, however it was written down."""
    found = message.get("kwargs", message.get("data", message)) if isinstance(message, dict) else {}
    return found if isinstance(found, dict) else {}


def _finish(told: Json) -> str:
    return text(told, "finish_reason", "stop_reason")


def _counted(outputs: Json) -> Any:
    message = _generation(outputs).get("message")
    inside = _inside(message)
    told = mapping(inside, "response_metadata")
    own = usage_of(inside.get("usage_metadata"))
    return (
        own
        or usage_of(mapping(told, "token_usage", "usage"))
        or usage_of(mapping(mapping(outputs, "llm_output"), "token_usage", "usage"))
    )


FORMAT = Format(_NAME, _knows, _read)
