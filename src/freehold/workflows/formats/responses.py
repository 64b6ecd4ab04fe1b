"""OpenAI's Responses API in canonical form: items become messages, hosted tools are left to their names."""

from __future__ import annotations

from typing import Any

import msgspec

from freehold.workflows.errors import NotACall, Unreadable
from freehold.workflows.formats.fields import mapping, text
from freehold.workflows.formats.types import Json

_encode = msgspec.json.Encoder().encode
_SAME = ("model", "temperature", "top_p", "parallel_tool_calls", "seed", "stop")
_TEXTS = frozenset({"input_text", "output_text", "text", "summary_text"})


def asks(body: Json) -> bool:
    """True for a request of this API: `input` with items or text, and no messages."""
    if "messages" in body or "input" not in body:
        return False
    given = body["input"]
    if isinstance(given, str):
        return "instructions" in body or "max_output_tokens" in body or "previous_response_id" in body
    return isinstance(given, list) and any(isinstance(one, dict) for one in given)


def answers(body: Json) -> bool:
    """True for an answer of this API."""
    return body.get("object") == "response" and isinstance(body.get("output"), list)


def request_of(body: Json) -> Json:
    """A request as a chat body. Raises NotACall where it leans on a conversation kept at the vendor."""
    if body.get("previous_response_id") or body.get("conversation"):
        raise NotACall("it continues a conversation that is kept at the vendor")
    messages: list[Json] = []
    if text(body, "instructions"):
        messages.append({"role": "system", "content": body["instructions"]})
    given = body["input"]
    for one in [{"role": "user", "content": given}] if isinstance(given, str) else given:
        _add(messages, one)
    found: Json = {name: body[name] for name in _SAME if body.get(name) is not None}
    found["messages"] = messages
    if body.get("max_output_tokens") is not None:
        found["max_tokens"] = body["max_output_tokens"]
    effort = text(mapping(body, "reasoning"), "effort")
    if effort:
        found["reasoning_effort"] = effort
    tools = body.get("tools")
    if isinstance(tools, list):
        found["tools"] = [one for one in tools if isinstance(one, dict) and one.get("type") == "function"]
    choice = body.get("tool_choice")
    if isinstance(choice, str):
        found["tool_choice"] = choice
    elif isinstance(choice, dict) and text(choice, "name"):
        found["tool_choice"] = {"type": "function", "function": {"name": choice["name"]}}
    form = mapping(mapping(body, "text"), "format")
    if form.get("type") == "json_schema":
        schema = {
            name: form[name] for name in ("name", "description", "schema", "strict") if form.get(name) is not None
        }
        found["response_format"] = {"type": "json_schema", "json_schema": schema}
    elif form.get("type") == "json_object":
        found["response_format"] = {"type": "json_object"}
    return found


def answer_of(body: Json) -> Json:
    """An answer as a `chat.completion`."""
    messages: list[Json] = []
    for one in body["output"]:
        _add(messages, one)
    said = "".join(one["content"] for one in messages if isinstance(one.get("content"), str))
    calls = [call for one in messages for call in one.get("tool_calls") or ()]
    refusals = "".join(one["refusal"] for one in messages if isinstance(one.get("refusal"), str))
    message: Json = {"role": "assistant", "content": said or None}
    if calls:
        message["tool_calls"] = calls
    if refusals:
        message["refusal"] = refusals
    cut = text(mapping(body, "incomplete_details"), "reason")
    finish = {"max_output_tokens": "length", "content_filter": "content_filter"}.get(cut, "")
    found: Json = {"object": "chat.completion"}
    for name, of in (("id", "id"), ("created", "created_at"), ("model", "model")):
        if body.get(of) is not None:
            found[name] = body[of]
    found["choices"] = [{"index": 0, "message": message, "finish_reason": finish}]
    usage = body.get("usage")
    if isinstance(usage, dict):
        found["usage"] = usage
    return found


def _add(messages: list[Json], item: Any) -> None:
    """One item into the conversation; calls of one turn are one message."""
    if not isinstance(item, dict):
        raise Unreadable("an item of the input is no object")
    kind = text(item, "type") or "message"
    if kind == "message":
        messages.append(_message(item))
    elif kind in ("function_call", "custom_tool_call"):
        arguments = item.get("arguments", item.get("input"))
        written = arguments if isinstance(arguments, str) else _encode(arguments).decode()
        call = {
            "id": text(item, "call_id", "id"),
            "type": "function",
            "function": {"name": text(item, "name"), "arguments": written},
        }
        last = messages[-1] if messages else {}
        if last.get("role") == "assistant" and last.get("tool_calls"):
            last["tool_calls"].append(call)
        else:
            messages.append({"role": "assistant", "content": None, "tool_calls": [call]})
    elif kind in ("function_call_output", "custom_tool_call_output"):
        output = item.get("output")
        said = output if isinstance(output, str) else _encode(output).decode()
        messages.append({"role": "tool", "tool_call_id": text(item, "call_id"), "content": said})
    elif kind != "reasoning":
        raise NotACall(f"it holds an item of type {kind[:40]}, which a chat has not")


def _message(item: Json) -> Json:
    content = item.get("content")
    role = text(item, "role") or "assistant"
    if not isinstance(content, list):
        return {"role": role, "content": content}
    parts = [_part(one) for one in content if isinstance(one, dict)]
    refusals = [one["refusal"] for one in parts if one.get("type") == "refusal"]
    said = [one for one in parts if one.get("type") != "refusal"]
    found: Json = {"role": role, "content": said}
    if all(one.get("type") == "text" for one in said):
        found["content"] = "".join(one["text"] for one in said)
    if refusals:
        found["refusal"] = "".join(str(one) for one in refusals)
    return found


def _part(part: Json) -> Json:
    kind = text(part, "type")
    if kind in _TEXTS:
        return {"type": "text", "text": text(part, "text")}
    if kind == "input_image":
        url = part.get("image_url")
        return {"type": "image_url", "image_url": url if isinstance(url, dict) else {"url": url}}
    return part
