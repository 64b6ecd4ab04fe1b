"""What an error answer of a target means for the call, and what of it may be told."""

from __future__ import annotations

import json

import pytest

from freehold.core.errors import UpstreamFailed, UpstreamOverloaded, UpstreamRefused, UpstreamTimeout
from freehold.gateway.providers.failures import failure_of, retry_after


@pytest.mark.parametrize(
    ("status", "kind", "retryable"),
    [
        (307, UpstreamFailed, True),
        (400, UpstreamRefused, False),
        (401, UpstreamRefused, True),
        (402, UpstreamRefused, True),
        (403, UpstreamRefused, True),
        (404, UpstreamRefused, True),
        (408, UpstreamTimeout, True),
        (409, UpstreamRefused, True),
        (413, UpstreamRefused, False),
        (422, UpstreamRefused, False),
        (429, UpstreamOverloaded, True),
        (500, UpstreamFailed, True),
        (502, UpstreamFailed, True),
        (503, UpstreamOverloaded, True),
        (504, UpstreamTimeout, True),
        (529, UpstreamOverloaded, True),
    ],
)
def test_the_status_decides(status, kind, retryable):
    error = failure_of(status, {}, b"")
    assert (type(error), error.status, error.retryable) == (kind, status, retryable)


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"error": {"message": "too long", "type": "invalid_request_error", "code": "context_length_exceeded"}}, "(context_length_exceeded): too long"),
        ({"type": "error", "error": {"type": "invalid_request_error", "message": "bad"}}, "(invalid_request_error): bad"),
        ({"error": "plain"}, ": plain"),
        ({"message": "top", "code": 17}, "(17): top"),
        ({"object": "error", "message": {"detail": [{"loc": ["n"]}]}}, ': {"detail":[{"loc":["n"]}]}'),
        ({"detail": "Not Found"}, ": Not Found"),
        ({"error": {"message": "two\r\nlines\x00"}}, ": two lines"),
    ],
)  # fmt: skip
def test_the_vendors_reason_is_told(body, told):
    assert (
        failure_of(400, {}, json.dumps(body).encode()).message
        == f"the target answered 400{' ' if told[0] == '(' else ''}{told}"
    )


@pytest.mark.parametrize(
    "body", [b"", b"<html>busy</html>", b"[]", b"null", b'{"error":null}', b"\xff", b"{" * 100_000]
)
def test_a_body_without_a_reason_is_no_trouble(body):
    assert failure_of(500, {}, body).message == "the target answered 500"


def test_no_secret_is_quoted():
    secret = "sk-proj-abcdefghijklmnop1234"
    body = json.dumps({"error": {"message": f"Incorrect key {secret}, sent as Bearer {secret}"}}).encode()
    for status in (400, 401, 403, 500):
        assert "abcdef" not in failure_of(status, {}, body).message


def test_a_long_reason_is_cut():
    assert len(failure_of(400, {}, json.dumps({"error": "x" * 10_000}).encode()).message) < 600


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({b"retry-after": b"7"}, 7.0),
        ({b"retry-after": b"0.5"}, 0.5),
        ({b"retry-after": b"-3"}, 0.0),
        ({b"retry-after": b"999999"}, 3600.0),
        ({b"retry-after": b"nan"}, None),
        ({b"retry-after": b"soon"}, None),
        ({b"retry-after-ms": b"250", b"retry-after": b"7"}, 0.25),
        ({b"retry-after": b"Wed, 21 Oct 2026 07:28:30 GMT", b"date": b"Wed, 21 Oct 2026 07:28:00 GMT"}, 30.0),
        ({b"retry-after": b"Wed, 21 Oct 2026 07:28:30 GMT"}, None),
        ({b"retry-after": b"Wed, 21 Oct 2026 07:28:00 GMT", b"date": b"Wed, 21 Oct 2026 07:28:30 GMT"}, 0.0),
    ],
)
def test_retry_after(headers, seconds):
    assert retry_after(headers) == seconds
    assert failure_of(429, headers, b"").retry_after == seconds
