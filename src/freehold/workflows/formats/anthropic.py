"""Anthropic's messages in canonical form, through the gateway's own dialects: lossless or refused."""

from __future__ import annotations

from typing import Any

import msgspec

from freehold.core.errors import FreeholdError
from freehold.gateway.dialects.registry import dialect
from freehold.workflows.errors import Unreadable
from freehold.workflows.formats.types import Json

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode
_BLOCKS = frozenset({"tool_use", "tool_result", "thinking", "redacted_thinking", "document", "server_tool_use"})
_STATED = frozenset({"anthropic_version", "stop_sequences", "top_k", "thinking", "anthropic_beta"})


def asks(body: Json) -> bool:
    """True for a request that only Anthropic's API takes."""
    if "system" in body or _STATED & body.keys():
        return True
    tools = body.get("tools")
    if isinstance(tools, list) and any(isinstance(one, dict) and "input_schema" in one for one in tools):
        return True
    return any(_only_here(one) for one in body.get("messages") or () if isinstance(one, dict))


def answers(body: Json) -> bool:
    """True for an answer of Anthropic's API."""
    content = body.get("content")
    if not isinstance(content, list) or "choices" in body:
        return False
    return "stop_reason" in body or any(isinstance(one, dict) and one.get("type") in _BLOCKS for one in content)


def request_of(body: Json, model: str = "") -> Json:
    """A request as a chat body. Raises Unreadable, with the field at fault."""
    given = {name: one for name, one in body.items() if one is not None and name not in ("anthropic_version", "stream")}
    limited = "max_tokens" in given
    given.setdefault("max_tokens", 1)
    given["model"] = given.get("model") or model or "unknown"
    request = _tried(lambda: dialect("anthropic_messages").decode_request(_encode(given)))
    sent, _ = _tried(lambda: dialect("openai_chat").encode_request(request, request.model))
    found: Json = _decode(sent)
    limit = found.pop("max_completion_tokens", found.pop("max_tokens", None))
    if limited and limit is not None:
        found["max_tokens"] = limit
    if not (body.get("model") or model):
        del found["model"]
    return found


def answer_of(body: Json) -> Json:
    """An answer as a `chat.completion`. Raises Unreadable."""
    given = {"type": "message", "role": "assistant", "id": "", "model": "", **body}
    answer = _tried(lambda: dialect("anthropic_messages").decode_answer(_encode(given)))
    made, _ = _tried(lambda: dialect("openai_chat").encode_answer(answer))
    found: Json = _decode(made)
    if not found.get("created"):
        found.pop("created", None)
    return {name: one for name, one in found.items() if one not in (None, "")}


def _only_here(message: Json) -> bool:
    content = message.get("content")
    if not isinstance(content, list):
        return False
    return any(
        isinstance(one, dict) and (one.get("type") in _BLOCKS or (one.get("type") == "image" and "source" in one))
        for one in content
    )


def _tried(work: Any) -> Any:
    try:
        return work()
    except FreeholdError as error:
        where = f" (at {error.param})" if error.param else ""
        raise Unreadable(f"cannot be told as a chat: {type(error).__name__}{where}") from error
