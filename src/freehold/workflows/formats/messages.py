"""Messages of any client in the form of OpenAI's chat: its own, LangChain's, and OpenTelemetry's parts."""

from __future__ import annotations

from typing import Any

import msgspec

from freehold.workflows.errors import Unreadable
from freehold.workflows.formats.fields import mapping, text
from freehold.workflows.formats.types import Json

_encode = msgspec.json.Encoder().encode

_KEPT = (
    *("role", "content", "name", "tool_calls", "tool_call_id", "function_call", "refusal", "reasoning_content"),
    *("reasoning", "audio"),
)
_ROLES = {
    "ai": "assistant",
    "aimessage": "assistant",
    "aimessagechunk": "assistant",
    "assistant": "assistant",
    "chat": "user",
    "developer": "developer",
    "function": "function",
    "functionmessage": "function",
    "human": "user",
    "humanmessage": "user",
    "humanmessagechunk": "user",
    "model": "assistant",
    "system": "system",
    "systemmessage": "system",
    "tool": "tool",
    "toolmessage": "tool",
    "user": "user",
}


def messages_of(value: Any) -> list[Json]:
    """A conversation. Raises Unreadable where there is none, or a message has no role."""
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], list):
        value = value[0]  # LangChain batches prompts; a run has one
    if not isinstance(value, list) or not value:
        raise Unreadable("there are no messages")
    return [message for one in value for message in spread(one)]


def spread(value: Any) -> list[Json]:
    """One message; one of OpenTelemetry's with several tools' answers is several here."""
    one = value.get("message", value) if isinstance(value, dict) else value
    if isinstance(one, dict) and isinstance(one.get("parts"), list):
        return _from_parts(one)
    return [message_of(one)]


def message_of(value: Any) -> Json:
    """One message with the fields a chat request has. Raises Unreadable where it has no role we know."""
    if isinstance(value, str):
        return {"role": "user", "content": value}
    if not isinstance(value, dict):
        raise Unreadable("a message is no object")
    kind = ""
    if isinstance(value.get("kwargs"), dict):
        name = value.get("id")
        kind = str(name[-1]) if isinstance(name, list) and name else ""
        value = value["kwargs"]
    elif isinstance(value.get("data"), dict) and "content" in value["data"]:
        kind = text(value, "type")
        value = value["data"]
    role = _ROLES.get((text(value, "role") or text(value, "type") or kind).lower()) or _ROLES.get(kind.lower())
    if role is None:
        raise Unreadable("a message has no role that is known")
    found = {name: value[name] for name in _KEPT if value.get(name) is not None}
    found["role"] = role
    found.setdefault("content", None)
    more = value.get("additional_kwargs")
    calls = value.get("tool_calls") or (more.get("tool_calls") if isinstance(more, dict) else None)
    found.pop("tool_calls", None)
    if isinstance(calls, list) and calls:
        found["tool_calls"] = [call_of(one) for one in calls]
        found["content"] = found["content"] or None
    if role == "function" and found["content"] is None:
        found["content"] = ""
    parts = value.get("content_parts")
    if found["content"] is None and isinstance(parts, list) and parts:
        found["content"] = parts
    return found


def call_of(value: Any) -> Json:
    """A call of a tool, also in LangChain's form `name, args, id`."""
    if not isinstance(value, dict):
        raise Unreadable("a call of a tool is no object")
    inner = value.get("function")
    if isinstance(inner, dict):
        arguments = inner.get("arguments", inner.get("args"))
        name = text(inner, "name")
    else:
        arguments = value.get("args", value.get("arguments", value.get("input")))
        name = text(value, "name", "tool_name")
    written = arguments if isinstance(arguments, str) else _encode({} if arguments is None else arguments).decode()
    return {
        "id": text(value, "id", "tool_call_id", "call_id"),
        "type": "function",
        "function": {"name": name, "arguments": written},
    }


def _from_parts(one: Json) -> list[Json]:
    """OpenTelemetry's `parts`: text, tool_call, tool_call_response, and media, which stay as they are."""
    role = _ROLES.get(text(one, "role").lower())
    if role is None:
        raise Unreadable("a message has no role that is known")
    said: list[Any] = []
    calls: list[Json] = []
    results: list[Json] = []
    thoughts = ""
    for part in one["parts"]:
        if not isinstance(part, dict):
            said.append({"type": "text", "text": str(part)})
            continue
        kind = text(part, "type", "kind")
        if kind in ("tool_call", "function_call"):
            calls.append(call_of(part))
        elif kind == "tool_call_response":
            results.append(_result(part))
        elif kind in ("reasoning", "thinking"):
            thoughts += text(part, "content", "text")
        elif kind in ("text", "") or isinstance(part.get("content"), str):
            said.append({"type": "text", "text": text(part, "content", "text")})
        else:
            said.append(_media(kind, part))
    found: list[Json] = list(results)
    if said or calls or not results:
        message: Json = {"role": role, "content": joined(said)}
        if calls:
            message |= {"tool_calls": calls}
        if thoughts:
            message["reasoning_content"] = thoughts
        found.append(message)
    return found


def _result(part: Json) -> Json:
    given = part.get("response", part.get("result", part.get("content")))
    said = given if isinstance(given, str) else _encode(given).decode()
    return {"role": "tool", "tool_call_id": text(part, "id"), "content": said}


def _media(kind: str, part: Json) -> Json:
    """Media by address or as bytes; what is neither stays what it is."""
    modality = text(part, "modality")
    if kind == "uri" and modality in ("image", ""):
        return {"type": "image_url", "image_url": {"url": text(part, "uri")}}
    if kind == "blob" and modality in ("image", ""):
        media = text(part, "mime_type") or "image/png"
        return {"type": "image_url", "image_url": {"url": f"data:{media};base64,{text(part, 'content', 'data')}"}}
    return part


def joined(parts: Any) -> Any:
    """A content of text parts alone as one string; anything else as it is; nothing as None."""
    if not isinstance(parts, list):
        return parts
    if not parts:
        return None
    plain = [one for one in parts if isinstance(one, dict) and one.get("type", "text") == "text"]
    texts = [one["text"] for one in plain if isinstance(one.get("text"), str)]
    return "".join(texts) if len(texts) == len(parts) else parts


def tools_of(value: Any) -> list[Json]:
    """Tools in OpenAI's form, also from flat ones (`name`, `description`, `parameters` or `input_schema`)."""
    found: list[Json] = []
    for one in value if isinstance(value, list) else []:
        if not isinstance(one, dict):
            continue
        if isinstance(one.get("function"), dict) or text(one, "type") not in ("", "function", "custom"):
            found.append({name: each for name, each in one.items() if each is not None})
            continue
        name = text(one, "name")
        if not name:
            continue
        schema = mapping(one, "parameters", "input_schema", "inputSchema", "schema")
        inner: Json = {"name": name}
        if text(one, "description"):
            inner["description"] = text(one, "description")
        if schema:
            inner["parameters"] = schema
        if isinstance(one.get("strict"), bool):
            inner["strict"] = one["strict"]
        found.append({"type": "function", "function": inner})
    return found
