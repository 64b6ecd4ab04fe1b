"""Helicone's export: rows with `request_body` and `response_body`, as JSON lines, an array or `{"data": [...]}`."""

from __future__ import annotations

from collections.abc import Iterator

from freehold.workflows.errors import Unreadable
from freehold.workflows.formats.chat import request_of, response_of, usage_of
from freehold.workflows.formats.fields import between, count, labelled, mapping, number, parsed, text, when
from freehold.workflows.formats.types import Draft, Format, Json
from freehold.workflows.formats.vendors import vendor_of

_NAME = "helicone"
_SESSION = ("Helicone-Session-Id", "helicone-session-id", "session_id", "conversation")


def _knows(one: Json) -> bool:
    return "request_body" in one or ("request_created_at" in one and "request_id" in one)


def _read(one: Json, context: Json) -> Iterator[Draft]:
    asked, reply = parsed(one.get("request_body")), parsed(one.get("response_body"))
    if asked in (None, "", {}):
        raise Unreadable("its bodies were not exported: export with the option that includes them")
    named = text(one, "request_model", "model_override", "model", "response_model")
    request = request_of(asked, named)
    status = count(one, "response_status", "status") or 200
    response = response_of(reply, text(one, "response_model") or text(request, "model")) if status < 400 else None
    model = text(response or {}, "model") or named
    properties = {**mapping(one, "request_properties"), **mapping(one, "properties")}
    start = when(one, "request_created_at", "created_at")
    delay, first = number(one, "delay_ms", "latency"), number(one, "time_to_first_token")
    yield Draft(
        source=_NAME,
        external_id=labelled(one, "request_id", "helicone_request_id", "response_id"),
        at=start,
        vendor=vendor_of(text(one, "provider"), model, text(one, "target_url")),
        model=model,
        app=labelled(properties, "app", "App", "appname", "application", "service"),
        workflow=labelled(properties, "workflow", "Workflow"),
        conversation=labelled(properties, *_SESSION),
        status=status,
        usage=usage_of((response or {}).get("usage")) or usage_of(one),
        latency=delay / 1000 if delay is not None else between(start, when(one, "response_created_at")),
        first_token=None if first is None else first / 1000,
        request=request,
        response=response,
    )


FORMAT = Format(_NAME, _knows, _read)
