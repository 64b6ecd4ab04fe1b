"""A changed freehold.toml under traffic: the new routes count at once, a bad file changes nothing, no call fails."""

from __future__ import annotations

import pytest

from tests.e2e.instance import filled, until
from tests.e2e.sdks import ask, openai_client
from tests.e2e.traffic import Traffic, traffic
from tests.fakes.wire import Fault

MAIN = '[routes.main]\ntargets = ["gpt"]\n'
CONFIG = MAIN


def only(flow: Traffic, target: str) -> bool:
    """Have the last calls all gone to `target`?"""
    return {one for _, one in flow.good[-12:]} == {target}


@pytest.fixture
def put(instance, module_vendors):
    """Replaces the configuration; the one it began with stands again afterwards."""
    yield lambda text: instance.write(filled(text, module_vendors, owned=False))
    instance.write(filled(CONFIG, module_vendors, owned=False))
    until(lambda: instance.chat("main").headers.get("x-freehold-target") == "gpt", "the first configuration stands")


def test_new_routes_count_at_once_and_no_call_fails(instance, put):
    with traffic(Traffic(instance)) as flow:
        for target in ("claude", "gpt", "claude"):
            put(f'[routes.main]\ntargets = ["{target}"]\n')
            until(lambda: only(flow, target), f"calls go to {target}", within=60)  # noqa: B023  called at once
    assert not flow.refused and not flow.broken
    versions = {one["call"]["routes_version"] for one in instance.calls()}
    assert len(versions) >= 4


@pytest.mark.parametrize(
    "bad",
    [
        "[routes.main\ntargets = [",
        MAIN + '[routes.other]\ntargets = ["nowhere"]\n',
        MAIN + "[gatewy]\nport = 1\n",
        '[routes.main]\ntargets = ["gpt"]\nattempts = "many"\n',
        '[providers.evil]\nbase_url = "http://169.254.169.254/v1"\n' + MAIN,
    ],
)
def test_a_bad_file_is_told_and_the_old_one_stays(instance, put, bad):
    before = instance.api("/api/status").json["versions"]
    with traffic(Traffic(instance)) as flow:
        put(bad)
        until(lambda: instance.api("/api/status").json["problems"], "the problem is told")
        flow.more(20)
    assert {target for _, target in flow.good} == {"gpt"} and not flow.refused and not flow.broken
    assert instance.api("/api/status").json["versions"] == before
    put(CONFIG)
    until(lambda: not instance.api("/api/status").json["problems"], "the problem is over")


def test_routes_come_and_go(instance, put):
    put(MAIN + '[routes.more]\ntargets = ["claude"]\naliases = ["gpt-4o"]\n')
    until(lambda: instance.chat("gpt-4o").status == 200, "the alias is served")
    assert instance.chat("more").headers["x-freehold-target"] == "claude"
    put(MAIN)
    until(lambda: instance.chat("more").status == 404, "the route is gone")


def test_an_air_gap_closes_at_once(instance, put, fakes):
    put(MAIN + "[policy]\nair_gapped = true\n")
    got = until(lambda: (one := instance.chat("main")).status == 403 and one, "the gap is closed")
    assert "air-gapped" in got.json["error"]["message"]
    before = len(fakes.openai.requests)
    assert instance.chat("main").status == 403 and len(fakes.openai.requests) == before


def test_a_stream_under_way_ends_by_the_routes_it_began_with(instance, put, fakes):
    fakes.openai.fail(Fault("stall_mid", after=6))
    with openai_client(instance) as client:
        stream = client.chat.completions.create(model="main", messages=ask("hello"), stream=True)
        first = next(iter(stream))
        put('[routes.main]\ntargets = ["claude"]\n')
        until(lambda: instance.chat("main").headers["x-freehold-target"] == "claude", "the new routes count")
        fakes.openai.release()
        rest = list(stream)
    assert first.choices and rest[-1].choices[0].finish_reason == "stop"
