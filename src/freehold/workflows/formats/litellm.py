"""LiteLLM's spend logs (rows of its database) and its standard logging payloads (as written to object stores).

The caller's key is there as a hash; it names the caller where nothing else does, hashed once more with our own key.
"""

from __future__ import annotations

from collections.abc import Iterator

from freehold.workflows.errors import NotACall, Unreadable
from freehold.workflows.formats.chat import request_of, response_of, usage_of
from freehold.workflows.formats.fields import between, labelled, mapping, parsed, sequence, text, when
from freehold.workflows.formats.types import Draft, Format, Json
from freehold.workflows.formats.vendors import vendor_of

_NAME = "litellm"
_ASKED = (
    *("temperature", "top_p", "max_tokens", "max_completion_tokens", "tools", "tool_choice", "functions", "stop", "n"),
    *("response_format", "seed", "presence_penalty", "frequency_penalty", "logit_bias", "parallel_tool_calls"),
    *("reasoning_effort", "logprobs", "top_logprobs"),
)
_OTHER = ("embedding", "moderation", "transcription", "speech", "image", "rerank", "text_completion")


def _knows(one: Json) -> bool:
    if "startTime" not in one and "start_time" not in one:
        return False
    return "call_type" in one or ("spend" in one and "request_id" in one)


def _read(one: Json, context: Json) -> Iterator[Draft]:
    kind = text(one, "call_type")
    if any(word in kind for word in _OTHER):
        raise NotACall("another call than a chat")
    asked = mapping(one, "proxy_server_request")
    body = mapping(asked, "body") or asked
    named = text(one, "model", "model_group").removeprefix("openai/")
    request = request_of(body if "messages" in body or "input" in body else _from_parts(one), named)
    failed = text(one, "status") in ("failure", "failed", "error")
    response = None if failed else response_of(one.get("response"), text(request, "model"))
    if response is None and not failed and parsed(one.get("response")) in (None, {}, "", []):
        raise Unreadable("its content was not logged: LiteLLM stores prompts only where it is told to")
    model = text(response or {}, "model") or named
    metadata = mapping(one, "metadata")
    tags = [tag for tag in sequence(one, "request_tags") if isinstance(tag, str) and not tag.startswith("User-Agent")]
    caller = {**mapping(metadata, "requester_metadata"), **metadata}
    start, end = when(one, "startTime", "start_time"), when(one, "endTime", "end_time")
    first = between(start, when(one, "completionStartTime", "completion_start_time"))
    whole = between(start, end)
    yield Draft(
        source=_NAME,
        external_id=text(one, "request_id", "id", "litellm_call_id"),
        at=start,
        vendor=vendor_of(text(one, "custom_llm_provider"), model, text(one, "api_base")),
        model=model,
        app=labelled(caller, "app", "user_api_key_alias", "user_api_key_team_alias") or (tags[0] if tags else ""),
        caller=text(one, "api_key") or text(metadata, "user_api_key", "user_api_key_hash"),
        workflow=labelled(caller, "workflow"),
        conversation=text(one, "session_id", "trace_id"),
        status=500 if failed else 200,
        usage=usage_of((response or {}).get("usage")) or usage_of(one),
        latency=whole,
        first_token=first if first != whole else None,
        request=request,
        response=response,
    )


def _from_parts(one: Json) -> Json:
    messages = parsed(one.get("messages"))
    if not messages:
        raise Unreadable("its content was not logged: LiteLLM stores prompts only where it is told to")
    if isinstance(messages, dict) and "messages" in messages:
        return messages
    given = mapping(one, "model_parameters", "optional_params")
    said = {"messages": messages if isinstance(messages, list) else [messages]}
    return {**{name: given[name] for name in _ASKED if given.get(name) is not None}, **said}


FORMAT = Format(_NAME, _knows, _read)
