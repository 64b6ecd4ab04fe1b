"""Calls told to a collector: over HTTP in OTLP's JSON form, once, from where it was told last, without content."""

from __future__ import annotations

import json

import pytest

from freehold.core.db import reading
from freehold.identity.service import KEY_ID
from freehold.ledger.writer import load_once
from freehold.settings.load import parse
from freehold.settings.problems import InvalidConfig
from freehold.telemetry import store
from freehold.telemetry.errors import CollectorFailed
from freehold.telemetry.export import LONGEST_WAIT, Plan, tell
from freehold.telemetry.sending import sender
from tests.fakes.fake_collector import FakeCollector, attributes
from tests.ledger.sample import START, Home, call_id, closed, opened, refused, tried

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7"


@pytest.fixture
def home(tmp_path):
    made = Home(tmp_path / "home")
    made.begin("0a")
    yield made
    made.close()


@pytest.fixture
def collector():
    with FakeCollector() as made:
        yield made


def load(home, *frames):
    home.write("0a", *frames)
    load_once(home.path, home.engine, home.keys, clock=lambda: START + 60)


def run(home, collector, now=START + 60, **changes):
    told = {"conventions": "gen_ai/1.37", "clearance": "internal", **changes}
    plan = Plan(collector.address, told["conventions"], told["clearance"], "id1")
    return tell(home.engine, plan, sender(collector.address, "Bearer c"), lambda: None, lambda: now)


def standing(home, collector):
    with reading(home.engine) as connection:
        return store.standing(connection, collector.address)


def test_a_call_is_a_span_and_each_attempt_one_below_it(home, collector):
    run(home, collector)
    first = tried(target="big", outcome="failed", status=502, error="FH-UP-001")
    load(home, opened(1, trace=TRACE), closed(1, tried=(first, tried(2))))
    assert run(home, collector) == 1
    root, failed, served = collector.spans()
    assert (root["traceId"], root["parentSpanId"]) == tuple(TRACE.split("-"))
    assert [one["parentSpanId"] for one in (failed, served)] == [root["spanId"]] * 2
    assert len({one["spanId"] for one in (root, failed, served)}) == 3
    assert (root["name"], root["kind"], served["name"], served["kind"]) == ("chat assistant", 2, "chat small", 3)
    assert failed["status"] == {"code": 2} and root["status"] == served["status"] == {}
    about = attributes(served)
    assert about["gen_ai.operation.name"] == "chat" and about["gen_ai.provider.name"] == "small"
    assert (about["gen_ai.usage.input_tokens"], about["gen_ai.usage.output_tokens"]) == ("1000", "100")
    assert about["freehold.cost_usd"] == 0.001
    assert attributes(failed)["error.type"] == "FH-UP-001"
    path, head = collector.heads[-1]
    assert (path, head["authorization"]) == ("/v1/traces", "Bearer c")


def test_the_words_follow_the_version_that_is_asked_for(home, collector):
    run(home, collector)
    load(home, opened(1), closed(1))
    run(home, collector, conventions="gen_ai/1.36")
    about = attributes(collector.spans()[1])
    assert about["gen_ai.system"] == "small" and "gen_ai.provider.name" not in about
    (scope,) = collector.bodies[0]["resourceSpans"][0]["scopeSpans"]
    assert scope["schemaUrl"].endswith("/1.36.0")
    assert collector.spans()[0]["traceId"] == call_id(1).hex()


def test_it_hears_of_each_call_once_and_of_none_from_before(home, collector):
    load(home, opened(1), closed(1))
    assert run(home, collector) == 0
    load(home, opened(2), closed(2))
    assert (run(home, collector), run(home, collector)) == (1, 0)
    assert {attributes(one).get("freehold.call") for one in collector.spans()} - {None} == {f"call_{call_id(2).hex()}"}


def test_a_collector_that_is_away_is_asked_later_and_later_and_then_hears_all(home, collector):
    run(home, collector)
    collector.status = 503
    load(home, opened(1), closed(1))
    now, waits = START + 60, []
    for _ in range(12):
        assert run(home, collector, now) == 0
        waits.append(standing(home, collector).retry_at - now)
        asked = len(collector.heads)
        assert run(home, collector, now + waits[-1] - 0.5) == 0
        assert len(collector.heads) == asked, "not before its time"
        now += waits[-1]
    assert waits == sorted(waits) and waits[-1] == LONGEST_WAIT
    assert "503" in standing(home, collector).error
    collector.status = 200
    assert run(home, collector, now) == 1
    assert (standing(home, collector).error, standing(home, collector).failures) == ("", 0)


def test_a_batch_that_is_never_taken_does_not_stop_the_rest(home, collector):
    run(home, collector)
    collector.status = 400
    load(home, opened(1), closed(1))
    run(home, collector)
    assert (standing(home, collector).left_out, "passed over" in standing(home, collector).error) == (1, True)
    collector.status = 200
    load(home, opened(2), closed(2))
    assert run(home, collector) == 1


def test_a_redirect_is_not_followed(collector):
    collector.status = 307
    with pytest.raises(CollectorFailed, match="307"):
        sender(collector.address, "")(b"{}")
    assert len(collector.heads) == 1


def test_it_hears_only_of_calls_it_is_cleared_for_and_never_of_callers_words(home, collector):
    run(home, collector)
    secret = opened(1, label="restricted:HIPAA", workflow="hush", subject="zoe")
    plain = opened(2, workflow="hush", subject="zoe", key_id=KEY_ID)
    unknown = refused(4, route="made-up", label="")
    load(home, secret, closed(1), plain, closed(2), refused(3, route="made-up", label="internal"), unknown)
    assert run(home, collector) == 2
    assert standing(home, collector).left_out == 2
    told = json.dumps(collector.bodies)
    for word in ("restricted", "hush", "zoe", "made-up", KEY_ID, call_id(1).hex()):
        assert word not in told


@pytest.mark.parametrize(
    "lines",
    [
        'otlp = "http://collector.example:4318"',
        'otlp = "collector:4318"',
        'otlp = "https://collector.example"\n[policy]\nair_gapped = true',
        'otlp = "http://127.0.0.1:4318"\nauthorization = "plain"',
        'conventions = "gen_ai/9"',
    ],
)
def test_unsafe_collectors_are_refused(lines, tmp_path):
    with pytest.raises(InvalidConfig):
        parse(f"[telemetry]\n{lines}\n".encode(), None, {}, str(tmp_path))


def test_a_collector_here_is_taken_even_over_an_air_gap(tmp_path):
    lines = b'[telemetry]\notlp = "http://127.0.0.1:4318"\n[policy]\nair_gapped = true\n'
    assert parse(lines, None, {}, str(tmp_path)).settings.telemetry.otlp == "http://127.0.0.1:4318"
