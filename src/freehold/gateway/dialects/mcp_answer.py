"""Answers of servers of tools: a JSON-RPC message, or several as server-sent events. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from freehold.core.errors import UpstreamLied
from freehold.gateway.json_read import BROKEN
from freehold.ledger.meter import Usage

CALL = Usage(units=1, unit="call")
_DATA = b"data:"
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(dict[str, Any]).decode


def usage(body: bytes) -> Usage:
    """One call where a tool's result is told; nothing for anything else. Raises UpstreamLied for what is no message."""
    results = [one.get("result") for one in messages(body)]
    called = any(isinstance(one, dict) and ("content" in one or "structuredContent" in one) for one in results)
    return CALL if called else Usage()


def messages(body: bytes) -> list[dict[str, Any]]:
    """The messages of an answer; none in an empty one. Raises UpstreamLied."""
    return [_message(one) for one in _payloads(body)]


def with_tools(body: bytes, allowed: Callable[[str], bool]) -> bytes:
    """The answer with the tools that are not allowed taken out of lists; else byte for byte. Raises UpstreamLied."""
    if b'"tools"' not in body and b"\\u" not in body:
        return body
    out = body
    for payload in _payloads(body):
        told = _message(payload)
        result = told.get("result")
        tools = result.get("tools") if isinstance(result, dict) else None
        if not isinstance(tools, list):
            continue
        kept = [one for one in tools if isinstance(one, dict) and allowed(str(one.get("name", "")))]
        if kept != tools and isinstance(result, dict):
            new = _encode({**told, "result": {**result, "tools": kept}})
            out = new if out == payload else _replaced(out, payload, new)
    return out


def _replaced(body: bytes, payload: bytes, new: bytes) -> bytes:
    """The events with one message anew; one whose data goes over several lines becomes one line."""
    lines = payload.split(b"\n")
    if len(lines) == 1:
        return body.replace(payload, new, 1)
    events = body.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n\n")
    found = [one if _data(one) != payload else b"event: message\ndata: " + new for one in events]
    return b"\n\n".join(found)


def _payloads(body: bytes) -> list[bytes]:
    held = body.strip()
    if not held:
        return []
    if held.startswith((b"{", b"[")):
        return [body]
    events = body.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n\n")
    return [data for one in events if (data := _data(one)).strip()]


def _data(event: bytes) -> bytes:
    lines = [one.removeprefix(_DATA).removeprefix(b" ") for one in event.split(b"\n") if one.startswith(_DATA)]
    return b"\n".join(lines)


def _message(payload: bytes) -> dict[str, Any]:
    try:
        return _decode(payload)
    except BROKEN:
        raise UpstreamLied("the server's answer is no JSON-RPC message") from None
