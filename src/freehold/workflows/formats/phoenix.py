"""Phoenix's spans with OpenInference attributes: flat (`llm.input_messages.0.message.role`) or nested objects.

The messages come from `input.value` where that is the request's own body, else from the numbered attributes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from freehold.workflows.errors import NotACall, Unreadable
from freehold.workflows.formats.chat import answer_of, counts, request_of, response_of, usage_of
from freehold.workflows.formats.fields import between, labelled, mapping, parsed, text, when
from freehold.workflows.formats.messages import joined
from freehold.workflows.formats.nesting import flat, nested, numbered
from freehold.workflows.formats.types import Draft, Format, Json
from freehold.workflows.formats.vendors import vendor_of

_NAME = "phoenix"
_MARKS = ("openinference.span.kind", "llm.model_name", "llm.input_messages", "llm.invocation_parameters")


def _knows(one: Json) -> bool:
    attributes = one.get("attributes")
    if isinstance(attributes, str):
        return "openinference" in attributes or '"llm' in attributes
    if isinstance(attributes, dict):
        return "span_kind" in one or bool({"openinference", "llm"} & attributes.keys()) or speaks(attributes)
    return any(name.startswith("attributes.") for name in one) and "context.span_id" in one


def speaks(attributes: Json) -> bool:
    """True for flat attributes in OpenInference's words."""
    return any(name.startswith(_MARKS) for name in attributes)


def _read(one: Json, context: Json) -> Iterator[Draft]:
    told = parsed(one.get("attributes"))
    if not isinstance(told, dict):
        told = {
            name.removeprefix("attributes."): value for name, value in one.items() if name.startswith("attributes.")
        }
    attributes = flat(told)
    start = when(one, "start_time", "startTime")
    within = mapping(one, "context")
    code = text(one, "status_code", "statusCode") or text(mapping(one, "status"), "code")
    kind = text(one, "span_kind", "kind") or text(attributes, "openinference.span.kind")
    yield draft_of(
        attributes,
        Draft(
            source=_NAME,
            external_id=text(within, "span_id") or text(one, "context.span_id", "span_id", "id"),
            at=start,
            latency=between(start, when(one, "end_time", "endTime")),
            status=500 if code == "ERROR" else 200,
            request={},
        ),
        kind,
    )


def draft_of(attributes: Json, draft: Draft, kind: str) -> Draft:
    """A call out of flat attributes; `draft` holds what the span itself tells. Raises NotACall, Unreadable."""
    kind = kind or text(attributes, "openinference.span.kind")
    if kind and kind.upper() != "LLM":
        raise NotACall("a span that calls no model")
    named = text(attributes, "llm.model_name", "llm.response.model", "llm.request.model")
    given = parsed(attributes.get("llm.invocation_parameters"))
    given = given if isinstance(given, dict) else {}
    whole = parsed(attributes.get("input.value"))
    if isinstance(whole, dict) and "messages" in whole:
        asked: Json = whole
    else:
        asked = {**given, "messages": _messages(attributes, "llm.input_messages")}
        tools = [parsed(each.get("json_schema")) for each in numbered(attributes, "llm.tools", "tool")]
        if tools:
            asked["tools"] = tools
        if not asked["messages"]:
            if not isinstance(attributes.get("input.value"), str):
                raise Unreadable("the span has no messages")
            asked["messages"] = [{"role": "user", "content": attributes["input.value"]}]
    draft.request = request_of(asked, named or text(given, "model"))
    usage = usage_of(_counted(attributes))
    if draft.status < 400:
        draft.response = _answer(attributes, named)
    if draft.response is not None and usage is not None and "usage" not in draft.response:
        draft.response["usage"] = counts(usage)
    draft.model = text(draft.response or {}, "model") or named
    provider = text(attributes, "llm.provider", "llm.system")
    draft.vendor = draft.vendor or vendor_of(provider, draft.model)
    metadata = mapping(attributes, "metadata")
    draft.app = draft.app or labelled(metadata, "app", "application", "service") or labelled(attributes, "metadata.app")
    draft.workflow = draft.workflow or labelled(metadata, "workflow") or labelled(attributes, "metadata.workflow")
    draft.conversation = draft.conversation or labelled(attributes, "session.id")
    draft.usage = usage
    return draft


def _answer(attributes: Json, named: str) -> Json | None:
    whole = parsed(attributes.get("output.value"))
    if isinstance(whole, dict) and ("choices" in whole or "stop_reason" in whole or whole.get("object") == "response"):
        return response_of(whole, named)
    messages = _messages(attributes, "llm.output_messages")
    if messages:
        return answer_of(response_message(messages[-1]), named)
    said = attributes.get("output.value")
    return answer_of({"role": "assistant", "content": said}, named) if isinstance(said, str) and said else None


def response_message(message: Json) -> Json:
    """The last message out is the assistant's, whatever role it was given."""
    return {**message, "role": "assistant"}


def _messages(attributes: Json, prefix: str) -> list[Json]:
    found: list[Json] = []
    for one in numbered(attributes, prefix, "message"):
        message = nested(one)
        contents = message.pop("contents", None)
        if isinstance(contents, list) and not message.get("content"):
            message["content"] = joined([_part(each) for each in contents])
        calls = message.get("tool_calls")
        if isinstance(calls, list):
            message["tool_calls"] = [each.get("tool_call", each) for each in calls if isinstance(each, dict)]
        found.append(message)
    return found


def _part(one: Any) -> Json:
    inner = one.get("message_content", one) if isinstance(one, dict) else {}
    if isinstance(inner, dict) and isinstance(inner.get("image"), dict):
        image = inner["image"].get("image", inner["image"])
        return {"type": "image_url", "image_url": {"url": text(image if isinstance(image, dict) else {}, "url")}}
    return {"type": "text", "text": text(inner, "text")} if isinstance(inner, dict) else {"type": "text", "text": ""}


def _counted(attributes: Json) -> Json:
    return {
        "prompt_tokens": attributes.get("llm.token_count.prompt"),
        "completion_tokens": attributes.get("llm.token_count.completion"),
        "prompt_tokens_details": {"cached_tokens": attributes.get("llm.token_count.prompt_details.cache_read")},
        "completion_tokens_details": {
            "reasoning_tokens": attributes.get("llm.token_count.completion_details.reasoning")
        },
    }


FORMAT = Format(_NAME, _knows, _read)
