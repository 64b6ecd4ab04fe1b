"""A cache, a hedge, queues and live choice from the file to the receipt: a whole instance before both fake vendors."""

from __future__ import annotations

import threading

import pytest

from tests.e2e.instance import Answer, until
from tests.e2e.sdks import ask, openai_client
from tests.fakes.wire import Fault

CONFIG = """\
[routes.kept]
targets = ["gpt"]
baseline = "claude"
cache = { seconds = 600 }
[routes.hedged]
targets = ["gpt", "claude"]
hedge = { after_seconds = 0.3, ratio = 1.0, whole = true }
[targets.one]
provider = "openai"
model = "m-one"
most_in_flight = 1
[routes.narrow]
targets = ["one"]
[targets.alone]
provider = "openai"
model = "m-alone"
most_in_flight = 1
most_waiting = 0
[routes.alone]
targets = ["alone"]
[targets.marked]
provider = "anthropic"
model = "m-marked"
prompt_cache = "5m"
[routes.marked]
targets = ["marked"]
[targets.cheap]
provider = "openai"
model = "m-cheap"
price = { input = 0.1, output = 0.2, as_of = 2026-11-01 }
[routes.cheapest]
targets = [["gpt", "cheap", "claude"]]
choose = "cheapest"
"""


def of(fakes, name: str) -> list:
    """Requests that reached the target of that model."""
    return [one for one in fakes.openai.requests if one.json["model"] == f"m-{name}"]


def test_the_same_question_is_asked_once_and_the_receipt_says_so(instance, fakes):
    first = instance.chat("kept", "what is kept?", user="anna")
    second = instance.chat("kept", "what is kept?", user="berta")
    assert (first.headers["x-freehold-cache"], second.headers["x-freehold-cache"]) == ("miss", "hit")
    assert first.body == second.body and len(fakes.openai.requests) == 1
    asked, kept = instance.call(first.call), instance.call(second.call)
    assert float(asked["call"]["cost"]) > 0 == float(kept["call"]["cost"])
    assert float(second.headers["x-freehold-saved"]) == pytest.approx(float(asked["call"]["cost"]))
    assert [one["outcome"] for one in kept["attempts"]] == ["cached"]
    assert kept["attempts"][0]["usage"]["input"] == asked["attempts"][0]["usage"]["input"] > 0
    assert kept["call"]["what_if"] == asked["call"]["what_if"]
    receipt = until(
        lambda: (got := instance.api(f"/api/receipts/{second.call}")).status == 200 and got.json, "it is signed"
    )
    assert receipt["statement"]["cache"] == "hit" and receipt["statement"]["sent_to"] == []


def test_a_stream_comes_again_through_the_official_sdk(instance, fakes):
    with openai_client(instance) as client:
        texts = []
        for _ in range(2):
            chunks = client.chat.completions.create(model="kept", messages=ask("stream it"), stream=True)
            texts.append("".join(one.choices[0].delta.content or "" for one in chunks if one.choices))
    assert texts[0] == texts[1] != "" and len(fakes.openai.requests) == 1


def test_another_teams_key_is_asked_anew(instance, fakes):
    assert instance.api("/api/teams", {"name": "blue"}).status in {200, 201, 404, 405, 409}
    key = instance.make_key("of-another-team", team="blue")
    instance.chat("kept", "whose is it?")
    assert instance.chat("kept", "whose is it?", key=key).headers["x-freehold-cache"] == "miss"
    assert instance.chat("kept", "whose is it?").headers["x-freehold-cache"] == "hit"


@pytest.mark.parametrize("stream", [False, True])
def test_a_slow_first_token_is_asked_of_another_and_both_are_told(instance, fakes, stream):
    fakes.openai.fail(Fault("stall_first"))
    got = instance.chat("hedged", f"hurry {stream}", stream=stream)
    assert (got.status, got.headers["x-freehold-target"], got.headers["x-freehold-hedge"]) == (200, "claude", "won")
    until(fakes.openai.requests[0].hung_up.is_set, "the slow target is hung up on")
    tried = instance.call(got.call)["attempts"]
    assert [(one["target"], one["outcome"]) for one in tried] == [("gpt", "overtaken"), ("claude", "ok")]
    assert float(tried[0]["cost"]) > 0 and tried[1]["started"] >= 0.25


def test_one_at_a_time_and_the_next_waits_its_turn(instance, fakes):
    fakes.openai.fail(Fault("stall_first"))
    answers: list[Answer] = []
    calls = [threading.Thread(target=lambda: answers.append(instance.chat("narrow", "hello"))) for _ in range(2)]
    try:
        for one in calls:
            one.start()
        until(lambda: of(fakes, "one"), "the first call is under way")
        assert not answers and len(of(fakes, "one")) == 1
    finally:
        fakes.openai.release()
        for one in calls:
            one.join()
    assert {one.status for one in answers} == {200} and len(of(fakes, "one")) == 2


def test_where_none_may_wait_the_next_is_refused(instance, fakes):
    fakes.openai.fail(Fault("stall_first"))
    held = threading.Thread(target=instance.chat, args=("alone", "held"))
    held.start()
    try:
        until(lambda: of(fakes, "alone"), "the first call is under way")
        refused = instance.chat("alone", "hello", headers={"x-freehold-priority": "batch"})
        assert (refused.status, refused.headers["x-freehold-error"]) == (503, "FH-AVA-032")
    finally:
        fakes.openai.release()
        held.join()


def test_breakpoints_are_set_where_a_request_is_translated(instance, fakes):
    body = {"model": "marked", "messages": [{"role": "system", "content": "Be brief."}, *ask("hello")]}
    assert instance.ask("/v1/chat/completions", body).status == 200
    sent = fakes.anthropic.last.json
    assert sent["system"][-1]["cache_control"] == {"type": "ephemeral"}
    assert sent["messages"][-1]["content"][-1]["cache_control"] == {"type": "ephemeral"}


def test_the_cheapest_is_asked(instance, fakes):
    for at in range(5):
        assert instance.chat("cheapest", str(at)).headers["x-freehold-target"] == "cheap"
    assert len(of(fakes, "cheap")) == 5
