"""How Google's targets are spoken to: keys and tokens, what a generation knows, what errors mean."""

from __future__ import annotations

import json

import pytest

from freehold.core.errors import UpstreamOverloaded, UpstreamRefused
from freehold.core.label import Label
from freehold.core.permit import Origin
from freehold.gateway.dialects.registry import dialect
from freehold.gateway.messages import Thought, ToolCall
from freehold.gateway.providers.gemini import SKIP, GeminiDriver
from freehold.gateway.providers.vendors import vendor
from freehold.policy.targets import Target

DRIVER = GeminiDriver()


def target(**more) -> Target:
    base = {"name": "t", "provider": "p", "driver": "gemini", "dialects": ("gemini",), "model": "m"}
    return Target(**{**base, **more}, origin=Origin("https", "x", 443), clearance=Label())


def chat(**fields):
    base = {"model": "r", "messages": [{"role": "user", "content": "x"}]}
    return dialect("openai_chat").decode_request(json.dumps({**base, **fields}).encode())


def test_a_key_has_a_header_of_its_own_and_a_token_is_a_bearer():
    own = target(headers=(("x-team", "a"),))
    assert DRIVER.headers(own, "k", "gemini") == [("x-goog-api-key", "k"), ("x-team", "a")]
    vertex = target(quirks=("bearer",))
    assert DRIVER.headers(vertex, "t", "gemini") == [("authorization", "Bearer t")]
    assert DRIVER.headers(target(), "", "gemini") == []


@pytest.mark.parametrize(
    ("model", "thought"),
    [
        ("gemini-2.5-pro", Thought(budget=1024)),
        ("gemini-3-pro", Thought(effort="low")),
        ("gemini-flash-latest", Thought(effort="low")),
    ],
)
def test_an_effort_is_a_budget_before_gemini_3(model, thought):
    found, restore = DRIVER.adapt(target(model=model), chat(reasoning_effort="low"))
    assert (found.thought, restore) == (thought, None)


def calls(*signatures: str):
    made = [
        {
            "id": f"c{at}", "type": "function", "function": {"name": "f", "arguments": "{}"},
            **({"extra_content": {"google": {"thought_signature": one}}} if one else {}),
        }
        for at, one in enumerate(signatures)
    ]  # fmt: skip
    return chat(messages=[{"role": "user", "content": "x"}, {"role": "assistant", "tool_calls": made}])


@pytest.mark.parametrize(
    ("model", "before", "after"),
    [
        ("gemini-3-pro", ("", ""), (SKIP, "")),
        ("gemini-3-pro", ("c2ln", ""), ("c2ln", "")),
        ("gemini-2.5-pro", ("", ""), ("", "")),
        ("gemma-3", ("", ""), ("", "")),
    ],
)
def test_calls_that_nobody_signed_are_marked_where_they_would_be_refused(model, before, after):
    found, _ = DRIVER.adapt(target(model=model), calls(*before))
    assert tuple(one.signature for one in found.turns[1].parts if isinstance(one, ToolCall)) == after


def error(status: int, reason: str = "", *details) -> bytes:
    info = [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason}] if reason else []
    return json.dumps({"error": {"code": status, "message": "it says why", "details": [*info, *details]}}).encode()


def test_a_key_google_does_not_know_is_ours_to_mend():
    found = DRIVER.failure(400, {}, error(400, "API_KEY_INVALID"))
    assert isinstance(found, UpstreamRefused)
    assert (found.status, found.retryable, "it says why" in found.message) == (401, True, False)
    found = DRIVER.failure(400, {}, error(400))
    assert (found.status, found.retryable, "it says why" in found.message) == (400, False, True)


@pytest.mark.parametrize(
    ("delay", "wait"), [("17s", 17.0), ("0.5s", 0.5), ("soon", None), (None, None), ("9999999s", 3600.0)]
)
def test_when_to_come_again_stands_in_the_body(delay, wait):
    found = DRIVER.failure(429, {}, error(429, "", {"@type": "x", "retryDelay": delay}))
    assert isinstance(found, UpstreamOverloaded)
    assert found.retry_after == wait
    assert DRIVER.failure(429, {b"retry-after": b"3"}, error(429, "", {"retryDelay": "9s"})).retry_after == 3.0


@pytest.mark.parametrize("body", [b"", b"[]", b'{"error":5}', b'{"error":{"details":[5]}}', b"\xff"])
def test_an_odd_body_tells_no_delay(body):
    assert DRIVER.failure(429, {}, body).retry_after is None


def test_the_rows_lead_to_googles_paths():
    path = dialect("gemini").in_path.upstream
    peek = dialect("gemini").peek(dialect("gemini").in_path.put(b'{"contents":[]}', "r", stream=True))
    assert vendor("gemini").base_url + path("gemini-3-pro", peek) == (
        "https://generativelanguage.googleapis.com/v1beta/models/gemini-3-pro:streamGenerateContent?alt=sse"
    )
    assert vendor("vertex-gemini").base_url + path("gemini-3-pro", peek) == (
        "https://aiplatform.googleapis.com/v1/publishers/google/models/gemini-3-pro:streamGenerateContent?alt=sse"
    )
    assert vendor("gemini-openai").driver == "openai"
