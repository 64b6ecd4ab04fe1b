"""Small true parts for gateway tests: keys, targets, routes, bodies and answers as bytes."""

from __future__ import annotations

import hashlib
from decimal import Decimal

import msgspec

from freehold.core.label import Label, parse_label
from freehold.core.permit import Origin
from freehold.gateway.routing.types import Arm, Route, Routes
from freehold.identity.types import Keys, Principal
from freehold.ledger.meter import FREE, Price
from freehold.policy.targets import Target

KEY = "fh-test-0000000000000000000000000000000000000000"
SECRET = "sk-upstream-planted-secret-000000000000"
PROMPT = "planted prompt, which belongs in no log"

PRICE = Price(input=Decimal(10), output=Decimal(30), source="test", as_of="2026-11-22")

LIMITS = {"first_token_seconds": 30.0, "idle_seconds": 30.0, "whole_seconds": 60.0}

CHAT = "/v1/chat/completions"
MESSAGES = "/v1/messages"


class Defect:
    """What a defect of ours looks like to whoever uses this value. Methods of compiled classes cannot be replaced."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def __getattr__(self, name: str) -> object:
        raise self._error


def principal(key: str = KEY, **more) -> Principal:
    more.setdefault("label", parse_label("internal"))
    name = more.pop("name", "app")
    return Principal(key_id=f"key_{name}", name=name, digest=hashlib.sha256(key.encode()).digest(), **more)


def keys(*principals: Principal) -> Keys:
    return Keys(principals=principals or (principal(),))


def target(name: str, port: int, *, clearance: str = "confidential", **more) -> Target:
    more.setdefault("price", PRICE)
    more.setdefault("dialects", ("openai_chat", "openai_embeddings"))
    more.setdefault("max_output_tokens", 100)
    cleared: Label = parse_label(clearance)
    origin = more.pop("origin", Origin("http", "127.0.0.1", port))
    return Target(
        name=name, provider="vendor", driver=more.pop("driver", "openai"), model=more.pop("model", f"{name}-upstream"),
        origin=origin, credential="ref", clearance=cleared, **more,
    )  # fmt: skip


def claude(name: str, port: int, **more) -> Target:
    return target(name, port, driver="anthropic", dialects=("anthropic_messages", "anthropic_count_tokens"), **more)


def free(name: str, port: int, **more) -> Target:
    return target(name, port, price=FREE, owned=True, **more)


def route(name: str, *tiers: str | tuple[str, ...], **more) -> Route:
    arms = tuple(tuple(Arm(one) for one in ((tier,) if isinstance(tier, str) else tier)) for tier in tiers)
    return Route(name=name, tiers=arms, **more)


def routes(targets: tuple[Target, ...], *all_routes: Route, **more) -> Routes:
    return Routes(targets=targets, routes=all_routes, **more)


# Requests


def chat_body(model: str = "assistant", **more) -> bytes:
    return msgspec.json.encode({"model": model, "messages": [{"role": "user", "content": PROMPT}], **more})


def messages_body(model: str = "assistant", **more) -> bytes:
    return msgspec.json.encode(
        {"model": model, "max_tokens": 50, "messages": [{"role": "user", "content": PROMPT}], **more}
    )


def request(path: str, body: bytes, *lines: str, key: str | None = KEY, host: str = "localhost") -> bytes:
    head = [f"POST {path} HTTP/1.1", f"host: {host}", "content-type: application/json", f"content-length: {len(body)}"]
    if key is not None:
        head.append(f"x-api-key: {key}" if path.startswith(MESSAGES) else f"authorization: Bearer {key}")
    if path.startswith(MESSAGES):
        head.append("anthropic-version: 2023-06-01")
    return ("\r\n".join([*head, *lines]) + "\r\n\r\n").encode("latin-1") + body


# Answers


def response(body: bytes, status: int = 200, *lines: str, kind: str = "application/json") -> bytes:
    head = [f"HTTP/1.1 {status} X", f"content-type: {kind}", f"content-length: {len(body)}", *lines]
    return ("\r\n".join(head) + "\r\n\r\n").encode("latin-1") + body


def chunked(
    *pieces: bytes, end: bytes = b"0\r\n\r\n", kind: str = "text/event-stream", lines: tuple[str, ...] = ()
) -> bytes:
    head = ["HTTP/1.1 200 OK", f"content-type: {kind}", "transfer-encoding: chunked", *lines]
    body = b"".join(b"%x\r\n%b\r\n" % (len(one), one) for one in pieces)
    return ("\r\n".join(head) + "\r\n\r\n").encode() + body + end


def chat_answer(text: str = "hello", prompt: int = 7, completion: int = 3, **choice) -> bytes:
    said = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop", **choice}
    return msgspec.json.encode(
        {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1700000000,
            "model": "m",
            "choices": [said],
            "usage": {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion},
        }
    )


def chat_event(text: str) -> bytes:
    chunk = {
        "id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1700000000, "model": "m",
        "choices": [{"index": 0, "delta": {"content": text}, "finish_reason": None}],
    }  # fmt: skip
    return b"data: " + msgspec.json.encode(chunk) + b"\n\n"


CHAT_STOP = (
    b'data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1700000000,"model":"m",'
    b'"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
)
CHAT_USAGE = (
    b'data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1700000000,"model":"m","choices":[],'
    b'"usage":{"prompt_tokens":7,"completion_tokens":3,"total_tokens":10}}\n\n'
)
DONE = b"data: [DONE]\n\n"


def chat_stream(*texts: str, usage: bool = True, done: bool = True) -> list[bytes]:
    return [
        *(chat_event(one) for one in texts or ("hel", "lo")), CHAT_STOP, *([CHAT_USAGE] if usage else []),
        *([DONE] if done else []),
    ]  # fmt: skip


def message_answer(text: str = "hello", prompt: int = 7, completion: int = 3) -> bytes:
    return msgspec.json.encode(
        {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "model": "m",
            "content": [{"type": "text", "text": text}],
            "stop_reason": "end_turn",
            "stop_sequence": None,
            "usage": {"input_tokens": prompt, "output_tokens": completion},
        }
    )


def event(kind: str, **fields) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (kind.encode(), msgspec.json.encode({"type": kind, **fields}))


def message_stream(*texts: str, stop: bool = True) -> list[bytes]:
    first = {
        "id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": [], "stop_reason": None,
        "stop_sequence": None, "usage": {"input_tokens": 7, "output_tokens": 1},
    }  # fmt: skip
    found = [
        event("message_start", message=first),
        event("content_block_start", index=0, content_block={"type": "text", "text": ""}),
    ]
    found += [
        event("content_block_delta", index=0, delta={"type": "text_delta", "text": one})
        for one in texts or ("hel", "lo")
    ]
    found += [
        event("content_block_stop", index=0),
        event("message_delta", delta={"stop_reason": "end_turn", "stop_sequence": None}, usage={"output_tokens": 3}),
    ]
    if stop:
        found.append(event("message_stop"))
    return found
