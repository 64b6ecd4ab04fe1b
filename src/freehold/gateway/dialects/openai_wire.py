"""What OpenAI's dialects share: usage counts, errors and response headers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Raw

from freehold.core.errors import (
    BudgetExhausted,
    Exhausted,
    FreeholdError,
    RequestLimit,
    TokenLimit,
    UpstreamOverloaded,
    UpstreamTimeout,
)
from freehold.gateway.json_read import Count
from freehold.gateway.messages import Failed
from freehold.gateway.statuses import status_of, told
from freehold.ledger.meter import Usage

_encode = msgspec.json.Encoder().encode

_TYPES: tuple[tuple[type[FreeholdError], str], ...] = (
    (BudgetExhausted, "insufficient_quota"),
    (RequestLimit, "requests"),
    (TokenLimit, "tokens"),
    (Exhausted, "rate_limit_error"),
    (UpstreamOverloaded, "rate_limit_error"),
    (UpstreamTimeout, "timeout"),
)
_BY_STATUS = {401: "authentication_error", 403: "permission_error"}


class PromptDetails(msgspec.Struct):
    """`prompt_tokens_details`: parts of the prompt's count."""

    cached_tokens: Count | None = None
    cache_write_tokens: Count | None = None


class CompletionDetails(msgspec.Struct):
    """`completion_tokens_details`: parts of the completion's count."""

    reasoning_tokens: Count | None = None


class Counts(msgspec.Struct):
    """`usage` of a completion or of embeddings."""

    prompt_tokens: Count = 0
    completion_tokens: Count | None = 0
    total_tokens: Count | None = None
    prompt_tokens_details: PromptDetails | None = None
    completion_tokens_details: CompletionDetails | None = None
    prompt_cache_hit_tokens: Count | None = None
    """DeepSeek's name for cached tokens (api-docs.deepseek.com, "Context Caching")."""


class _Reported(msgspec.Struct):
    message: str = ""
    type: str | None = None
    code: str | int | None = None


_reported = msgspec.json.Decoder(_Reported)


def failed(raw: bytes) -> Failed:
    """An error that a stream of completions, chat or not, reports amidst its events."""
    try:
        seen = _reported.decode(raw)
    except msgspec.DecodeError:
        return Failed("error", "the target reported an error in its stream", Raw(raw))
    return Failed(seen.type or "error", seen.message or "the target reported an error in its stream", Raw(raw))


def usage_of(counts: Counts) -> Usage:
    """Totals that include their parts. xAI and Gemini report reasoning beside the completion: seen by the total."""
    prompt, output = counts.prompt_tokens, counts.completion_tokens or 0
    if (counts.prompt_tokens_details or counts.completion_tokens_details or counts.prompt_cache_hit_tokens) is None:
        return Usage(prompt, output)
    cached = written = reasoning = 0
    if counts.prompt_tokens_details is not None:
        cached = counts.prompt_tokens_details.cached_tokens or 0
        written = counts.prompt_tokens_details.cache_write_tokens or 0
    if counts.prompt_cache_hit_tokens and not cached:
        cached = counts.prompt_cache_hit_tokens
    if counts.completion_tokens_details is not None:
        reasoning = counts.completion_tokens_details.reasoning_tokens or 0
        if reasoning and counts.total_tokens == prompt + output + reasoning:
            output += reasoning
    cached = min(cached, prompt)
    return Usage(
        input=prompt,
        output=output,
        cached=cached,
        cache_write=min(written, prompt - cached),
        reasoning=min(reasoning, output),
    )


def counts_of(usage: Usage) -> dict[str, Any]:
    """`usage` as the official API writes it."""
    return {
        "prompt_tokens": usage.input,
        "completion_tokens": usage.output,
        "total_tokens": usage.input + usage.output,
        "prompt_tokens_details": {"cached_tokens": usage.cached, "cache_write_tokens": usage.cache_write}
        if usage.cache_write
        else {"cached_tokens": usage.cached},
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning},
    }


def error_object(error: FreeholdError) -> dict[str, Any]:
    """The four keys of an error; `code` is ours, so that it can be looked up."""
    return {"message": told(error), "type": _type_of(error), "param": error.param, "code": error.code}


def error_body(error: FreeholdError) -> tuple[int, bytes]:
    """Status and body."""
    return status_of(error), _encode({"error": error_object(error)})


def error_event(error: FreeholdError) -> bytes:
    """An error inside a stream: clients raise on a chunk with an `error`; no end mark follows."""
    return b"data: " + _encode({"error": error_object(error)}) + b"\n\n"


def typed_error_event(error: FreeholdError) -> bytes:
    """An error inside a stream whose events have types; SDKs raise on its `error`."""
    inner = error_object(error)
    told = {"code": inner["code"], "message": inner["message"], "param": inner["param"], "sequence_number": 0}
    return b"event: error\ndata: " + _encode({"type": "error", **told, "error": inner}) + b"\n\n"


_LIMIT_LINES = {
    what: f"x-ratelimit-limit-{what}: %d\r\nx-ratelimit-remaining-{what}: %d\r\nx-ratelimit-reset-{what}: %s\r\n"
    for what in ("requests", "tokens")
}


def limit_lines(limits: Sequence[tuple[str, int, int, float]]) -> bytes:
    """`x-ratelimit-*` as header lines; resets are durations."""
    lines = ""
    for what, limit, remaining, reset in limits:
        said = f"{int(reset * 1000)}ms" if 0.0 <= reset < 1.0 else duration(reset)
        lines += _LIMIT_LINES[what] % (limit, max(0, remaining), said)
    return lines.encode()


def headers(request_id: str, limits: Sequence[tuple[str, int, int, float]]) -> list[tuple[bytes, bytes]]:
    """Request id and `x-ratelimit-*`."""
    lines = [b"x-request-id: " + request_id.encode(), *limit_lines(limits).split(b"\r\n")]
    return [(name, value) for name, _, value in (line.partition(b": ") for line in lines) if name]


def duration(seconds: float) -> str:
    """Like OpenAI's: `120ms`, `1.5s`, `6m0s`, `1h0m0s`; never negative."""
    milliseconds = max(0, round(seconds * 1000))
    if milliseconds < 1000:
        return f"{milliseconds}ms"
    if milliseconds < 60_000:
        return f"{milliseconds / 1000:g}s"
    minutes, rest = divmod(-(-milliseconds // 1000), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes}m{rest}s" if hours else f"{minutes}m{rest}s"


def _type_of(error: FreeholdError) -> str:
    for kind, name in _TYPES:
        if isinstance(error, kind):
            return name
    status = status_of(error)
    return _BY_STATUS.get(status) or ("server_error" if status >= 500 else "invalid_request_error")
