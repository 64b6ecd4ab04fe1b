"""A fake of Anthropic's API: messages, count_tokens and models, on the wire as the official SDK's types have them."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from demo.replay_answers import count, text_of
from tests.fakes.replies import Reply, derived, pieces
from tests.fakes.vendor import Vendor
from tests.fakes.wire import Recorded, Streamed, Whole

LIMITS = (
    ("anthropic-ratelimit-requests-limit", "4000"),
    ("anthropic-ratelimit-requests-remaining", "3999"),
    ("anthropic-ratelimit-requests-reset", "2026-11-22T00:00:01Z"),
    ("anthropic-ratelimit-tokens-limit", "400000"),
    ("anthropic-ratelimit-tokens-remaining", "399000"),
    ("anthropic-ratelimit-tokens-reset", "2026-11-22T00:00:02Z"),
    ("anthropic-organization-id", "00000000-0000-4000-8000-000000000000"),
)
KINDS = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    529: "overloaded_error",
}
SIGNATURE = "RmFrZVNpZ25hdHVyZQ=="


class FakeAnthropic(Vendor):
    """The fake; its base path is `/v1`."""

    def refuses(self, request: Recorded) -> Whole | None:
        # Both are in use: SDKs send the key as a bearer token since version 2 of the Python one.
        if self.key not in {request.headers.get("x-api-key"), request.headers.get("authorization", "")[7:]}:
            return Whole(error_body(401, "invalid x-api-key"), 401)
        if not request.headers.get("anthropic-version"):
            return Whole(error_body(400, "anthropic-version: header is required"), 400)
        return None

    def error(self, status: int) -> bytes:
        return error_body(status, "Overloaded" if status == 529 else f"The fake was told to answer {status}.")

    def answer(self, request: Recorded) -> Whole | Streamed:
        headers = (*LIMITS, ("request-id", f"req_{len(self.requests):08d}"))
        if request.path.split("?")[0] == "/v1/models":
            one = {"id": "claude-fake", "type": "model", "display_name": "Fake", "created_at": "2026-01-01T00:00:00Z"}
            body = {"data": [one], "has_more": False, "first_id": "claude-fake", "last_id": "claude-fake"}
            return Whole(_json(body), headers=headers)
        path = request.path.split("?")[0]
        if request.method != "POST" or path not in {"/v1/messages", "/v1/messages/count_tokens"}:
            return Whole(error_body(404, "Not Found"), 404, headers)
        try:
            body = request.json
        except ValueError:
            return Whole(error_body(400, "The request body is not valid JSON"), 400, headers)
        if path.endswith("count_tokens"):
            return Whole(_json({"input_tokens": told(body)}), headers=headers)
        if "max_tokens" not in body:
            return Whole(error_body(400, "max_tokens: Field required"), 400, headers)
        reply = self.reply_for(_derived(body))
        inside = error_body(529, "Overloaded")
        if not body.get("stream"):
            return Whole(_json(message(body, reply)), headers=headers, error=inside)
        events = [event(one) for one in stream(body, reply)]
        return Streamed(tuple(events[:-1]), (events[-1],), b"event: error\ndata: " + inside + b"\n\n", headers)


def error_body(status: int, text: str) -> bytes:
    """Anthropic's error."""
    error = {"type": KINDS.get(status, "api_error"), "message": text}
    return _json({"type": "error", "error": error, "request_id": "req_fake"})


def event(value: dict[str, Any]) -> bytes:
    """One server-sent event."""
    return f"event: {value['type']}\n".encode() + b"data: " + _json(value) + b"\n\n"


def message(body: dict[str, Any], reply: Reply) -> dict[str, Any]:
    """A whole `message`."""
    start = _start(body, reply)
    stop = {"stop_reason": _reason(reply), "stop_sequence": reply.stop_sequence or None}
    return {**start, "content": blocks(reply), **stop, "usage": usage(body, reply, reply.written())}


def blocks(reply: Reply) -> list[dict[str, Any]]:
    """The content of an answer."""
    found: list[dict[str, Any]] = []
    if reply.thinking:
        found.append({"type": "thinking", "thinking": reply.thinking, "signature": SIGNATURE})
    if reply.redacted:
        found.append({"type": "redacted_thinking", "data": reply.redacted})
    if reply.text:
        found.append({"type": "text", "text": reply.text, "citations": None})
    for place, (name, arguments) in enumerate(reply.calls):
        found.append({"type": "tool_use", "id": f"toolu_fake{place}", "name": name, "input": arguments})
    return found


def stream(body: dict[str, Any], reply: Reply) -> list[dict[str, Any]]:
    """The events of the same answer."""
    start = {**_start(body, reply), "content": [], "stop_reason": None, "stop_sequence": None}
    found: list[dict[str, Any]] = [{"type": "message_start", "message": {**start, "usage": usage(body, reply, 1)}}]
    for place, block in enumerate(blocks(reply)):
        empty, deltas = _deltas(block)
        found.append({"type": "content_block_start", "index": place, "content_block": empty})
        if place == 0:
            found.append({"type": "ping"})
        found += [{"type": "content_block_delta", "index": place, "delta": delta} for delta in deltas]
        found.append({"type": "content_block_stop", "index": place})
    delta = {"stop_reason": _reason(reply), "stop_sequence": reply.stop_sequence or None}
    found.append({"type": "message_delta", "delta": delta, "usage": usage(body, reply, reply.written())})
    return [*found, {"type": "message_stop"}]


def told(body: dict[str, Any]) -> int:
    """Input tokens, in words: system, messages and tools."""
    found = count(text_of(body.get("system"))) + count(json.dumps(body.get("tools") or ""))
    return found + sum(count(text_of(one.get("content"))) + 3 for one in body["messages"])


def usage(body: dict[str, Any], reply: Reply, written: int) -> dict[str, Any]:
    """Usage; `input_tokens` leaves out what was read from or written to the cache."""
    whole = told(body) if reply.input is None else reply.input
    return {
        "input_tokens": max(0, whole - reply.cached - reply.cache_write),
        "cache_creation_input_tokens": reply.cache_write,
        "cache_read_input_tokens": reply.cached,
        "cache_creation": {"ephemeral_5m_input_tokens": reply.cache_write, "ephemeral_1h_input_tokens": 0},
        "output_tokens": written,
        "service_tier": "standard",
        "inference_geo": "eu",
    }


def _start(body: dict[str, Any], reply: Reply) -> dict[str, Any]:
    name = "msg_fake" + hashlib.sha256(_json(body)).hexdigest()[:12]
    return {"id": name, "type": "message", "role": "assistant", "model": f"{body['model']}-20260101"}


def _deltas(block: dict[str, Any]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    if block["type"] == "thinking":
        deltas = [{"type": "thinking_delta", "thinking": one} for one in pieces(block["thinking"])]
        deltas.append({"type": "signature_delta", "signature": block["signature"]})
        return {**block, "thinking": "", "signature": ""}, deltas
    if block["type"] == "text":
        return {**block, "text": ""}, [{"type": "text_delta", "text": one} for one in pieces(block["text"])]
    if block["type"] == "tool_use":
        parts = ["", *pieces(json.dumps(block["input"]))]  # the vendor really begins with an empty one
        return {**block, "input": {}}, [{"type": "input_json_delta", "partial_json": one} for one in parts]
    return block, []


def _derived(body: dict[str, Any]) -> Reply:
    last = body["messages"][-1]
    content = last["content"] if isinstance(last["content"], list) else []
    tools = [(one["name"], one.get("input_schema", {})) for one in body.get("tools") or ()]
    choice = body.get("tool_choice") or {"type": "auto"}
    if choice["type"] == "none" or any(one.get("type") == "tool_result" for one in content):
        tools = []
    elif choice["type"] == "tool":
        tools = [one for one in tools if one[0] == choice["name"]]
    most = 1 if choice.get("disable_parallel_tool_use") else 2
    schema = ((body.get("output_config") or {}).get("format") or {}).get("schema")
    found = derived(text_of(last["content"]), tools, schema, most)
    if (body.get("thinking") or {}).get("type") == "enabled":
        return Reply(text=found.text, calls=found.calls, thinking="First I look at what is asked.")
    return found


def _reason(reply: Reply) -> str:
    return reply.stop or ("tool_use" if reply.calls else "end_turn")


def _json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
