"""Plain lines of `request` and `response`, as a recording proxy writes them, with time, app and latency where told."""

from __future__ import annotations

from collections.abc import Iterator

from freehold.workflows.errors import Unreadable
from freehold.workflows.formats.chat import request_of, response_of, usage_of
from freehold.workflows.formats.fields import count, labelled, mapping, number, parsed, text, when
from freehold.workflows.formats.types import Draft, Format, Json
from freehold.workflows.formats.vendors import vendor_of

_NAME = "plain"
_AT = ("ts", "timestamp", "time", "created_at", "createdAt", "at", "date", "start_time", "startTime")
_NOT_MINE = frozenset({"workload_id", "startedDateTime", "call_type", "run_type", "custom_id", "_source"})


def _knows(one: Json) -> bool:
    if _NOT_MINE & one.keys() or "request" not in one:
        return False
    asked = one["request"]
    inside = asked.get("body", asked) if isinstance(asked, dict) else asked
    return isinstance(parsed(inside), dict | list) and (
        "response" in one or "completion" in one or "messages" in inside
    )


def _read(one: Json, context: Json) -> Iterator[Draft]:
    asked, reply = parsed(one["request"]), parsed(one.get("response", one.get("completion")))
    status = count(one, "status", "status_code")
    if isinstance(asked, dict) and "body" in asked and "messages" not in asked:
        asked = asked["body"]
    if isinstance(reply, dict) and "body" in reply and "choices" not in reply:
        status = count(reply, "status", "status_code") or status
        reply = reply["body"]
    if not isinstance(asked, dict | list | str):
        raise Unreadable("the request is no JSON object")
    named = text(one, "model")
    request = request_of(asked, named)
    response = response_of(reply, named or text(request, "model"))
    failed = isinstance(reply, dict) and bool(reply.get("error")) and response is None
    model = text(response or {}, "model") or text(request, "model")
    metadata = {
        **mapping(one["request"] if isinstance(one["request"], dict) else {}, "metadata"),
        **mapping(one, "metadata"),
    }
    latency = number(one, "latency_ms", "duration_ms", "delay_ms")
    usage = usage_of((response or {}).get("usage")) or usage_of(one.get("usage"))
    if usage is not None and one.get("usage_estimated") is True:
        usage = type(usage)(usage.input, usage.output, estimated=True)
    yield Draft(
        source=_NAME,
        external_id=labelled(one, "id", "request_id", "call_id"),
        at=when(one, *_AT) or when(response or {}, "created"),
        vendor=vendor_of(text(one, "provider", "vendor"), model, text(one, "url")),
        model=model,
        app=labelled(one, "app", "application", "service") or labelled(metadata, "app", "application", "service"),
        workflow=labelled(one, "workflow") or labelled(metadata, "workflow"),
        conversation=labelled(one, "session_id", "conversation_id", "thread_id")
        or labelled(metadata, "session_id", "conversation_id", "conversation"),
        status=status or (500 if failed else 200),
        usage=usage,
        latency=None if latency is None else latency / 1000,
        request=request,
        response=response,
    )


FORMAT = Format(_NAME, _knows, _read)
