"""Money limits of keys, teams and routes hold under many callers who hang up, and vendors who fail."""

from __future__ import annotations

import asyncio
import random
from decimal import Decimal

import openai
import pytest

from tests.e2e.instance import until
from tests.e2e.sdks import ask, async_openai_client
from tests.fakes.replies import Reply
from tests.fakes.wire import Fault

CALLERS = 200
LIMIT = Decimal(2)
FAULTS = (None, None, None, None, Fault("status", status=500), Fault("cut", after=6), Fault("reset"), Fault("no_end"))


async def one_call(client, model, dice, told):
    """One caller: waits for a whole answer, reads a stream, or hangs up in the middle of one."""
    kind = dice.choice(("whole", "stream", "hang up", "cancel"))
    fields = {"model": model, "messages": ask("hello"), "max_tokens": 16}
    try:
        if kind == "whole":
            await client.chat.completions.create(**fields)
        elif kind == "cancel":
            async with asyncio.timeout(dice.random() * 0.2):
                await client.chat.completions.create(**fields)
        else:
            async with await client.chat.completions.create(stream=True, **fields) as stream:
                async for _ in stream:
                    if kind == "hang up":
                        break
        told.append("ok")
    except openai.RateLimitError as error:
        told.append(error)
    except openai.APIError:
        told.append("failed")
    except TimeoutError:
        told.append("gave up")


async def storm(house, key, model, seed):
    dice = random.Random(seed)
    told = []
    async with async_openai_client(house, key) as client:
        await asyncio.gather(*(one_call(client, model, dice, told) for _ in range(CALLERS)))
    return told


def spent(house, budget):
    """What calls that drew on a budget cost, added up from the ledger."""
    found = [one["call"] for one in house.calls()]
    return sum((Decimal(one["cost"]) for one in found if any(budget in name for name in one["budgets"])), Decimal(0))


@pytest.mark.parametrize("owner", ["key", "team", "route"])
def test_a_money_limit_holds_under_two_hundred_callers(house, house_vendors, owner):
    dice = random.Random(owner)
    vendor = house_vendors.openai
    vendor.say(Reply(text="one two three four five six seven eight", input=30, output=20))
    vendor.fail(*(dice.choice(FAULTS) for _ in range(CALLERS)))
    if owner == "key":
        key, model, budget = house.make_key("purse", budget=2, period="month"), "dear", "key/purse"
    elif owner == "team":
        key, model, budget = house.make_key("member", team="red"), "dear", "team/red"
    else:
        key, model, budget = house.make_key("anyone"), "capped", "route/capped"
    told = asyncio.run(storm(house, key, model, owner))
    assert len(told) == CALLERS
    refused = [one for one in told if isinstance(one, openai.RateLimitError)]
    assert refused, "200 calls of five cents do not fit two dollars"
    for one in refused:
        assert one.type == "insufficient_quota" and one.param == budget
        assert budget in str(one) and "resets at" in str(one) and "$2" in str(one)
        assert one.response.headers["x-freehold-resets-at"] and int(one.response.headers["retry-after"]) >= 1
    everything = house.api("/api/keys/" + {"key": "purse", "team": "member", "route": "anyone"}[owner]).json["id"]
    came = sum(one != "gave up" for one in told)  # who gave up early may never have reached the gateway
    until(lambda: len(house.calls(key=everything)) >= came and not house.pending(), "every call is in the ledger")
    total = spent(house, budget)
    assert Decimal("0.5") < total <= LIMIT
    found = next(one for one in house.api("/api/budgets").json if one["budget"] == budget)
    assert Decimal(found["spent"]) == total
    assert Decimal(found["available"]) + Decimal(found["held"]) + total == LIMIT


def test_a_spent_budget_is_refused_in_both_dialects_and_others_go_on(house):
    key = house.make_key("poor", budget="0.001", period="month")
    got = house.chat("dear", key=key)
    assert got.status == 429 and got.json["error"]["param"] == "key/poor"
    body = {"model": "dear", "messages": ask("hello"), "max_tokens": 16}
    other = house.ask("/v1/messages", body, {"anthropic-version": "2023-06-01"}, key)
    assert other.status == 429 and other.json["error"]["type"] == "rate_limit_error"
    assert "key/poor" in other.json["error"]["message"]
    assert house.chat("owned-chat", key=key, max_tokens=1).status == 200, "what costs nothing is not refused"
    assert house.chat("dear").status == 200


def test_what_a_call_costs_is_what_its_budget_loses(house, house_vendors):
    house_vendors.openai.say(Reply(text="short", input=30, output=20))
    key = house.make_key("exact", budget=5, period="month")
    for _ in range(3):
        assert Decimal(house.chat("dear", key=key).headers["x-freehold-cost"]) == Decimal("0.05")

    def standing():
        return next(one for one in house.api("/api/budgets").json if one["budget"] == "key/exact")

    until(lambda: Decimal(standing()["spent"]) == Decimal("0.15"), "the ledger has all three")
