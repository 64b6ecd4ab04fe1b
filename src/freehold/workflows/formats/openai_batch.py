"""OpenAI's batch files: requests (`custom_id, method, url, body`) and results, joined by `custom_id`.

A result tells its time in the completion's `created`.
"""

from __future__ import annotations

from collections.abc import Iterator

from freehold.workflows.errors import NotACall, Unreadable
from freehold.workflows.formats.chat import request_of, response_of
from freehold.workflows.formats.fields import count, mapping, text, when
from freehold.workflows.formats.types import Draft, Format, Half, Json
from freehold.workflows.formats.vendors import vendor_of

_NAME = "openai_batch"


def _knows(one: Json) -> bool:
    if "custom_id" not in one:
        return False
    return "body" in one or ("response" in one and "result" not in one)


def _read(one: Json, context: Json) -> Iterator[Half]:
    key = text(one, "custom_id")
    if not key:
        raise Unreadable("it has no custom_id to be joined by")
    if "body" in one:
        url = text(one, "url")
        if url and "chat/completions" not in url and "responses" not in url and "messages" not in url:
            raise NotACall("a request for another endpoint than chat")
        yield Half(source=_NAME, key=key, answer=False, body=request_of(one["body"]))
        return
    reply = mapping(one, "response")
    status = count(reply, "status_code")
    body = mapping(reply, "body")
    if status is None:
        status = 500 if one.get("error") else 200
    answer = response_of(body) if status < 400 else None
    more = {"status": status, "at": when(body, "created", "created_at"), "id": text(body, "id") or text(one, "id")}
    yield Half(source=_NAME, key=key, answer=True, body=answer or {}, more=more)


def _join(asked: Half, answered: Half) -> Draft:
    model = text(answered.body, "model") or text(asked.body, "model")
    return Draft(
        source=_NAME,
        external_id=f"{asked.key}/{answered.more['id']}",
        at=answered.more["at"],
        vendor=vendor_of(model=model) or "openai-api",
        model=model,
        status=answered.more["status"],
        request=asked.body,
        response=answered.body or None,
    )


FORMAT = Format(_NAME, _knows, _read, _join)
