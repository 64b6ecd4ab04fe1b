"""OpenPipe's exports: request logs as `input, output, tags`, and the older `reqPayload, respPayload`.

An output that is a whole completion tells its time (in milliseconds in some versions); a bare message tells none.
"""

from __future__ import annotations

from collections.abc import Iterator

from freehold.workflows.formats.chat import request_of, response_of, usage_of
from freehold.workflows.formats.fields import between, count, labelled, mapping, number, parsed, text, when
from freehold.workflows.formats.types import Draft, Format, Json
from freehold.workflows.formats.vendors import vendor_of

_NAME = "openpipe"


def _knows(one: Json) -> bool:
    if "reqPayload" in one:
        return True
    asked = one.get("input")
    inside = isinstance(asked, dict) and "messages" in asked
    return (
        inside and "output" in one and not {"traceId", "trace_id", "type", "run_type", "preferred_output"} & one.keys()
    )


def _read(one: Json, context: Json) -> Iterator[Draft]:
    request = request_of(one.get("reqPayload", one.get("input")))
    reply = parsed(one.get("respPayload", one.get("output")))
    response = response_of(reply, text(request, "model"))
    if response is not None and isinstance(reply, dict) and "model" not in reply:
        response.pop("model", None)
    tags = mapping(one, "tags", "metadata")
    model = text(response or {}, "model") or text(request, "model")
    start = when(one, "requestedAt", "requested_at", "createdAt")
    latency = number(one, "latencyMs", "durationMs")
    yield Draft(
        source=_NAME,
        external_id=text(one, "id") or text(reply if isinstance(reply, dict) else {}, "id"),
        at=start or when(response or {}, "created"),
        vendor=vendor_of(model=model.removeprefix("openpipe:")),
        model=model,
        app=labelled(tags, "app", "application", "service"),
        workflow=labelled(tags, "workflow", "prompt_id"),
        status=count(one, "statusCode", "status_code") or (200 if response is not None else 500),
        usage=usage_of((response or {}).get("usage")),
        latency=latency / 1000 if latency is not None else between(start, when(one, "receivedAt", "received_at")),
        request=request,
        response=response,
    )


FORMAT = Format(_NAME, _knows, _read)
