"""The responses of the fake of OpenAI's API: items, and the events that tell them, as the official SDK's types have them."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from demo.replay_answers import count, text_of
from tests.fakes.replies import Reply, derived, pieces

CREATED = 1_790_000_000


def reply_of(body: dict[str, Any]) -> Reply:
    """What the model says, out of the request."""
    items = _input(body)
    last = items[-1]
    tools = [
        (one["name"], one.get("parameters", {})) for one in body.get("tools") or () if one.get("type") == "function"
    ]
    choice = body.get("tool_choice")
    if choice == "none" or last.get("type") == "function_call_output":
        tools = []
    elif isinstance(choice, dict):
        tools = [one for one in tools if one[0] == choice["name"]]
    form = (body.get("text") or {}).get("format") or {}
    schema = form.get("schema") if form.get("type") == "json_schema" else None
    prompt = text_of(last.get("content") or last.get("output"))
    return derived(prompt, tools, schema, 1 if body.get("parallel_tool_calls") is False else 2)


def response(body: dict[str, Any], reply: Reply) -> dict[str, Any]:
    """A whole `response`."""
    told = sum(count(text_of(one.get("content"))) + 4 for one in _input(body)) if reply.input is None else reply.input
    written = reply.written()
    usage = {
        "input_tokens": told,
        "input_tokens_details": {"cached_tokens": reply.cached, "cache_write_tokens": 0},
        "output_tokens": written,
        "output_tokens_details": {"reasoning_tokens": reply.reasoning},
        "total_tokens": told + written,
    }
    cut = reply.stop == "length"
    return {
        **_head(body),
        "status": "incomplete" if cut else "completed",
        "incomplete_details": {"reason": "max_output_tokens"} if cut else None,
        "output": [_item(at, one, body, reply) for at, one in enumerate(_kinds(reply))],
        "usage": usage,
    }


def events(body: dict[str, Any], reply: Reply) -> list[bytes]:
    """The stream that tells it."""
    whole = response(body, reply)
    begun = {**whole, "status": "in_progress", "incomplete_details": None, "output": [], "usage": None}
    told: list[dict[str, Any]] = [
        {"type": "response.created", "response": begun},
        {"type": "response.in_progress", "response": begun},
    ]
    for at, item in enumerate(whole["output"]):
        told += _item_events(at, item)
    told.append({"type": f"response.{whole['status']}", "response": whole})
    return [_framed({**one, "sequence_number": number}) for number, one in enumerate(told)]


def _item_events(at: int, item: dict[str, Any]) -> list[dict[str, Any]]:
    where = {"item_id": item["id"], "output_index": at}
    empty = {
        name: [] if name in {"content", "summary"} else "" if name in {"arguments", "encrypted_content"} else value
        for name, value in item.items()
    }
    found: list[dict[str, Any]] = [
        {"type": "response.output_item.added", "output_index": at, "item": {**empty, "status": "in_progress"}}
    ]
    if item["type"] == "function_call":
        kind = "response.function_call_arguments"
        found += [{"type": f"{kind}.delta", **where, "delta": one} for one in pieces(item["arguments"])]
        found.append({"type": f"{kind}.done", **where, "name": item["name"], "arguments": item["arguments"]})
    for place, part in enumerate(item.get("summary") or ()):
        here, kind = {**where, "summary_index": place}, "response.reasoning_summary"
        found.append({"type": f"{kind}_part.added", **here, "part": {**part, "text": ""}})
        found += [{"type": f"{kind}_text.delta", **here, "delta": one} for one in pieces(part["text"])]
        found.append({"type": f"{kind}_text.done", **here, "text": part["text"]})
        found.append({"type": f"{kind}_part.done", **here, "part": part})
    for place, part in enumerate(item.get("content") or ()):
        here = {**where, "content_index": place}
        name = "refusal" if part["type"] == "refusal" else "text"
        kind = f"response.{part['type']}"
        more = {} if name == "refusal" else {"logprobs": []}
        found.append({"type": "response.content_part.added", **here, "part": {**part, name: ""}})
        found += [{"type": f"{kind}.delta", **here, "delta": one, **more} for one in pieces(part[name])]
        found.append({"type": f"{kind}.done", **here, name: part[name], **more})
        found.append({"type": "response.content_part.done", **here, "part": part})
    return [*found, {"type": "response.output_item.done", "output_index": at, "item": item}]


def _kinds(reply: Reply) -> list[Any]:
    found: list[Any] = ["reasoning"] if reply.thinking or reply.redacted else []
    found += ["message"] if reply.text or reply.refusal else []
    return [*found, *reply.calls]


def _item(at: int, kind: Any, body: dict[str, Any], reply: Reply) -> dict[str, Any]:
    if kind == "reasoning":
        summary = [{"type": "summary_text", "text": reply.thinking}] if reply.thinking else []
        found = {"id": f"rs_fake{at}", "type": "reasoning", "summary": summary, "status": "completed"}
        return {**found, "encrypted_content": reply.redacted} if reply.redacted else found
    if kind == "message":
        said: dict[str, Any] = {"type": "output_text", "text": reply.text, "annotations": [], "logprobs": []}
        if reply.refusal:
            said = {"type": "refusal", "refusal": reply.refusal}
        message = {"id": f"msg_fake{at}", "type": "message", "role": "assistant", "status": "completed"}
        return {**message, "content": [said]}
    name, arguments = kind
    call = {"id": f"fc_fake{at}", "type": "function_call", "status": "completed", "call_id": f"call_fake{at}"}
    return {**call, "name": name, "arguments": json.dumps(arguments)}


def _input(body: dict[str, Any]) -> list[dict[str, Any]]:
    found = body["input"]
    return [{"role": "user", "content": found}] if isinstance(found, str) else found


def _head(body: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": "resp_fake" + hashlib.sha256(json.dumps(body).encode()).hexdigest()[:12],
        "object": "response",
        "created_at": CREATED,
        "error": None,
        "instructions": body.get("instructions"),
        "model": f"{body['model']}-2026-01-01",
        "max_output_tokens": body.get("max_output_tokens"),
        "metadata": body.get("metadata") or {},
        "parallel_tool_calls": body.get("parallel_tool_calls", True),
        "previous_response_id": body.get("previous_response_id"),
        "reasoning": body.get("reasoning") or {"effort": None, "summary": None},
        "store": body.get("store", True),
        "temperature": body.get("temperature", 1.0),
        "text": body.get("text") or {"format": {"type": "text"}},
        "tool_choice": body.get("tool_choice", "auto"),
        "tools": body.get("tools") or [],
        "top_p": body.get("top_p", 1.0),
        "truncation": "disabled",
        "service_tier": "default",
    }


def _framed(event: dict[str, Any]) -> bytes:
    data = json.dumps(event, separators=(",", ":")).encode()
    return b"event: " + event["type"].encode() + b"\ndata: " + data + b"\n\n"
