"""`freehold probe` against a fake endpoint: what is asked, what is measured, what is re-fitted, what is refused."""

from __future__ import annotations

import json

import pytest

from freehold.cli.measuring import Ask, Found, Sample, load
from freehold.cli.probe import summed
from freehold.core.errors import BadRequest, Unavailable
from tests.fakes.fake_openai import FakeOpenAi


@pytest.fixture
def vendor():
    with FakeOpenAi() as one:
        yield one


def asked(vendor, *more):
    base = (
        "probe",
        f"{vendor.base_url}/v1",
        "--model",
        "gpt-fake",
        "--shape",
        "Llama-3.1-8B",
        "--gpu",
        "H100",
        "--input",
        "32",
    )
    return (*base, "--output", "16", "--key", "${env:PROBE_KEY}", "--requests", "4", *more)


def test_two_points_are_measured_and_the_estimates_moved_towards_them(cli, vendor, monkeypatch, tmp_path):
    monkeypatch.setenv("PROBE_KEY", vendor.key)
    told = cli(*asked(vendor, "--at", "1", "--at", "2", "--out", "probe.json", "--json"))
    assert told.code == 0, told.err
    found = told.json
    assert [one["concurrency"] for one in found["measured"]] == [1, 2]
    assert all(one["requests"] == 4 and not one["failed"] for one in found["measured"])
    for row in found["points"]:
        rate, before, after = (float(row[name].replace(",", "")) for name in ("rate", "foretold", "now"))
        assert abs(after - rate) < abs(before - rate)
    assert vendor.key not in told.out + told.err + (tmp_path / "probe.json").read_text()

    plain = cli("fit", "Llama-3.1-8B", "--gpu", "H100", "--precision", "bf16", "--json").json["fits"][0]
    probed = cli("fit", "Llama-3.1-8B", "--gpu", "H100", "--precision", "bf16", "--probe", "probe.json", "--json")
    one = probed.json["fits"][0]["loaded"]
    assert one["probes"] == 2
    assert one["output_tokens_per_second"]["p50"] != plain["loaded"]["output_tokens_per_second"]["p50"]


def test_prompts_are_all_different_and_streams_ask_for_usage(cli, vendor, monkeypatch):
    monkeypatch.setenv("PROBE_KEY", vendor.key)
    assert cli(*asked(vendor, "--at", "2")).code == 0
    bodies = [json.loads(one.body) for one in vendor.requests]
    assert len({one["messages"][0]["content"] for one in bodies}) == len(bodies) == 4
    assert all(one["stream"] and one["stream_options"]["include_usage"] and one["max_tokens"] == 16 for one in bodies)


def test_an_endpoint_that_refuses_ends_it_with_its_words(cli, vendor, monkeypatch):
    monkeypatch.setenv("PROBE_KEY", "sk-other")
    told = cli(*asked(vendor, "--at", "1"))
    assert told.code == 1
    assert "status 401" in told.err
    assert "sk-other" not in told.err


def test_keys_are_references(cli, vendor):
    told = cli(
        "probe",
        f"{vendor.base_url}/v1",
        "--model",
        "m",
        "--shape",
        "Llama-3.1-8B",
        "--gpu",
        "H100",
        "--key",
        "sk-plain",
    )
    assert told.code == 1
    assert "by reference" in told.err
    assert "sk-plain" not in told.err
    assert not vendor.requests


def test_three_points_and_no_address_are_refused(cli, vendor):
    assert cli(*asked(vendor), *[word for at in "123" for word in ("--at", at)]).code == 1
    with pytest.raises(BadRequest):
        load(Ask(url="ftp://x", model="m"), 1, 1, lambda done: None)
    with pytest.raises(BadRequest):
        load(Ask(url="http://x:notaport", model="m"), 1, 1, lambda done: None)


def test_nobody_at_home_is_said():
    with pytest.raises(Unavailable):
        load(Ask(url="http://127.0.0.1:9/v1", model="m"), 1, 2, lambda done: None)


def test_the_rate_counts_only_while_all_streams_were_busy():
    """Two streams, five answers of 10 tokens in a second each: the last one ran alone for a second."""
    samples = tuple(
        Sample(begun=begun, ended=begun + 1.0, first=begun + 0.1, input_tokens=5, output_tokens=10)
        for begun in (0.0, 0.0, 1.0, 1.0, 2.0)
    )
    found = summed(Found(samples, 1, "x"), 2)
    assert found.output_tokens_per_second == pytest.approx(20.0)
    assert found.ttft_seconds == pytest.approx(0.1)
    assert found.tpot_seconds == pytest.approx(0.1)
    assert (found.requests, found.failed) == (5, 1)
