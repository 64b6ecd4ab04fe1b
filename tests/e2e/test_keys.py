"""Keys from their making to their end, and request and token limits in the words of both dialects."""

from __future__ import annotations

import time

import anthropic
import openai
import pytest

from tests.e2e.instance import until
from tests.e2e.sdks import anthropic_client, ask, openai_client

ASK = {"messages": ask("hello"), "max_tokens": 16}


def test_too_many_requests_in_openais_words(house, house_vendors):
    key = house.make_key("few-openai", requests_per_minute=2)
    with openai_client(house, key) as client:
        first = client.chat.completions.with_raw_response.create(model="gpt", **ASK)
        assert first.headers["x-ratelimit-limit-requests"] == "2"
        assert first.headers["x-ratelimit-remaining-requests"] == "1"
        assert first.headers["x-ratelimit-reset-requests"].endswith("s")
        client.chat.completions.create(model="gpt", **ASK)
        with pytest.raises(openai.RateLimitError) as caught:
            client.chat.completions.create(model="gpt", **ASK)
    error = caught.value
    assert error.type == "requests" and "2 requests a minute" in str(error)
    assert 1 <= int(error.response.headers["retry-after"]) <= 30
    assert error.response.headers["x-ratelimit-remaining-requests"] == "0"
    assert len(house_vendors.openai.requests) == 2
    kept = house.call(error.response.headers["x-request-id"])["call"]
    assert (kept["outcome"], kept["status"], kept["attempts"]) == ("refused", 429, 0)


def test_too_many_requests_in_anthropics_words(house):
    key = house.make_key("few-anthropic", requests_per_minute=1)
    with anthropic_client(house, key) as client:
        first = client.messages.with_raw_response.create(model="claude", **ASK)
        assert first.headers["anthropic-ratelimit-requests-limit"] == "1"
        assert first.headers["anthropic-ratelimit-requests-remaining"] == "0"
        assert first.headers["anthropic-ratelimit-requests-reset"].endswith("Z")
        with pytest.raises(anthropic.RateLimitError) as caught:
            client.messages.create(model="claude", **ASK)
    assert caught.value.body["error"]["type"] == "rate_limit_error"
    assert int(caught.value.response.headers["retry-after"]) >= 1


def test_too_many_tokens(house, house_vendors):
    key = house.make_key("brief", tokens_per_minute=100)
    with openai_client(house, key) as client:
        client.chat.completions.create(model="gpt", messages=ask("word " * 20), max_tokens=60)
        with pytest.raises(openai.RateLimitError) as caught:
            client.chat.completions.create(model="gpt", messages=ask("word " * 20), max_tokens=60)
        assert caught.value.type == "tokens" and "100 tokens a minute" in str(caught.value)
        assert caught.value.response.headers["x-ratelimit-limit-tokens"] == "100"
    assert len(house_vendors.openai.requests) == 1


def test_a_limit_is_the_keys_own(house):
    narrow, wide = house.make_key("narrow", requests_per_minute=1), house.make_key("wide")
    assert [house.chat("gpt", key=narrow).status for _ in range(2)] == [200, 429]
    assert house.chat("gpt", key=wide).status == 200


def test_a_revoked_key_is_refused_at_once(house):
    key = house.make_key("leaving")
    assert house.chat("gpt", key=key).status == 200
    assert house.api("/api/keys/leaving/revoke", {}).status == 200
    got = until(lambda: (one := house.chat("gpt", key=key)).status == 401 and one, "the key is refused", within=60)
    assert "revoked" in got.json["error"]["message"]


def test_an_expired_key_is_refused(house):
    made = house.api("/api/keys", {"name": "short", "label": "internal", "expires_at": time.time() + 1.5})
    key = made.json["secret"]
    got = until(lambda: b"expired" in (one := house.chat("gpt", key=key)).body and one, "the key expires", within=60)
    assert got.status == 401


def test_rotation_leaves_the_old_secret_its_grace(house):
    old = house.make_key("turning")
    new = house.api("/api/keys/turning/rotate", {"grace_seconds": 600}).json["secret"]
    assert new != old
    until(lambda: house.chat("gpt", key=new).status == 200, "the new secret counts")
    assert house.chat("gpt", key=old).status == 200
    last = house.api("/api/keys/turning/rotate", {"grace_seconds": 0}).json["secret"]
    until(lambda: house.chat("gpt", key=last).status == 200, "the newest secret counts")
    until(lambda: house.chat("gpt", key=new).status == 401, "the one before ends without grace", within=60)
    calls = [one["call"] for one in house.calls(key=house.api("/api/keys/turning").json["id"])]
    assert calls and {one["key_id"] for one in calls} == {house.api("/api/keys/turning").json["id"]}


def test_keys_see_and_reach_only_their_routes(house):
    key = house.make_key("scoped-only", routes=["gpt"])
    listed = [one["id"] for one in house.ask("/v1/models", None, key=key).json["data"]]
    assert listed == ["gpt"]
    assert house.ask("/v1/models/claude", None, key=key).status in {403, 404}
    assert house.chat("claude", key=key).status == 403


def test_changes_of_keys_are_audited_and_secrets_are_not(house):
    key = house.make_key("audited")
    house.api("/api/keys/audited/revoke", {})

    def told():
        found = [one for one in house.api("/api/audit").json if "audited" in str(one)]
        return found if len(found) >= 2 else None

    changes = until(told, "both changes are in the audit")
    assert {one["kind"] for one in changes} >= {"key.create", "key.revoke"}
    assert key not in str(changes)
