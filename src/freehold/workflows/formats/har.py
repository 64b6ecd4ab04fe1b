"""HTTP archives: entries whose request is a chat of OpenAI's or Anthropic's form, streamed answers put together.

Headers, cookies and query strings are never kept; a key among them names the caller, hashed.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator

from freehold.workflows.errors import NotACall, Unreadable
from freehold.workflows.formats import anthropic, streams
from freehold.workflows.formats.chat import request_of, response_of
from freehold.workflows.formats.fields import count, mapping, number, parsed, sequence, text, when
from freehold.workflows.formats.types import Draft, Format, Json
from freehold.workflows.formats.vendors import vendor_of

_NAME = "har"
_KEYS = frozenset({"authorization", "x-api-key", "api-key", "x-goog-api-key"})


def _knows(one: Json) -> bool:
    return "startedDateTime" in one and "request" in one


def _read(one: Json, context: Json) -> Iterator[Draft]:
    asked, reply = mapping(one, "request"), mapping(one, "response")
    body = parsed(text(mapping(asked, "postData"), "text"))
    if not isinstance(body, dict) or not ("messages" in body or "input" in body):
        raise NotACall("an entry that is no call of a chat model")
    request = request_of(body)
    status = count(reply, "status") or 0
    response = None
    if 200 <= status < 400:
        content = _content(mapping(reply, "content"))
        if streams.looks_like_one(content):
            name = "anthropic_messages" if anthropic.asks(body) or "event: message_start" in content else "openai_chat"
            response = response_of(streams.answer_of(content.encode(), name))
        elif content:
            response = response_of(content, text(request, "model"))
    model = text(response or {}, "model") or text(request, "model")
    spent, waited = number(one, "time"), number(mapping(one, "timings"), "wait")
    url = text(asked, "url").partition("?")[0]
    yield Draft(
        source=_NAME,
        external_id=text(response or {}, "id"),
        at=when(one, "startedDateTime"),
        vendor=vendor_of(model=model, url=url),
        model=model,
        caller=_caller(asked),
        status=status or 599,
        latency=None if spent is None or spent < 0 else spent / 1000,
        first_token=waited / 1000 if waited is not None and waited > 0 and body.get("stream") is True else None,
        request=request,
        response=response,
    )


def _content(content: Json) -> str:
    found = text(content, "text")
    if text(content, "encoding") != "base64":
        return found
    try:
        return base64.b64decode(found, validate=False).decode()
    except (binascii.Error, UnicodeDecodeError, ValueError):
        raise Unreadable("the answer's content is no text") from None


def _caller(asked: Json) -> str:
    for one in sequence(asked, "headers"):
        if isinstance(one, dict) and text(one, "name").lower() in _KEYS:
            value = text(one, "value")
            return "" if "redacted" in value.lower() or "***" in value else value
    return ""


FORMAT = Format(_NAME, _knows, _read)
