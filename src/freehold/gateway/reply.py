"""Response heads, and errors in the form the caller's dialect calls for."""

from __future__ import annotations

import math
from http import HTTPStatus

from freehold.core.errors import FreeholdError
from freehold.gateway.ports import Dialect, HeadsErrors

REASONS = {status.value: b"HTTP/1.1 %d %b\r\n" % (status.value, status.phrase.encode()) for status in HTTPStatus}


def status_line(status: int) -> bytes:
    """The status line with its end."""
    return REASONS.get(status) or b"HTTP/1.1 %d Other\r\n" % status


def head_of(status: int, headers: list[tuple[bytes, bytes]], length: int | None, *, keep: bool = True) -> bytes:
    """A response head; `length` None means chunks."""
    lines = [status_line(status)]
    lines += [b"%b: %b\r\n" % pair for pair in headers]
    lines.append(b"transfer-encoding: chunked\r\n" if length is None else b"content-length: %d\r\n" % length)
    if not keep:
        lines.append(b"connection: close\r\n")
    lines.append(b"\r\n")
    return b"".join(lines)


def without_body(response: bytes) -> bytes:
    """What HEAD gets: the head of the response to GET, its length included."""
    return response[: response.index(b"\r\n\r\n") + 4]


def error_reply(dialect: Dialect, error: FreeholdError, request_id: str, more: list[tuple[bytes, bytes]], *,
                keep: bool = True) -> tuple[int, bytes]:  # fmt: skip
    """Status and whole response for an error."""
    status, body = dialect.error(error, request_id)
    headers = [(b"content-type", b"application/json"), *more, (b"x-freehold-error", error.code.encode())]
    if isinstance(dialect, HeadsErrors):
        headers += dialect.error_headers(error)
    if error.retry_after is not None:
        headers.append((b"retry-after", b"%d" % max(1, math.ceil(error.retry_after))))
    if error.reset_at is not None:
        headers.append((b"x-freehold-resets-at", error.reset_at.isoformat(timespec="seconds").encode()))
    return status, head_of(status, headers, len(body), keep=keep) + body
