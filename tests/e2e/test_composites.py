"""Composites, moves and the service key in a whole instance: official SDKs get proper answers, the books are right."""

from __future__ import annotations

import json
import threading
from decimal import Decimal

import pytest
from msgspec.structs import replace

from freehold.core.crypto import Identity
from freehold.core.snapshot import read_snapshot, write_snapshot
from freehold.gateway.routing.types import Overlay, Routes
from freehold.identity.service import service_key
from tests.e2e.instance import until
from tests.e2e.sdks import Messages, OpenAi, ask, openai_client
from tests.fakes.replies import Reply
from tests.fakes.wire import Fault

CONFIG = """\
[targets.big]
provider = "openai"
model = "big-fake"
price = { input = 10, output = 20, as_of = 2026-11-01 }
[targets.hush]
provider = "openai"
clearance = "public"
[composites.pair]
kind = "agreement"
members = ["gpt", "claude"]
escalate = "big"
grader = "label"
[routes.pair]
targets = ["pair"]
baseline = "big"
[routes.big]
targets = ["big"]
[routes.funded]
targets = ["pair"]
budget = { limit = 100, period = "total" }
"""
SYNC = pytest.mark.parametrize("sync", [True, False], ids=["sync", "async"])


def agreeing(fakes):
    fakes.openai.say(Reply(text="Refund.", input=20, output=3))
    fakes.anthropic.say(Reply(text="refund", input=30, output=2))


def differing(fakes):
    fakes.openai.say(Reply(text="refund", input=20, output=3), Reply(text="complaint", input=21, output=4))
    fakes.anthropic.say(Reply(text="exchange", input=30, output=2))


@SYNC
@pytest.mark.parametrize(("say", "text"), [(agreeing, "Refund."), (differing, "complaint")])
def test_openais_sdk_gets_whole_answers_and_streams(instance, fakes, say, text, sync):
    client = OpenAi(instance, sync)
    say(fakes)
    found = client.create(model="pair", messages=ask("my money back"))
    assert found.choices[0].message.content == text and found.choices[0].finish_reason == "stop"
    say(fakes)
    found = client.helped(model="pair", messages=ask("my money back"), stream_options={"include_usage": True})
    assert found.choices[0].message.content == text and found.choices[0].finish_reason == "stop"
    assert found.usage.prompt_tokens == (20 if say is agreeing else 21)


@SYNC
@pytest.mark.parametrize(("say", "text"), [(agreeing, "Refund."), (differing, "complaint")])
def test_anthropics_sdk_gets_whole_answers_and_streams(instance, fakes, say, text, sync):
    client = Messages(instance, sync)
    for what in (client.create, client.helped):
        say(fakes)
        found = what(model="pair", max_tokens=20, messages=ask("my money back"))
        assert found.content[0].text == text and found.stop_reason == "end_turn" and found.usage.output_tokens


@pytest.mark.parametrize("stream", [False, True])
def test_the_ledger_says_which_way_it_went_and_what_each_member_cost(instance, fakes, stream):
    agreeing(fakes)
    got = instance.chat("pair", stream=stream)
    kept = instance.call(got.call)
    assert got.headers["x-freehold-composite"] == "served" and got.headers["x-freehold-target"] == "gpt"
    assert [(one["target"], one["outcome"]) for one in kept["attempts"]] == [("gpt", "ok"), ("claude", "agreed")]
    call = kept["call"]
    assert (call["target"], call["outcome"], call["attempts"]) == ("gpt", "ok", 2)
    assert Decimal(call["cost"]) == Decimal("0.000026") + Decimal("0.000120")
    assert (call["usage"]["input"], call["usage"]["output"]) == (50, 5)
    assert Decimal(call["what_if"]) == Decimal("0.000260"), "what the served answer would have cost at the baseline"
    differing(fakes)
    got = instance.chat("pair", stream=stream)
    kept = instance.call(got.call)
    assert got.headers["x-freehold-composite"] == "escalated" and kept["call"]["target"] == "big"
    assert [one["outcome"] for one in kept["attempts"]] == ["disagreed", "disagreed", "ok"]
    assert Decimal(kept["call"]["cost"]) == sum(Decimal(one["cost"]) for one in kept["attempts"])


def test_a_gateway_killed_between_members_loses_no_more_than_was_set_aside(instance, fakes):
    agreeing(fakes)
    fakes.anthropic.fail(Fault("stall_first"))
    ended = []

    def call():
        try:
            ended.append(instance.chat("funded"))
        except OSError as error:
            ended.append(error)

    caller = threading.Thread(target=call)
    caller.start()
    until(lambda: fakes.anthropic.requests, "the first member has answered, the second is asked")
    gone = instance.kill("gateway")
    until(lambda: (one := instance.processes()["gateway"])["pid"] != gone and one["phase"] == "ready", "it is back")
    caller.join()
    assert isinstance(ended[0], OSError)
    (lost,) = until(lambda: instance.calls(outcome="lost"), "it is settled")
    first = Decimal("0.000026")
    assert Decimal(lost["call"]["cost"]) == Decimal(lost["call"]["reserved"]) > first
    agreeing(fakes)
    assert until(lambda: (got := instance.chat("funded")).status == 200 and got, "money is there").status == 200


# The service key


def test_the_service_key_lies_in_a_private_file_and_names_targets(instance, fakes):
    path = instance.home / "run" / "service.key"
    assert path.stat().st_mode & 0o777 == 0o600
    key = service_key(instance.home)
    label = {"x-freehold-label": "internal", "x-freehold-purpose": "evaluation"}
    agreeing(fakes)
    got = instance.chat("target:big", key=key, headers=label)
    assert got.status == 200 and got.headers["x-freehold-target"] == "big"
    call = instance.call(got.call)["call"]
    assert (call["key_id"], call["route"], call["label"]) == ("key_freehold", "target:big", "internal")
    assert instance.chat("target:pair", key=key, headers=label).headers["x-freehold-composite"] == "served"
    assert instance.chat("target:big", key=key).status == 400, "it states its label"
    assert instance.chat("target:hush", key=key, headers=label).status == 403
    assert instance.chat("target:hush", key=key, headers={"x-freehold-label": "public"}).status == 200
    assert instance.chat("target:big").status == 404, "nobody else may"
    listed = {one["id"] for one in instance.ask("/v1/models", None, key=key).json["data"]}
    assert listed == {"big", "funded", "pair"}


def test_the_service_key_is_seen_limited_and_revoked_but_not_made_or_turned(instance):
    (one,) = [each for each in instance.api("/api/keys").json if each["id"] == "key_freehold"]
    assert (one["name"], one["role"]) == ("freehold", "service")
    changed = instance.api("/api/keys/freehold", {"budget": "5"}, "PATCH")
    assert changed.status == 200, changed.body
    assert instance.api("/api/keys/freehold", {"role": "owner"}, "PATCH").status == 400
    assert instance.api("/api/keys/freehold/rotate", {}).status == 409
    assert instance.api("/api/keys", {"name": "mine", "role": "service"}).status == 400
    assert service_key(instance.home) not in json.dumps(one) and service_key(instance.home) not in instance.logs()


# Moves


@pytest.fixture
def move(instance):
    """Puts overlays in force, as a publication does."""
    folder, identity = instance.home / "snapshots", Identity.load(instance.home / "identity.key")

    def put(*overlays: Overlay) -> None:
        version, routes = read_snapshot(folder, "routes", Routes, identity)
        write_snapshot(folder, "routes", version + 1, 0.0, replace(routes, overlays=overlays), identity)
        seen = f'"routes":{version + 1}'.encode()
        until(lambda: seen in instance.ask("/readyz", None).body.replace(b" ", b""), "the new routes are in force")

    yield put
    put()


def test_a_share_moves_and_comes_back_while_a_call_is_under_way(instance, fakes, move):
    mine = {"x-freehold-workflow": "wf_refunds"}
    move(Overlay(workflow="wf_refunds", target="claude", share=1.0))
    fakes.anthropic.fail(Fault("stall_mid", after=4))
    with openai_client(instance) as client:
        stream = client.chat.completions.create(model="big", messages=ask("hello"), stream=True, extra_headers=mine)
        first = next(iter(stream))
        move()
        assert instance.chat("big", headers=mine).headers["x-freehold-target"] == "big"
        fakes.anthropic.release()
        rest = list(stream)
    assert stream.response.headers["x-freehold-target"] == "claude"
    assert first.choices and rest[-1].choices[0].finish_reason == "stop"
    names = [f"c{at}" for at in range(30)]
    inside = []
    for share in (0.1, 0.4):
        move(Overlay(workflow="wf_refunds", target="claude", share=share))
        inside.append({one for one in names if _went(instance, one, mine) == "claude"})
    assert inside[0] < inside[1] < set(names)


def _went(instance, conversation, headers):
    got = instance.chat("big", headers={**headers, "x-freehold-conversation": conversation})
    return got.headers["x-freehold-target"]


def test_an_overlay_through_a_composite_falls_back_to_the_route(instance, fakes, move):
    mine = {"x-freehold-workflow": "wf_refunds"}
    move(Overlay(workflow="wf_refunds", target="pair", share=1.0))
    agreeing(fakes)
    got = instance.chat("big", headers=mine)
    assert (got.headers["x-freehold-composite"], instance.call(got.call)["call"]["route"]) == ("served", "big")
    fakes.anthropic.fail(Fault("status", status=500))
    got = instance.chat("big", headers=mine)
    assert got.headers["x-freehold-target"] == "big" and got.headers["x-freehold-composite"] == "escalated"
