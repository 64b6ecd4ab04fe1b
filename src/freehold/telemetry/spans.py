"""Ended calls as spans in OTLP's JSON form: one for the call, and one below it for each attempt. Pure; no content.

Sources: OpenTelemetry protocol 1.x, section JSON Protobuf encoding; semantic conventions for generative client AI
spans, 1.36.0 and 1.37.0 (`gen_ai.system` became `gen_ai.provider.name`), read 2026-11-22.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any

from freehold import __version__
from freehold.core.money import from_pico
from freehold.telemetry.settings import Conventions

SERVER, CLIENT = 2, 3
FAILED = 2
_OPERATIONS = {
    "anthropic_count_tokens": "count_tokens",
    "openai_completions": "text_completion",
    "openai_embeddings": "embeddings",
    "openai_image_edits": "generate_content",
    "openai_images": "generate_content",
    "openai_moderations": "moderation",
    "openai_speech": "generate_content",
    "openai_transcriptions": "transcription",
    "openai_translations": "transcription",
    "rerank": "rerank",
}
_PROVIDER = {"gen_ai/1.36": "gen_ai.system", "gen_ai/1.37": "gen_ai.provider.name"}
_FAILURES = ("broken", "failed", "lost")
_QUIET = ("agreed", "cancelled", "disagreed", "held", "ok", "unsure")
"""Outcomes of attempts that are no failures: a composite's member may answer and not be passed on."""
Value = str | int | float | bool


def request(
    calls: Sequence[tuple[Mapping[str, Any], Sequence[Mapping[str, Any]]]], conventions: Conventions, identity: str
) -> dict[str, Any]:
    """The body of one export. Calls and their attempts in storage form; `identity` names the installation."""
    spans = [one for call, tried in calls for one in spans_of(call, tried, conventions)]
    resource = {"service.name": "freehold", "service.version": __version__, "service.instance.id": identity}
    return {
        "resourceSpans": [
            {
                "resource": {"attributes": _attributes(resource)},
                "scopeSpans": [
                    {
                        "scope": {"name": "freehold", "version": __version__},
                        "spans": spans,
                        "schemaUrl": f"https://opentelemetry.io/schemas/{conventions.partition('/')[2]}.0",
                    }
                ],
            }
        ]
    }


def spans_of(
    call: Mapping[str, Any], tried: Sequence[Mapping[str, Any]], conventions: Conventions
) -> list[dict[str, Any]]:
    """The spans of one call. The same call always gives the same ids, so that being told twice adds nothing."""
    trace, _, parent = call["trace"].partition("-")
    trace = trace or call["id"].hex()
    mine = _span_id(call["id"], 0)
    operation = _OPERATIONS.get(call["dialect"], "chat")
    sent = bool(tried)
    named = call["route"] if sent else ""  # where nothing was sent it may be a name that the caller made up
    about: dict[str, Value] = {
        "freehold.call": f"call_{call['id'].hex()}",
        "freehold.route": named,
        "freehold.dialect": call["dialect"],
        "freehold.team": call["team"],
        "freehold.label": call["label"],
        "freehold.stream": bool(call["stream"]),
        "freehold.outcome": call["outcome"],
        "freehold.target": call["target"],
        "freehold.owned": bool(call["owned"]),
        "freehold.attempts": call["attempts"],
        "freehold.cost_usd": float(from_pico(call["cost"])),
        "http.response.status_code": call["status"],
        "error.type": call["error"],
    }
    root = {
        "traceId": trace,
        "spanId": mine,
        **({"parentSpanId": parent} if parent else {}),
        "name": f"{operation} {named}".strip(),
        "kind": SERVER,
        **_times(call["at"], 0.0, call["latency"]),
        "attributes": _attributes(about),
        "status": {"code": FAILED} if call["outcome"] in _FAILURES else {},
    }
    return [root, *(_attempt(call, one, (trace, mine, operation), conventions) for one in tried)]


def _attempt(
    call: Mapping[str, Any], one: Mapping[str, Any], above: tuple[str, str, str], conventions: Conventions
) -> dict[str, Any]:
    trace, parent, operation = above
    answered = one["target"] == call["target"]  # the row knows provider and model of that one alone
    model = (call["model"] if answered else "") or one["target"]
    about: dict[str, Value] = {
        "gen_ai.operation.name": operation,
        _PROVIDER[conventions]: (call["provider"] if answered else "") or one["target"],
        "gen_ai.request.model": model,
        "gen_ai.usage.input_tokens": one["input"],
        "gen_ai.usage.output_tokens": one["output"],
        "error.type": one["error"] or ("" if one["outcome"] in _QUIET else one["outcome"]),
        "http.response.status_code": one["status"],
        "freehold.target": one["target"],
        "freehold.owned": bool(one["owned"]),
        "freehold.region": one["region"],
        "freehold.outcome": one["outcome"],
        "freehold.cost_usd": float(from_pico(one["cost"])),
        "freehold.usage.cached_tokens": one["cached"],
        "freehold.usage.reasoning_tokens": one["reasoning"],
        "freehold.usage.estimated": bool(one["estimated"]),
    }
    if one["first_token"] is not None:
        about["freehold.first_token_seconds"] = one["first_token"]
    return {
        "traceId": trace,
        "spanId": _span_id(call["id"], one["number"]),
        "parentSpanId": parent,
        "name": f"{operation} {model}",
        "kind": CLIENT,
        **_times(call["at"], one["started"], one["ended"]),
        "attributes": _attributes(about),
        "status": {} if one["outcome"] in _QUIET else {"code": FAILED},
    }


def _span_id(call: bytes, number: int) -> str:
    return sha256(call + number.to_bytes(4, "big")).hexdigest()[:16]


def _times(at: float, started: float, ended: float) -> dict[str, str]:
    def nano(seconds: float) -> str:
        return str(round((at + seconds) * 1e6) * 1000)

    return {"startTimeUnixNano": nano(started), "endTimeUnixNano": nano(max(ended, started))}


def _attributes(about: Mapping[str, Value]) -> list[dict[str, Any]]:
    """Without empty texts. 64-bit numbers are texts in this form."""
    return [{"key": key, "value": _value(value)} for key, value in about.items() if value != ""]


def _value(value: Value) -> dict[str, Any]:
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    return {"doubleValue": value} if isinstance(value, float) else {"stringValue": value}
