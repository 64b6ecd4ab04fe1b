"""Anthropic's message batches: requests (`custom_id, params`) and results (`custom_id, result`), joined.

Neither file tells a time.
"""

from __future__ import annotations

from collections.abc import Iterator

from freehold.workflows.errors import Unreadable
from freehold.workflows.formats import anthropic
from freehold.workflows.formats.chat import request_of, response_of
from freehold.workflows.formats.fields import mapping, text
from freehold.workflows.formats.types import Draft, Format, Half, Json

_NAME = "anthropic_batch"
_STATUS = {"succeeded": 200, "errored": 500, "canceled": 499, "expired": 504}


def _knows(one: Json) -> bool:
    return "custom_id" in one and ("params" in one or isinstance(one.get("result"), dict))


def _read(one: Json, context: Json) -> Iterator[Half]:
    key = text(one, "custom_id")
    if not key:
        raise Unreadable("it has no custom_id to be joined by")
    if "params" in one:
        asked = request_of(anthropic.request_of(mapping(one, "params")))
        yield Half(source=_NAME, key=key, answer=False, body=asked)
        return
    result = mapping(one, "result")
    status = _STATUS.get(text(result, "type"), 500)
    message = mapping(result, "message")
    answer = response_of(anthropic.answer_of(message)) if status == 200 else None
    more = {"status": status, "id": text(message, "id")}
    yield Half(source=_NAME, key=key, answer=True, body=answer or {}, more=more)


def _join(asked: Half, answered: Half) -> Draft:
    return Draft(
        source=_NAME,
        external_id=f"{asked.key}/{answered.more['id']}",
        vendor="anthropic-api",
        model=text(answered.body, "model") or text(asked.body, "model"),
        status=answered.more["status"],
        request=asked.body,
        response=answered.body or None,
    )


FORMAT = Format(_NAME, _knows, _read, _join)
