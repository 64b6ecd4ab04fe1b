"""What Converse says beside its content: why it stopped, what was used, errors and response headers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Raw

from freehold.core.errors import FreeholdError, UpstreamLied
from freehold.gateway import event_stream
from freehold.gateway.dialects.bedrock_parts import NAME
from freehold.gateway.json_fields import own
from freehold.gateway.json_read import Count, from_target
from freehold.gateway.messages import Extra, Part, Refusal, ToolCall
from freehold.gateway.statuses import status_of, told
from freehold.ledger.meter import Usage

ERROR_TYPE = b"x-amzn-errortype"
"""The header by which the vendor's SDKs tell errors apart."""

STOPS = {
    "end_turn": "end",
    "tool_use": "tool_calls",
    "max_tokens": "length",
    "stop_sequence": "stop_sequence",
    "content_filtered": "content_filter",
    "guardrail_intervened": "content_filter",
    "model_context_window_exceeded": "length",
}
REASONS = {
    "end": "end_turn",
    "length": "max_tokens",
    "stop_sequence": "stop_sequence",
    "tool_calls": "tool_use",
    "pause": "max_tokens",
    "refusal": "content_filtered",
    "content_filter": "content_filtered",
}
STOP_REASON = "stop_reason"

_TYPES = {
    401: "UnrecognizedClientException",
    403: "AccessDeniedException",
    404: "ResourceNotFoundException",
    408: "ModelTimeoutException",
    424: "ModelErrorException",
    429: "ThrottlingException",
    502: "ModelErrorException",
    503: "ServiceUnavailableException",
    504: "ModelTimeoutException",
}
_IN_STREAM = {
    "ThrottlingException": "throttlingException",
    "ServiceUnavailableException": "serviceUnavailableException",
    "ValidationException": "validationException",
    "InternalServerException": "internalServerException",
}
"""Errors that a stream can tell; every other is one of the model's."""

_encode = msgspec.json.Encoder().encode
_members = msgspec.json.Decoder(dict[str, Raw])


class CacheDetail(msgspec.Struct):
    """What of the written cache is kept for how long."""

    ttl: str = ""
    inputTokens: Count = 0  # noqa: N815 - the wire's name


class Counts(msgspec.Struct):
    """`usage`. Its input leaves out what was read from or written to the cache."""

    inputTokens: Count = 0  # noqa: N815 - the wire's name
    outputTokens: Count = 0  # noqa: N815 - the wire's name
    totalTokens: Count = 0  # noqa: N815 - the wire's name
    cacheReadInputTokens: Count | None = None  # noqa: N815 - the wire's name
    cacheWriteInputTokens: Count | None = None  # noqa: N815 - the wire's name
    cacheDetails: list[CacheDetail] | None = None  # noqa: N815 - the wire's name


_counts = msgspec.json.Decoder(Counts)
_KNOWN = frozenset(Counts.__struct_fields__)


def checked(data: bytes) -> bytes:
    """The same where it is UTF-8: what is passed on unread was read by nobody else. Raises UpstreamLied."""
    if not data.isascii():
        try:
            data.decode()
        except UnicodeDecodeError as error:
            raise UpstreamLied(f"the target's answer is not UTF-8 at byte {error.start}") from None
    return data


def usage_of(counts: Counts) -> Usage:
    """Totals that include their parts: input is what is told plus what was read and written, says the vendor.

    (docs.aws.amazon.com/bedrock, prompt caching, 2026-11-22.)
    """
    read, written = counts.cacheReadInputTokens or 0, counts.cacheWriteInputTokens or 0
    long = sum(one.inputTokens for one in counts.cacheDetails or () if one.ttl == "1h")
    return Usage(
        input=counts.inputTokens + read + written,
        output=counts.outputTokens,
        cached=read,
        cache_write=written,
        cache_write_1h=min(long, written),
    )


def told_usage(raw: Raw) -> tuple[Usage, Extra]:
    """Usage, and the counts that the neutral form does not hold. Raises UpstreamLied."""
    more = from_target(_members, bytes(raw)).items()
    extra = tuple((NAME, f"usage.{name}", value) for name, value in more if name not in _KNOWN and value != b"null")
    return usage_of(from_target(_counts, bytes(raw))), extra


def counts_of(usage: Usage, dropped: list[str]) -> dict[str, Any]:
    """`usage` as the vendor writes it; reasoning is not told apart here."""
    if usage.reasoning:
        dropped.append("usage.reasoning")
    plain = usage.input - usage.cached - usage.cache_write
    found: dict[str, Any] = {
        "inputTokens": plain,
        "outputTokens": usage.output,
        "totalTokens": usage.input + usage.output,
    }
    if usage.cached or usage.cache_write:
        found |= {"cacheReadInputTokens": usage.cached, "cacheWriteInputTokens": usage.cache_write}
    if usage.cache_write:
        parts = (("1h", usage.cache_write_1h), ("5m", usage.cache_write - usage.cache_write_1h))
        found["cacheDetails"] = [{"ttl": ttl, "inputTokens": count} for ttl, count in parts if count]
    return found


def stop_of(reason: str) -> tuple[str, Extra]:
    """The neutral word; the vendor's own is kept where it says more."""
    if not reason:
        return "end", ()
    stop = STOPS.get(reason, "end")
    return stop, () if REASONS[stop] == reason else ((NAME, STOP_REASON, Raw(_encode(reason))),)


def reason_of(stop: str, parts: Sequence[Part], extra: Extra, dropped: list[str]) -> Any:
    """The stop reason. Here a call always shows in it; other vendors may just say `stop`."""
    kept = own(extra, NAME, STOP_REASON)
    if kept is not None:
        return kept
    if stop == "pause":
        dropped.append(STOP_REASON)
    if stop == "end":
        if any(isinstance(part, ToolCall) for part in parts):
            return "tool_use"
        if any(isinstance(part, Refusal) for part in parts):
            return "content_filtered"
    return REASONS[stop]


def error_type(error: FreeholdError) -> str:
    """The vendor's name for it."""
    status = status_of(error)
    return _TYPES.get(status) or ("InternalServerException" if status >= 500 else "ValidationException")


def error_body(error: FreeholdError) -> tuple[int, bytes]:
    """Status and body; our code stands in the message. The type stands in a header too."""
    return status_of(error), _encode({"message": f"{told(error)} [{error.code}]", "__type": error_type(error)})


def error_event(error: FreeholdError) -> bytes:
    """An exception inside a stream; nothing follows."""
    kind = _IN_STREAM.get(error_type(error), "modelStreamErrorException")
    return event_stream.exception(kind, _encode({"message": f"{told(error)} [{error.code}]"}))


def headers(request_id: str) -> list[tuple[bytes, bytes]]:
    """The request id, by which the vendor's SDKs name a call; there are no headers for limits."""
    return [(b"x-amzn-requestid", request_id.encode())]
