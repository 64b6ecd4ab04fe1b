"""Errors and headers in each dialect's own form, as its official SDK reads them."""

from __future__ import annotations

import json

import pytest

from freehold.core import errors
from freehold.core.errors import (
    BudgetExhausted,
    BudgetUnavailable,
    FreeholdError,
    Internal,
    NoPermittedTarget,
    RequestLimit,
    TokenLimit,
    TooLarge,
    UnknownModel,
    UnknownPath,
    UpstreamLied,
    UpstreamOverloaded,
    UpstreamRefused,
    UpstreamTimeout,
    WrongContentType,
    WrongHost,
    WrongMethod,
)
from freehold.gateway.dialects.registry import DIALECTS, dialect

CHAT, MESSAGES = dialect("openai_chat"), dialect("anthropic_messages")

CASES = [
    (errors.BadRequest("x", param="n"), 400, "invalid_request_error", "invalid_request_error"),
    (errors.MalformedJson("x"), 400, "invalid_request_error", "invalid_request_error"),
    (errors.BadHttp("x"), 400, "invalid_request_error", "invalid_request_error"),
    (WrongMethod("x"), 405, "invalid_request_error", "invalid_request_error"),
    (WrongContentType("x"), 415, "invalid_request_error", "invalid_request_error"),
    (WrongHost("x"), 421, "invalid_request_error", "invalid_request_error"),
    (errors.RevokedKey("x"), 401, "authentication_error", "authentication_error"),
    (NoPermittedTarget("x"), 403, "permission_error", "permission_error"),
    (UnknownModel("x", param="model"), 404, "invalid_request_error", "not_found_error"),
    (UnknownPath("x"), 404, "invalid_request_error", "not_found_error"),
    (errors.Conflict("x"), 409, "invalid_request_error", "conflict_error"),
    (TooLarge("x"), 413, "invalid_request_error", "request_too_large"),
    (RequestLimit("x"), 429, "requests", "rate_limit_error"),
    (TokenLimit("x"), 429, "tokens", "rate_limit_error"),
    (BudgetExhausted("x"), 429, "insufficient_quota", "rate_limit_error"),
    (UpstreamLied("x"), 502, "server_error", "api_error"),
    (UpstreamTimeout("x"), 504, "timeout", "timeout_error"),
    (UpstreamOverloaded("x", status=429), 429, "rate_limit_error", "rate_limit_error"),
    (UpstreamRefused("x", status=400), 400, "invalid_request_error", "invalid_request_error"),
    (UpstreamRefused("x", status=422), 422, "invalid_request_error", "invalid_request_error"),
    (UpstreamRefused("x", status=401), 502, "server_error", "api_error"),
    (UpstreamRefused("x", status=403), 502, "server_error", "api_error"),
    (UpstreamRefused("x"), 502, "server_error", "api_error"),
    (BudgetUnavailable("x"), 503, "server_error", "overloaded_error"),
    (Internal("x"), 500, "server_error", "api_error"),
]


@pytest.mark.parametrize(
    ("error", "status", "openai", "anthropic"), CASES, ids=lambda one: getattr(one, "code", str(one))
)
def test_status_and_type(error, status, openai, anthropic):
    sent, body = CHAT.error(error, "req_1")
    told = json.loads(body)["error"]
    assert (sent, told["type"], told["code"], told["param"]) == (status, openai, error.code, error.param)
    assert set(told) == {"message", "type", "param", "code"}
    sent, body = MESSAGES.error(error, "req_1")
    told = json.loads(body)
    assert (sent, told["type"], told["error"]["type"], told["request_id"]) == (status, "error", anthropic, "req_1")
    assert error.code in told["error"]["message"]
    assert told["error"]["details"]["error_code"] == error.code


IN_JSON = [one for one in DIALECTS if one.name not in {"bedrock_converse", "gemini_array"}]


@pytest.mark.parametrize("one", IN_JSON, ids=lambda one: one.name)
def test_every_error_has_a_form_that_says_what_to_do(one):
    for kind in all_errors():
        _, body = one.error(kind("it broke"), "r")
        message = json.loads(body)["error"]["message"]
        assert message.startswith("it broke")
        assert kind.hint_text in message
        event = one.error_event(kind("it broke"), "r")
        if one.name == "openai_speech":  # sound has no place for it
            assert event == b""
            continue
        assert event.endswith(b"\n\n")
        assert json.loads(event.split(b"data: ", 1)[1])["error"]["message"] == message


def all_errors() -> list[type[FreeholdError]]:
    found: list[type[FreeholdError]] = [FreeholdError]
    for kind in found:
        found += kind.__subclasses__()
    return [kind for kind in found if kind.__module__.startswith("freehold.")]


def test_an_overload_of_the_vendor_keeps_the_status_only_its_dialect_knows():
    error = UpstreamOverloaded("x", status=529)
    assert (CHAT.error(error, "r")[0], MESSAGES.error(error, "r")[0]) == (429, 529)
    assert json.loads(MESSAGES.error(error, "r")[1])["error"]["type"] == "overloaded_error"


LIMITS = [("requests", 10, 3, 360.2), ("tokens", 5000, -4, 0.12)]


def test_openai_headers():
    assert dict(CHAT.headers("req_1", LIMITS, 0.0)) == {
        b"x-request-id": b"req_1",
        b"x-ratelimit-limit-requests": b"10",
        b"x-ratelimit-remaining-requests": b"3",
        b"x-ratelimit-reset-requests": b"6m1s",
        b"x-ratelimit-limit-tokens": b"5000",
        b"x-ratelimit-remaining-tokens": b"0",
        b"x-ratelimit-reset-tokens": b"120ms",
    }


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (-1, b"0ms"),
        (0, b"0ms"),
        (0.25, b"250ms"),
        (1.5, b"1.5s"),
        (59.9, b"59.9s"),
        (60, b"1m0s"),
        (360, b"6m0s"),
        (3661, b"1h1m1s"),
    ],
)
def test_openai_resets_are_durations(seconds, told):
    assert dict(CHAT.headers("r", [("requests", 1, 1, seconds)], 0.0))[b"x-ratelimit-reset-requests"] == told


def test_anthropic_headers_tell_moments():
    assert dict(MESSAGES.headers("req_1", LIMITS, 1_700_000_000.0)) == {
        b"request-id": b"req_1",
        b"anthropic-ratelimit-requests-limit": b"10",
        b"anthropic-ratelimit-requests-remaining": b"3",
        b"anthropic-ratelimit-requests-reset": b"2023-11-14T22:19:20Z",
        b"anthropic-ratelimit-tokens-limit": b"5000",
        b"anthropic-ratelimit-tokens-remaining": b"0",
        b"anthropic-ratelimit-tokens-reset": b"2023-11-14T22:13:20Z",
    }
