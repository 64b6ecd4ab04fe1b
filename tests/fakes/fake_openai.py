"""A fake of OpenAI's API: chat completions, responses, embeddings and models, on the wire as the official SDK's types have them."""

from __future__ import annotations

import base64
import hashlib
import json
import struct
from typing import Any

from demo.replay_answers import count, text_of, vector
from tests.fakes import fake_responses
from tests.fakes.replies import Reply, derived, pieces
from tests.fakes.vendor import Vendor
from tests.fakes.wire import Recorded, Streamed, Whole

CREATED = 1_790_000_000
LIMITS = (
    ("x-ratelimit-limit-requests", "5000"),
    ("x-ratelimit-limit-tokens", "800000"),
    ("x-ratelimit-remaining-requests", "4999"),
    ("x-ratelimit-remaining-tokens", "799000"),
    ("x-ratelimit-reset-requests", "12ms"),
    ("x-ratelimit-reset-tokens", "6m0s"),
    ("openai-processing-ms", "7"),
    ("openai-version", "2020-10-01"),
)
PATHS = ("/v1/chat/completions", "/v1/embeddings", "/v1/responses")
KINDS = {
    400: "invalid_request_error",
    401: "invalid_request_error",
    404: "invalid_request_error",
    429: "rate_limit_exceeded",
}


class FakeOpenAi(Vendor):
    """The fake; its base path is `/v1`."""

    def refuses(self, request: Recorded) -> Whole | None:
        if request.headers.get("authorization") != f"Bearer {self.key}":
            return Whole(error_body(401, "Incorrect API key provided: sk-fake-***.", code="invalid_api_key"), 401)
        return None

    def error(self, status: int) -> bytes:
        return error_body(status, f"The fake was told to answer {status}.")

    def answer(self, request: Recorded) -> Whole | Streamed:
        headers = (*LIMITS, ("x-request-id", f"req_{len(self.requests):08d}"))
        inside = error_body(500, "The server had an error while processing your request.")
        if request.path == "/v1/models":
            models = [{"id": "gpt-fake", "object": "model", "created": CREATED, "owned_by": "fake"}]
            return Whole(_json({"object": "list", "data": models}), headers=headers)
        if request.method != "POST" or request.path not in PATHS:
            return Whole(error_body(404, f"Invalid URL ({request.method} {request.path})"), 404, headers)
        try:
            body = request.json
        except ValueError:
            return Whole(error_body(400, "We could not parse the JSON body of your request."), 400, headers)
        if request.path == "/v1/embeddings":
            return Whole(_json(embeddings(body)), headers=headers, error=inside)
        if request.path == "/v1/responses":
            return self._response(body, headers, inside)
        reply = self.reply_for(_derived(body))
        if body.get("stream"):
            events = tuple(b"data: " + _json(one) + b"\n\n" for one in chunks(body, reply))
            return Streamed(events, (b"data: [DONE]\n\n",), b"data: " + inside + b"\n\n", headers)
        return Whole(_json(completion(body, reply)), headers=headers, error=inside)

    def _response(self, body: dict[str, Any], headers: tuple[tuple[str, str], ...], inside: bytes) -> Whole | Streamed:
        reply = self.reply_for(fake_responses.reply_of(body))
        if not body.get("stream"):
            return Whole(_json(fake_responses.response(body, reply)), headers=headers, error=inside)
        told = fake_responses.events(body, reply)
        error = b'event: error\ndata: {"type":"error","code":"server_error","message":"The fake failed.","param":null,'
        return Streamed(tuple(told[:-1]), (told[-1],), error + b'"sequence_number":9}\n\n', headers)


def error_body(status: int, message: str, code: str | None = None) -> bytes:
    """OpenAI's error: four keys, the last two nullable."""
    kind = KINDS.get(status, "server_error")
    return _json(
        {"error": {"message": message, "type": kind, "param": None, "code": code or (kind if status == 429 else None)}}
    )


def completion(body: dict[str, Any], reply: Reply) -> dict[str, Any]:
    """A `chat.completion`."""
    choices = []
    for index in range(body.get("n") or 1):
        message = {
            "role": "assistant",
            "content": reply.text or None,
            "refusal": reply.refusal or None,
            "annotations": [],
        }
        if reply.calls:
            message["tool_calls"] = [_call(place, *call) for place, call in enumerate(reply.calls)]
        logprobs = {"content": _logprobs(reply.text), "refusal": None} if body.get("logprobs") else None
        choices.append({"index": index, "message": message, "logprobs": logprobs, "finish_reason": _reason(reply)})
    return {**_base(body, "chat.completion"), "choices": choices, "usage": usage(body, reply)}


def chunks(body: dict[str, Any], reply: Reply) -> list[dict[str, Any]]:
    """The `chat.completion.chunk`s of the same answer."""
    options = body.get("stream_options") or {}
    base = _base(body, "chat.completion.chunk")
    found = []
    for index in range(body.get("n") or 1):
        deltas: list[tuple[dict[str, Any], Any]] = [({"role": "assistant", "content": "", "refusal": None}, None)]
        told = body.get("logprobs")
        deltas += [({"content": one}, _logprobs(one) if told else None) for one in pieces(reply.text)]
        deltas += [({"refusal": one}, None) for one in pieces(reply.refusal)]
        for place, call in enumerate(reply.calls):
            made = _call(place, *call)
            text = made["function"].pop("arguments")
            opened = {"index": place, **made, "function": {**made["function"], "arguments": ""}}
            deltas.append(({"tool_calls": [opened]}, None))
            deltas += [
                ({"tool_calls": [{"index": place, "function": {"arguments": one}}]}, None) for one in pieces(text)
            ]
        for delta, logprobs in deltas:
            told = {"content": logprobs, "refusal": None} if logprobs is not None else None
            found.append({"index": index, "delta": delta, "logprobs": told, "finish_reason": None})
        found.append({"index": index, "delta": {}, "logprobs": None, "finish_reason": _reason(reply)})
    made = [{**base, "choices": [one]} for one in found]
    if options.get("include_obfuscation", True):
        made = [{**one, "obfuscation": "x" * (place % 7)} for place, one in enumerate(made)]
    if options.get("include_usage"):
        made = [{**one, "usage": None} for one in made]
        made.append({**base, "choices": [], "usage": usage(body, reply)})
    return made


def usage(body: dict[str, Any], reply: Reply) -> dict[str, Any]:
    """Usage; cached tokens are inside the prompt's, reasoning tokens inside the completion's."""
    told = (
        sum(count(text_of(one.get("content"))) + 4 for one in body["messages"]) if reply.input is None else reply.input
    )
    written = reply.written() * (body.get("n") or 1)
    return {
        "prompt_tokens": told,
        "completion_tokens": written,
        "total_tokens": told + written,
        "prompt_tokens_details": {"cached_tokens": reply.cached, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": reply.reasoning,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def embeddings(body: dict[str, Any]) -> dict[str, Any]:
    """A list of vectors, as floats or as base64 of little-endian 32-bit floats."""
    texts = body["input"] if isinstance(body["input"], list) else [body["input"]]
    rows = []
    for place, text in enumerate(texts):
        found: Any = vector(str(text), body.get("dimensions") or 16)
        if body.get("encoding_format") == "base64":
            found = base64.b64encode(struct.pack(f"<{len(found)}f", *found)).decode()
        rows.append({"object": "embedding", "index": place, "embedding": found})
    told = sum(count(str(text)) for text in texts)
    return {
        "object": "list",
        "data": rows,
        "model": body["model"],
        "usage": {"prompt_tokens": told, "total_tokens": told},
    }


def _derived(body: dict[str, Any]) -> Reply:
    last = body["messages"][-1]
    prompt = text_of(last.get("content"))
    tools = [(one["function"]["name"], one["function"].get("parameters", {})) for one in body.get("tools") or ()]
    choice = body.get("tool_choice")
    if choice == "none" or last["role"] == "tool":
        tools = []
    elif isinstance(choice, dict):
        tools = [one for one in tools if one[0] == choice["function"]["name"]]
    form = body.get("response_format") or {}
    schema = form.get("json_schema", {}).get("schema") if form.get("type") == "json_schema" else None
    return derived(prompt, tools, schema, 1 if body.get("parallel_tool_calls") is False else 2)


def _reason(reply: Reply) -> str:
    return reply.stop or ("tool_calls" if reply.calls else "stop")


def _call(place: int, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": f"call_fake{place}",
        "type": "function",
        "function": {"name": name, "arguments": json.dumps(arguments)},
    }


def _logprobs(text: str) -> list[dict[str, Any]]:
    one = {"token": text, "logprob": -0.25, "bytes": list(text.encode())}
    return [{**one, "top_logprobs": [one]}]


def _base(body: dict[str, Any], kind: str) -> dict[str, Any]:
    name = "chatcmpl-fake" + hashlib.sha256(_json(body)).hexdigest()[:12]
    told = {"id": name, "object": kind, "created": CREATED, "model": f"{body['model']}-2026-01-01"}
    return {**told, "service_tier": "default", "system_fingerprint": "fp_fake"}


def _json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
