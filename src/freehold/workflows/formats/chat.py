"""Requests and answers of any vendor's API in canonical form: OpenAI's chat body and `chat.completion`.

What belongs to one sending (stream, store, user, metadata) is left out, so equal requests are equal bytes.
"""

from __future__ import annotations

from typing import Any

from freehold.ledger.meter import Usage
from freehold.workflows.errors import NotACall, Unreadable
from freehold.workflows.formats import anthropic, responses
from freehold.workflows.formats.fields import count, mapping, parsed, text
from freehold.workflows.formats.messages import joined, message_of, messages_of, spread, tools_of
from freehold.workflows.formats.types import Json

SENDING = frozenset(
    {
        *("stream", "stream_options", "store", "metadata", "user", "prompt_cache_key", "prompt_cache_retention"),
        *("safety_identifier", "service_tier", "extra_headers", "extra_body", "extra_query", "timeout", "api_key"),
        *("api_base", "base_url", "headers", "litellm_params", "proxy_server_request", "secret_fields"),
    }
)
"""Fields of a request that say how it was sent or by whom, not what was asked."""

_FINISH = {
    "COMPLETE": "stop",
    "MAX_TOKENS": "length",
    "STOP": "stop",
    "end_turn": "stop",
    "max_tokens": "length",
    "stop_sequence": "stop",
    "tool_call": "tool_calls",
    "tool_use": "tool_calls",
    "tool-calls": "tool_calls",
}


def request_of(body: Any, model: str = "") -> Json:
    """A request's body. Raises Unreadable, or NotACall where it asks for something else than a chat."""
    body = parsed(body)
    if isinstance(body, list):
        body = {"messages": body}
    if not isinstance(body, dict):
        raise Unreadable("the request is no JSON object")
    if responses.asks(body):
        body = responses.request_of(body)
    elif "messages" not in body:
        raise _other(body)
    elif anthropic.asks(body):
        body = anthropic.request_of(body, model)
    found = {name: one for name, one in body.items() if one is not None and name not in SENDING}
    found["messages"] = messages_of(parsed(body["messages"]))
    named = text(found, "model") or model
    if named:
        found["model"] = named
    else:
        found.pop("model", None)
    tools = tools_of(found.pop("tools", None))
    if tools:
        found["tools"] = tools
    return found


def response_of(body: Any, model: str = "") -> Json | None:
    """An answer; None where the body is empty or an error. Raises Unreadable where it is of no known form."""
    body = parsed(body)
    if body is None or body in ("", {}, []):
        return None
    if isinstance(body, list):
        return answer_of(spread(next((one for one in reversed(body) if isinstance(one, dict)), body[0]))[-1], model)
    if isinstance(body, str):
        return answer_of({"role": "assistant", "content": body}, model)
    if not isinstance(body, dict):
        raise Unreadable("the answer is no JSON object")
    if body.get("error") and not body.get("choices"):
        return None
    if responses.answers(body):
        body = responses.answer_of(body)
    elif anthropic.answers(body):
        body = anthropic.answer_of(body)
    choices = parsed(body.get("choices"))
    if isinstance(choices, list) and choices:
        return _completion(body, choices, model)
    if {"role", "content", "tool_calls", "parts", "kwargs", "refusal"} & body.keys():
        return answer_of(spread(body)[-1], model)
    for name in ("message", "messages", "output", "text", "completion", "generated_text"):
        if body.get(name):
            return response_of(body[name], model)
    raise Unreadable("the answer is of no known form")


def answer_of(message: Json, model: str, finish: str = "", usage: Json | None = None) -> Json:
    """An answer out of its message alone."""
    found: Json = {"object": "chat.completion"}
    if model:
        found["model"] = model
    found["choices"] = [_choice(0, {"message": message, "finish_reason": finish})]
    if usage:
        found["usage"] = usage
    return found


def usage_of(value: Any) -> Usage | None:
    """Counts as OpenAI, Anthropic, LangChain and others name them; None where there are none."""
    if not isinstance(value, dict):
        return None
    spent = count(value, "prompt_tokens", "input_tokens", "promptTokens", "inputTokens", "input")
    made = count(value, "completion_tokens", "output_tokens", "completionTokens", "outputTokens", "output")
    if spent is None and made is None:
        return None
    inside = mapping(value, "prompt_tokens_details", "input_tokens_details", "input_token_details")
    outside = mapping(value, "completion_tokens_details", "output_tokens_details", "output_token_details")
    cached = count(inside, "cached_tokens", "cache_read", "cached") or count(value, "prompt_cache_hit_tokens") or 0
    written = count(inside, "cache_write_tokens", "cache_creation") or 0
    reasoning = count(outside, "reasoning_tokens", "reasoning") or 0
    # Anthropic counts what it read from or wrote to its cache beside the input, everybody else within.
    read, wrote = count(value, "cache_read_input_tokens"), count(value, "cache_creation_input_tokens")
    if "input_tokens" in value and not inside and (read or wrote):
        cached, written = read or 0, wrote or 0
        spent = (spent or 0) + cached + written
    spent, made = spent or 0, made or 0
    return Usage(spent, made, min(cached, spent), min(written, spent), 0, min(reasoning, made))


def counts(usage: Usage) -> Json:
    """Counts as an answer tells them."""
    return {
        "prompt_tokens": usage.input,
        "completion_tokens": usage.output,
        "total_tokens": usage.input + usage.output,
    }


def _completion(body: Json, choices: list[Any], model: str) -> Json:
    found: Json = {"object": "chat.completion"}
    for name in ("id", "created", "system_fingerprint"):
        if body.get(name) is not None:
            found[name] = body[name]
    named = text(body, "model") or model
    if named:
        found["model"] = named
    found["choices"] = [_choice(at, one) for at, one in enumerate(choices)]
    if isinstance(body.get("usage"), dict):
        found["usage"] = body["usage"]
    return found


def _choice(at: int, one: Any) -> Json:
    if not isinstance(one, dict):
        raise Unreadable("a choice of the answer is no object")
    said = one.get("message", one.get("delta"))
    if said is None and isinstance(one.get("text"), str):
        raise NotACall("a text completion, not a chat")
    message = message_of({"role": "assistant", **said}) if isinstance(said, dict) else message_of(said or {})
    message["role"] = "assistant"
    message["content"] = joined(message["content"])
    finish = text(one, "finish_reason", "finishReason")
    index = one.get("index")
    found = {
        "index": index if isinstance(index, int) else at,
        "message": message,
        "finish_reason": _FINISH.get(finish, finish) or ("tool_calls" if message.get("tool_calls") else "stop"),
    }
    for name in ("logprobs", "freehold"):
        if one.get(name) is not None:
            found[name] = one[name]
    return found


def _other(body: Json) -> Exception:
    if "prompt" in body:
        return NotACall("a text completion, not a chat")
    if "input" in body:
        return NotACall("an embedding or another call that is no chat")
    return Unreadable("the request has no messages")
