"""Where calls go: fallback, retries, weights, stickiness, load, rest and stalls, and that `explain` says the same."""

from __future__ import annotations

import json
import threading

import openai
import pytest

from tests.e2e.instance import Answer, until
from tests.e2e.sdks import ask, openai_client
from tests.fakes.wire import Fault

FAULTS = {
    "429": Fault("status", status=429),
    "500": Fault("status", status=500),
    "503": Fault("status", status=503),
    "529": Fault("status", status=529),
    "401": Fault("status", status=401),
    "404": Fault("status", status=404),
    "reset": Fault("reset"),
    "inside": Fault("error_inside", after=0),
    "stall": Fault("stall_first"),
    "nojson": Fault("bad_json", after=0),
}
# A target of its own for each test, so that none finds a breaker open that another left.
NAMES = (*FAULTS, "asked", "calm", "late", "cut", "flaky", "left", "right", "busy", "free", "gone")
CONFIG = "\n".join(
    [
        *(f'[targets.t-{one}]\nprovider = "openai"\nmodel = "m-{one}"' for one in NAMES),
        *(f'[routes.r-{one}]\ntargets = ["t-{one}", "claude"]\nfirst_token_seconds = 2' for one in NAMES),
        '[routes.only-late]\ntargets = ["t-late"]',
        '[targets.dead]\nprovider = "dead"\n[providers.dead]\nbase_url = "http://127.0.0.1:9/v1"',
        '[routes.r-dead]\ntargets = ["dead", "t-calm"]',
    ]
    + [
        f"[routes.{name}]\ntargets = [{{ target = 't-{one}', weight = 3 }}, {{ target = 't-{other}', weight = 1 }}]\n{more}"
        for name, one, other, more in (
            ("sticky", "left", "right", ""),
            ("spread", "left", "right", "sticky = false"),
            ("loaded", "busy", "free", "sticky = false\nchoose = 'least_loaded'"),
        )
    ]
)


def target(answer: Answer) -> str:
    assert answer.status == 200, answer.body
    return answer.headers["x-freehold-target"]


def of(fakes, name):
    """Requests that reached the target of that name."""
    return [one for one in fakes.openai.requests if one.json["model"] == f"m-{name}"]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("name", [one for one in FAULTS if one not in {"stall", "nojson"}])
def test_another_target_answers_where_the_first_cannot(instance, fakes, name, stream):
    fakes.openai.always = FAULTS[name]
    got = instance.chat(f"r-{name}", stream=stream)
    assert target(got) == "claude"
    # A kept connection that is reset is replaced once: the vendor may just have closed it.
    assert len(of(fakes, name)) in ({1, 2} if name == "reset" else {1}) and len(fakes.anthropic.requests) == 1
    kept = instance.call(got.call)
    assert [one["target"] for one in kept["attempts"]] == [f"t-{name}", "claude"]
    assert [one["outcome"] == "ok" for one in kept["attempts"]] == [False, True]
    assert float(kept["attempts"][0]["cost"]) == 0 and kept["call"]["target"] == "claude"


def test_a_whole_answer_that_is_no_json_is_no_answer(instance, fakes):
    fakes.openai.always = FAULTS["nojson"]
    assert target(instance.chat("r-nojson")) == "claude"


def test_a_stall_before_the_first_token_is_given_up(instance, fakes):
    fakes.openai.fail(FAULTS["stall"])
    got = instance.chat("r-stall", stream=True)
    assert target(got) == "claude"
    assert instance.call(got.call)["attempts"][0]["outcome"] == "timeout"
    until(of(fakes, "stall")[0].hung_up.is_set, "the first target is hung up on")


def test_an_unreachable_target_is_passed_over(instance, fakes):
    got = instance.chat("r-dead")
    assert target(got) == "t-calm"
    assert [one["outcome"] for one in instance.call(got.call)["attempts"]] == ["unreachable", "ok"]


def test_nothing_is_tried_again_once_the_answer_has_begun(instance, fakes):
    fakes.openai.always = Fault("cut", after=8)
    with openai_client(instance) as client:
        stream = client.chat.completions.create(model="r-cut", messages=ask("hello"), stream=True)
        with pytest.raises(openai.APIError):
            for _ in stream:
                pass
        call = stream.response.headers["x-request-id"]
    assert len(fakes.openai.requests) == 1 and not fakes.anthropic.requests
    kept = instance.call(call)
    assert (kept["call"]["outcome"], kept["call"]["attempts"]) == ("broken", 1)


def test_a_request_at_fault_is_not_tried_elsewhere(instance, fakes):
    fakes.openai.fail(Fault("status", status=400))
    got = instance.chat("r-gone")
    assert got.status == 400 and not fakes.anthropic.requests


def test_a_short_wait_that_is_asked_for_is_kept(instance, fakes):
    fakes.openai.fail(Fault("status", status=429, headers=(("retry-after", "1"),)))
    got = instance.chat("only-late")
    assert target(got) == "t-late"
    first, second = instance.call(got.call)["attempts"]
    assert second["started"] - first["ended"] >= 1.0


def test_a_target_that_asked_for_rest_is_left_alone(instance, fakes):
    fakes.openai.fail(Fault("status", status=429, headers=(("retry-after", "60"),)))
    assert [target(instance.chat("r-asked")) for _ in range(4)] == ["claude"] * 4
    assert len(of(fakes, "asked")) == 1


def test_the_breaker_opens_on_failures_and_closes_after_a_probe(instance, fakes):
    fakes.openai.always = Fault("status", status=500)
    assert [target(instance.chat("r-flaky")) for _ in range(8)] == ["claude"] * 8
    assert len(of(fakes, "flaky")) == 5
    fakes.openai.always = None
    until(lambda: target(instance.chat("r-flaky")) == "t-flaky", "the target is probed after its rest")
    before = len(of(fakes, "flaky"))
    assert [target(instance.chat("r-flaky")) for _ in range(4)] == ["t-flaky"] * 4
    assert len(of(fakes, "flaky")) == before + 4


def test_shares_of_the_traffic_are_the_weights(instance, fakes):
    for at in range(240):
        assert instance.chat("spread", str(at)).status == 200
    left = len(of(fakes, "left"))
    assert len(of(fakes, "right")) == 240 - left
    assert 146 <= left <= 214, "240 throws at 3 to 1, five standard deviations either way"


def test_a_conversation_stays_where_it_began_and_explain_knows_where(instance):
    seen = {}
    for name in (f"conversation-{at}" for at in range(24)):
        went = {target(instance.chat("sticky", headers={"x-freehold-conversation": name})) for _ in range(3)}
        assert len(went) == 1
        (seen[name],) = went
        explained = instance.api(f"/api/routes/sticky/explain?key=default&conversation={name}").json
        assert explained["chosen"] == seen[name]
        assert {one["target"]: one["share"] for one in explained["considered"]} == {"t-left": 0.75, "t-right": 0.25}
    assert set(seen.values()) == {"t-left", "t-right"}
    by_user = target(instance.chat("sticky", user="conversation-3"))
    assert by_user == seen["conversation-3"]


def test_explain_on_the_command_line_sends_nothing(instance, fakes):
    told = instance.freehold("routes", "explain", "sticky", "--label", "internal", "--conversation", "conversation-1")
    assert told["chosen"] in {"t-left", "t-right"} and {one["order"] for one in told["considered"]} == {1, 2}
    nowhere = instance.freehold("routes", "explain", "sticky", "--label", "restricted")
    assert nowhere["chosen"] == "" and not any(one["allowed"] for one in nowhere["considered"])
    assert not fakes.openai.requests and not fakes.anthropic.requests


def test_the_less_loaded_target_is_taken(instance, fakes):
    fakes.openai.fail(Fault("stall_first"))
    held = threading.Thread(target=instance.chat, args=("loaded", "held"))
    held.start()
    try:
        until(lambda: fakes.openai.requests, "the first call is under way")
        stalled = fakes.openai.requests[0].json["model"].removeprefix("m-")
        # A third of the share with one in flight is as loaded as it gets; without any it goes first.
        other = {"busy": "free", "free": "busy"}[stalled]
        assert {target(instance.chat("loaded", str(at))) for at in range(6)} == {f"t-{other}"}
    finally:
        fakes.openai.release()
        held.join()


def test_the_ledger_and_the_headers_agree(instance, fakes):
    fakes.openai.fail(Fault("status", status=500))
    got = instance.chat("r-calm")
    kept = instance.call(got.call)
    assert kept["call"]["target"] == got.headers["x-freehold-target"]
    assert float(kept["call"]["cost"]) == pytest.approx(float(got.headers["x-freehold-cost"]))
    assert json.loads(got.body)["usage"]["completion_tokens"] == kept["attempts"][-1]["usage"]["output"]
