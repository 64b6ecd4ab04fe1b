"""What goes wrong is told in the caller's own dialect, as the exception its SDK has for it, and is settled."""

from __future__ import annotations

import asyncio
import time

import anthropic
import httpx2
import openai
import pytest

from tests.e2e.instance import until
from tests.e2e.sdks import (
    Messages,
    OpenAi,
    anthropic_client,
    ask,
    async_anthropic_client,
    async_openai_client,
    openai_client,
)
from tests.fakes.replies import Reply
from tests.fakes.wire import Fault

LONG = Reply(text="word " * 400)


class Caller:
    """One chat call by either SDK, and where each keeps what went wrong."""

    def __init__(self, house, kind):
        self.kind = kind
        self.sdk = openai if kind == "openai" else anthropic
        self.house = house
        self.id = "x-request-id" if kind == "openai" else "request-id"

    def fails(self, error, model, key=None, **more):
        """The exception of a call that must raise `error`."""
        make = OpenAi if self.kind == "openai" else Messages
        with pytest.raises(getattr(self.sdk, error)) as caught:
            make(self.house, True, key).create(model=model, messages=ask("hello"), max_tokens=16, **more)
        return caught.value

    def told(self, error):
        """Type, message and our own code out of an error's body."""
        if self.kind == "openai":
            return error.body["type"], error.body["message"], error.body["code"]
        inner = error.body["error"]
        assert error.body["type"] == "error" and error.body["request_id"] == error.response.headers["request-id"]
        return inner["type"], inner["message"], inner["details"]["error_code"]


@pytest.fixture(params=["openai", "anthropic"])
def caller(request, house):
    return Caller(house, request.param)


@pytest.fixture
def vendor_of(house_vendors):
    return lambda route: house_vendors.openai if route == "gpt" else house_vendors.anthropic


def test_no_key_and_a_wrong_key(caller):
    error = caller.fails("AuthenticationError", "gpt", key="fh-nobody")
    assert caller.told(error)[0] == "authentication_error"
    assert "fh-nobody" not in str(error.body)
    assert error.response.headers[caller.id].startswith("call_")


def test_an_unknown_model_is_not_found_and_a_close_name_is_offered(caller):
    error = caller.fails("NotFoundError", "owned-chatt")
    assert "owned-chat" in caller.told(error)[1]


def test_a_route_beyond_the_keys_scope(caller, house):
    key = house.make_key(f"scoped-{caller.kind}", routes=["gpt"])
    error = caller.fails("PermissionDeniedError", "claude", key=key)
    assert caller.told(error)[0] == "permission_error"


def test_a_label_that_no_target_may_take(caller, house_vendors):
    error = caller.fails("PermissionDeniedError", "gpt", extra_headers={"x-freehold-label": "restricted:HIPAA"})
    assert "restricted" in caller.told(error)[1]
    assert not house_vendors.openai.requests


@pytest.mark.parametrize("route", ["gpt", "claude"])
def test_what_the_vendor_finds_wrong_in_a_request(caller, vendor_of, house, route):
    vendor_of(route).fail(Fault("status", status=400))
    error = caller.fails("BadRequestError", route)
    assert "told to answer 400" in str(error.body)
    kept = house.call(error.response.headers[caller.id])
    assert (kept["call"]["outcome"], kept["call"]["status"]) == ("failed", 400)


@pytest.mark.parametrize("route", ["gpt", "claude"])
def test_an_overloaded_vendor_is_a_rate_limit_with_its_wait(caller, vendor_of, route):
    vendor_of(route).fail(Fault("status", status=429, headers=(("retry-after", "30"),)))
    error = caller.fails("RateLimitError", route)
    assert error.response.headers["retry-after"] == "30"
    assert caller.told(error)[0] == "rate_limit_error"
    assert len(vendor_of(route).requests) == 1, "a wait that long is the caller's business, not ours"


@pytest.mark.parametrize("route", ["gpt", "claude"])
def test_a_failing_vendor_is_a_server_error_after_honest_retries(caller, vendor_of, house, route):
    vendor_of(route).always = Fault("status", status=500)
    error = caller.fails("InternalServerError", route)
    assert error.status_code == 502
    assert len(vendor_of(route).requests) == 3
    kept = house.call(error.response.headers[caller.id])
    assert [one["outcome"] for one in kept["attempts"]] == ["failed"] * 3
    assert (kept["call"]["outcome"], float(kept["call"]["cost"])) == ("failed", 0)


@pytest.mark.parametrize("route", ["gpt", "claude"])
def test_our_own_key_refused_by_the_vendor_is_not_the_callers(caller, vendor_of, route):
    vendor_of(route).always = Fault("status", status=401)
    error = caller.fails("InternalServerError", route)
    assert error.status_code == 502 and vendor_of(route).key not in str(error.body)


@pytest.mark.parametrize("kind", ["bad_json", "short_body", "error_inside", "reset", "redirect", "cut"])
@pytest.mark.parametrize("route", ["gpt", "claude"])
def test_a_lying_vendor_never_looks_like_an_answer(caller, vendor_of, house, route, kind):
    vendor_of(route).always = Fault(kind)
    error = caller.fails("InternalServerError", route)
    kept = house.call(error.response.headers[caller.id])
    assert kept["call"]["outcome"] == "failed" and float(kept["call"]["cost"]) == 0


@pytest.mark.parametrize("kind", ["cut", "cut_politely", "no_end", "error_inside", "reset_mid", "bad_chunk"])
@pytest.mark.parametrize("route", ["gpt", "claude"])
def test_a_broken_stream_never_looks_complete(caller, vendor_of, house, route, kind):
    vendor_of(route).always = Fault(kind, after=6)
    with openai_client(house) if caller.kind == "openai" else anthropic_client(house) as client:
        said = client.chat.completions if caller.kind == "openai" else client.messages
        try:
            stream = said.create(model=route, messages=ask("hello"), max_tokens=64, stream=True)
        except caller.sdk.InternalServerError as error:  # seen before anything had gone to the caller
            call, outcome = error.response.headers[caller.id], "failed"
        else:
            call, outcome = stream.response.headers[caller.id], "broken"
            with pytest.raises((caller.sdk.APIError, httpx2.RemoteProtocolError, httpx2.ReadError)):
                for _ in stream:
                    pass
    kept = house.call(call)["call"]
    assert kept["outcome"] == outcome
    assert outcome == "failed" or kept["usage"]["output"] > 0


def test_a_callers_own_timeout_hangs_up_on_the_vendor(caller, house, house_vendors):
    house_vendors.openai.fail(Fault("stall_first"))
    make, began = openai_client if caller.kind == "openai" else anthropic_client, time.time() - 0.001
    with make(house, timeout=0.3) as client:
        said = client.chat.completions if caller.kind == "openai" else client.messages
        with pytest.raises(caller.sdk.APITimeoutError):
            said.create(model="gpt", messages=ask("hello"), max_tokens=16)
    until(house_vendors.openai.last.hung_up.is_set, "the vendor sees the hang-up")
    kept = until(lambda: house.calls(outcome="cancelled", since=began), "the call is settled")
    assert kept[-1]["call"]["status"] == 499


@pytest.mark.parametrize("route", ["gpt", "claude"])
def test_a_cancelled_stream_stops_the_vendor_and_is_settled_by_estimate(caller, vendor_of, house, route):
    vendor = vendor_of(route)
    vendor.say(LONG)
    vendor.fail(Fault("stall_mid", after=60))

    async def read_a_little(heads):
        make = async_openai_client if caller.kind == "openai" else async_anthropic_client
        async with make(house) as client:
            said = client.chat.completions if caller.kind == "openai" else client.messages
            stream = await said.create(model=route, messages=ask("hello"), max_tokens=4000, stream=True)
            heads.append(stream.response.headers[caller.id])
            seen = 0
            async for _ in stream:
                seen += 1
                if seen == 20:
                    heads.append("reading")

    async def cancelled():
        heads = []
        task = asyncio.create_task(read_a_little(heads))
        while len(heads) < 2:
            assert not task.done()
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return heads[0]

    call = asyncio.run(cancelled())
    until(vendor.last.hung_up.is_set, "the vendor sees the hang-up")
    kept = house.call(call)["call"]
    assert (kept["outcome"], kept["status"], kept["usage"]["estimated"]) == ("cancelled", 499, True)
    assert kept["usage"]["output"] > 10 and float(kept["cost"]) > 0


def test_fields_without_a_twin_are_named_or_refused(house, house_vendors):
    fields = {"messages": ask("hello"), "max_tokens": 16, "seed": 7, "frequency_penalty": 0.5}
    with openai_client(house) as client:
        raw = client.chat.completions.with_raw_response.create(model="claude", **fields)
        assert {"seed", "frequency_penalty"} <= set(raw.headers["x-freehold-dropped"].split(", "))
        before = len(house_vendors.anthropic.requests)
        with pytest.raises(openai.BadRequestError, match="seed"):
            client.chat.completions.create(model="claude-strict", **fields)
        assert len(house_vendors.anthropic.requests) == before


def test_bad_requests_are_told_by_their_path(house):
    for path, body, kind in (
        ("/v1/chat/completions", b'{"model": "gpt", "messages": [', "MalformedJson"),
        ("/v1/chat/completions", b'{"messages": []}', "missing model"),
        ("/v1/messages", b'{"model": "claude", "messages": [{"role": "user", "content": "x"}]}', "no max_tokens"),
        ("/v1/messages", b"[1, 2]", "no object"),
    ):
        got = house.ask(path, body, {"anthropic-version": "2023-06-01"} if path.endswith("messages") else None)
        assert got.status == 400, kind
        error = got.json["error"]
        assert error["type"] == "invalid_request_error" and error["message"], kind
    got = house.ask("/v1/chat/completions", b"hello", {"content-type": "text/plain"})
    assert (got.status, got.headers["x-freehold-error"][:3]) == (415, "FH-")
