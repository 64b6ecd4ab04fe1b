"""What an error answer of a target means: by its status first, by its body for the reason. Pure.

Invariant: no secret gets into a message; a refusal of our own key quotes nothing of the answer.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any

import msgspec

from freehold.core.errors import UpstreamFailed, UpstreamOverloaded, UpstreamRefused, UpstreamTimeout
from freehold.gateway.json_read import BROKEN

OVERLOADED = frozenset({429, 503, 529})
TIMED_OUT = frozenset({408, 504, 524})
KEY_REFUSED = frozenset({401, 402, 403, 407})
"""About the key this instance holds there: another target may still serve the call."""
TRY_ELSEWHERE = frozenset({404, 405, 409, 410, 421, 425})
"""About the model's name or the moment, not the content."""

LONGEST_WAIT = 3600.0
"""A longer wait than this is of no use to a call."""

_MOST_TEXT = 500
_SECRET = re.compile(r"(?i)\b(?:bearer\s+\S+|(?:sk|pk|rk|xai|gsk|nvapi|key|csk|fw|tgp|hf)[-_][A-Za-z0-9*_\-]{6,})")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]+")
_decode = msgspec.json.Decoder().decode


def failure_of(status: int, headers: Mapping[bytes, bytes], body: bytes) -> UpstreamFailed:
    """The error for an answer that is no success. `headers` have lower-case names."""
    message, code = _reason(body)
    wait = retry_after(headers)
    if status in KEY_REFUSED:
        return UpstreamRefused(
            f"the target refused this instance's key for it with status {status}",
            hint="check the provider's key and account: freehold providers check",
            status=status,
            retryable=True,
        )
    told = f"the target answered {status}"
    if code:
        told += f" ({code})"
    if message:
        told += f": {message}"
    if status in OVERLOADED:
        return UpstreamOverloaded(told, status=status, retry_after=wait)
    if status in TIMED_OUT:
        return UpstreamTimeout(told, status=status, retry_after=wait)
    if 400 <= status < 500:
        return UpstreamRefused(told, status=status, retryable=status in TRY_ELSEWHERE, retry_after=wait)
    if 300 <= status < 400:
        told = f"the target answered with a redirect ({status}), which is never followed"
    return UpstreamFailed(told, status=status, retry_after=wait)


def retry_after(headers: Mapping[bytes, bytes]) -> float | None:
    """Seconds to wait, out of `retry-after-ms` or `retry-after` (RFC 9110, section 10.2.3); None where not told.

    A date is read against the answer's own `date`, so no clock of ours is needed.
    """
    milliseconds = _number(headers.get(b"retry-after-ms"))
    if milliseconds is not None:
        return _bounded(milliseconds / 1000)
    told = headers.get(b"retry-after")
    seconds = _number(told)
    if seconds is not None:
        return _bounded(seconds)
    until, sent = _date(told), _date(headers.get(b"date"))
    return None if until is None or sent is None else _bounded(until - sent)


def _bounded(seconds: float) -> float:
    return min(max(0.0, seconds), LONGEST_WAIT)


def _number(text: bytes | None) -> float | None:
    if text is None:
        return None
    try:
        found = float(text)
    except ValueError:
        return None
    return found if found == found and abs(found) != float("inf") else None  # noqa: PLR0124 - NaN is not itself


def _date(text: bytes | None) -> float | None:
    if text is None:
        return None
    try:
        found = parsedate_to_datetime(text.decode("latin-1"))
    except (ValueError, IndexError, TypeError, OverflowError):
        return None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()


def _reason(body: bytes) -> tuple[str, str]:
    """The vendor's message and code: `error` may be an object or a text, or both may stand at the top."""
    try:
        value = _decode(body)
    except BROKEN:
        return "", ""
    if not isinstance(value, dict):
        return "", ""
    inner = value.get("error")
    if isinstance(inner, str):
        return _clean(inner), ""
    place: dict[str, Any] = inner if isinstance(inner, dict) else value
    code = place.get("code") or place.get("type") or ""
    message = place.get("message") or place.get("detail") or ""
    return _clean(_text(message)), _clean(_text(code))[:60]


def _text(value: object) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _clean(text: str) -> str:
    return _SECRET.sub("[removed]", _CONTROL.sub(" ", text))[:_MOST_TEXT].strip()
