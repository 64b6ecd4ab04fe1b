"""What Anthropic's dialects share: usage counts, errors and response headers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from freehold.core.clock import at
from freehold.core.errors import FreeholdError, UpstreamOverloaded
from freehold.gateway.json_read import Count
from freehold.gateway.statuses import status_of, told
from freehold.ledger.meter import Usage

_encode = msgspec.json.Encoder().encode

_TYPES = {
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    409: "conflict_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
    529: "overloaded_error",
}


class CacheCreation(msgspec.Struct):
    """`cache_creation`: the written cache by how long it lives."""

    ephemeral_1h_input_tokens: Count | None = None


class OutputDetails(msgspec.Struct):
    """`output_tokens_details`."""

    thinking_tokens: Count | None = None


class Counts(msgspec.Struct):
    """`usage` of a message, or what is known of it so far in a stream."""

    input_tokens: Count | None = None
    output_tokens: Count | None = None
    cache_read_input_tokens: Count | None = None
    cache_creation_input_tokens: Count | None = None
    cache_creation: CacheCreation | None = None
    output_tokens_details: OutputDetails | None = None


def usage_of(first: Counts, last: Counts | None = None) -> Usage:
    """Totals that include their parts (here the vendor's `input_tokens` excludes cache).

    In a stream `last` is the latest cumulative count: what it does not say, `first` said.
    """
    counts = first if last is None else _merged(first, last)
    plain, read, written = (
        counts.input_tokens or 0,
        counts.cache_read_input_tokens or 0,
        counts.cache_creation_input_tokens or 0,
    )
    long = (counts.cache_creation.ephemeral_1h_input_tokens or 0) if counts.cache_creation is not None else 0
    output = counts.output_tokens or 0
    thought = (counts.output_tokens_details.thinking_tokens or 0) if counts.output_tokens_details is not None else 0
    return Usage(
        input=plain + read + written,
        output=output,
        cached=read,
        cache_write=written,
        cache_write_1h=min(long, written),
        reasoning=min(thought, output),
    )


def counts_of(usage: Usage) -> dict[str, Any]:
    """`usage` as the official API writes it."""
    return {
        "input_tokens": usage.input - usage.cached - usage.cache_write,
        "cache_creation_input_tokens": usage.cache_write,
        "cache_read_input_tokens": usage.cached,
        "cache_creation": {
            "ephemeral_5m_input_tokens": usage.cache_write - usage.cache_write_1h,
            "ephemeral_1h_input_tokens": usage.cache_write_1h,
        },
        "output_tokens": usage.output,
        "output_tokens_details": {"thinking_tokens": usage.reasoning},
    }


def error_value(error: FreeholdError, request_id: str) -> dict[str, Any]:
    """An error as JSON; our code stands in the message and, to be branched on, in `details.error_code`."""
    status = _status(error)
    return {
        "type": "error",
        "error": {
            "type": _TYPES.get(status) or ("api_error" if status >= 500 else "invalid_request_error"),
            "message": f"{told(error)} [{error.code}]",
            "details": {"error_code": error.code},
        },
        "request_id": request_id,
    }


def error_body(error: FreeholdError, request_id: str) -> tuple[int, bytes]:
    """Status and body."""
    return _status(error), _encode(error_value(error, request_id))


def error_event(error: FreeholdError, request_id: str) -> bytes:
    """An error inside a stream; no end mark follows."""
    return b"event: error\ndata: " + _encode(error_value(error, request_id)) + b"\n\n"


_LIMIT_LINES = {
    what: f"{stem}limit: %d\r\n{stem}remaining: %d\r\n{stem}reset: %s\r\n"
    for what, stem in ((what, f"anthropic-ratelimit-{what}-") for what in ("requests", "tokens"))
}


def limit_lines(limits: Sequence[tuple[str, int, int, float]], now: float) -> bytes:
    """`anthropic-ratelimit-*` as header lines; resets are RFC 3339, so `now` (Unix seconds) comes in."""
    return "".join(
        [
            _LIMIT_LINES[what] % (limit, max(0, remaining), at(now + max(0.0, reset)).strftime("%Y-%m-%dT%H:%M:%SZ"))
            for what, limit, remaining, reset in limits
        ]
    ).encode()


def headers(request_id: str, limits: Sequence[tuple[str, int, int, float]], now: float) -> list[tuple[bytes, bytes]]:
    """Request id and `anthropic-ratelimit-*`."""
    lines = [b"request-id: " + request_id.encode(), *limit_lines(limits, now).split(b"\r\n")]
    return [(name, value) for name, _, value in (line.partition(b": ") for line in lines) if name]


def _status(error: FreeholdError) -> int:
    """529 where the target said so: only here has it a meaning."""
    if isinstance(error, UpstreamOverloaded) and error.status == 529:
        return 529
    return status_of(error)


def _merged(first: Counts, last: Counts) -> Counts:
    return Counts(
        **{
            name: getattr(first, name) if getattr(last, name) is None else getattr(last, name)
            for name in Counts.__struct_fields__
        }
    )
