"""The NVIDIA data flywheel's log lines: `timestamp, workload_id, client_id, request, response`.

Its workload is what the caller named, so it is the record's workflow; a document store's `_source` is read through.
"""

from __future__ import annotations

from collections.abc import Iterator

from freehold.workflows.formats.chat import request_of, response_of
from freehold.workflows.formats.fields import labelled, mapping, text, when
from freehold.workflows.formats.types import Draft, Format, Json
from freehold.workflows.formats.vendors import vendor_of

_NAME = "nvidia_flywheel"


def _knows(one: Json) -> bool:
    inside = one.get("_source") if isinstance(one.get("_source"), dict) else one
    return isinstance(inside, dict) and "workload_id" in inside and "request" in inside


def _read(one: Json, context: Json) -> Iterator[Draft]:
    inside = mapping(one, "_source") or one
    request = request_of(inside["request"])
    response = response_of(inside.get("response"), text(request, "model"))
    model = text(response or {}, "model") or text(request, "model")
    yield Draft(
        source=_NAME,
        external_id=labelled(one, "_id", "id") or text(response or {}, "id"),
        at=when(inside, "timestamp") or when(response or {}, "created"),
        vendor=vendor_of(model=model),
        model=model,
        app=labelled(inside, "client_id"),
        workflow=labelled(inside, "workload_id"),
        status=200 if response is not None else 500,
        request=request,
        response=response,
    )


FORMAT = Format(_NAME, _knows, _read)
