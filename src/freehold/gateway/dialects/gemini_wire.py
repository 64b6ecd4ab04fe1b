"""What Google's dialects share: usage counts, errors in the form of `google.rpc.Status`, and response headers."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Raw

from freehold.core.errors import FreeholdError
from freehold.gateway.json_read import Count, from_target
from freehold.gateway.messages import Extra
from freehold.gateway.statuses import status_of, told
from freehold.ledger.meter import Usage

NAME = "gemini"

_encode = msgspec.json.Encoder().encode

_WORDS = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    409: "ABORTED",
    429: "RESOURCE_EXHAUSTED",
    502: "UNAVAILABLE",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
"""Names of `google.rpc.Code` by HTTP status (googleapis, google/rpc/code.proto)."""
_TYPE = "type.googleapis.com/google.rpc."


class Counts(msgspec.Struct, rename="camel"):
    """`usageMetadata`: here thoughts stand beside the candidates, and what tools read beside the prompt."""

    prompt_token_count: Count | None = None
    cached_content_token_count: Count | None = None
    candidates_token_count: Count | None = None
    thoughts_token_count: Count | None = None
    tool_use_prompt_token_count: Count | None = None
    total_token_count: Count | None = None


_counts = msgspec.json.Decoder(Counts)
_members = msgspec.json.Decoder(dict[str, Raw])
_TOOLS = "toolUsePromptTokenCount"
_KNOWN = frozenset(Counts.__struct_encode_fields__) - {_TOOLS}


def usage_of(counts: Counts) -> Usage:
    """Totals that include their parts."""
    given = (counts.prompt_token_count or 0) + (counts.tool_use_prompt_token_count or 0)
    thought = counts.thoughts_token_count or 0
    return Usage(
        input=given,
        output=(counts.candidates_token_count or 0) + thought,
        cached=min(counts.cached_content_token_count or 0, given),
        reasoning=thought,
    )


def told_usage(raw: Raw) -> tuple[Usage, Extra]:
    """Usage, and the counts that the neutral form does not hold. Raises UpstreamLied."""
    usage = usage_of(from_target(_counts, bytes(raw)))
    found = from_target(_members, bytes(raw)).items()
    more = tuple((NAME, f"usage.{name}", value) for name, value in found if name not in _KNOWN)
    return usage, tuple(one for one in more if bytes(one[2]) not in (b"null", b"0"))


def counts_of(usage: Usage, more: dict[str, Raw]) -> dict[str, Any]:
    """`usageMetadata` as the official API writes it, with the counts only this dialect knows put back."""
    tools = msgspec.json.decode(more[_TOOLS], type=int) if _TOOLS in more else 0
    found: dict[str, Any] = {
        "promptTokenCount": usage.input - tools,
        "candidatesTokenCount": usage.output - usage.reasoning,
        "totalTokenCount": usage.input + usage.output,
    }
    if usage.cached:
        found["cachedContentTokenCount"] = usage.cached
    if usage.reasoning:
        found["thoughtsTokenCount"] = usage.reasoning
    return {**found, **more}


def error_value(error: FreeholdError) -> dict[str, Any]:
    """An error as JSON; our code is the `reason` in its details, so that it can be looked up and branched on."""
    status = status_of(error)
    word = _WORDS.get(status) or ("INTERNAL" if status >= 500 else "INVALID_ARGUMENT")
    info: dict[str, Any] = {"@type": f"{_TYPE}ErrorInfo", "reason": error.code, "domain": "freehold"}
    if error.param:
        info["metadata"] = {"param": error.param}
    details = [info]
    if error.retry_after is not None:
        details.append({"@type": f"{_TYPE}RetryInfo", "retryDelay": f"{max(1, round(error.retry_after))}s"})
    said = {"code": status, "message": f"{told(error)} [{error.code}]", "status": word, "details": details}
    return {"error": said}


def error_body(error: FreeholdError) -> tuple[int, bytes]:
    """Status and body."""
    return status_of(error), _encode(error_value(error))


def error_event(error: FreeholdError) -> bytes:
    """An error inside a stream: clients raise on a chunk with an `error`."""
    return b"data: " + _encode(error_value(error)) + b"\n\n"


def headers(request_id: str) -> list[tuple[bytes, bytes]]:
    """The request id; this API tells no limits in headers."""
    return [(b"x-request-id", request_id.encode())]
