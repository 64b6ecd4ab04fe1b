"""`freehold fit`: tables, JSON and what is refused; nothing is fetched and nothing runs."""

from __future__ import annotations

import importlib.util
import json

import pytest


def test_a_public_model_is_looked_up_offline(cli):
    told = cli("fit", "meta-llama/Llama-3.3-70B-Instruct", "--gpu", "H100", "--gpu", "MI300X", "--precision", "bf16")
    assert told.code == 0
    lines = told.out.splitlines()
    assert lines[1].split()[:4] == ["H100", "2", "bf16", "yes"]
    assert lines[2].split()[:4] == ["MI300X", "1", "bf16", "yes"]
    assert "roofline fitted to" in told.err


def test_what_does_not_fit_says_no_and_why(cli):
    told = cli("fit", "Llama-3.3-70B", "--gpu", "L4", "--gpus", "1", "--precision", "fp8")
    assert told.code == 0
    assert "NO" in told.out
    assert "GiB on each accelerator" in told.err


def test_json_carries_ranges_with_source_and_date(cli):
    told = cli("fit", "Llama-3.1-8B", "--gpu", "H100", "--precision", "fp8", "--concurrency", "8", "--json")
    (row,) = told.json["fits"]
    rate = row["loaded"]["output_tokens_per_second"]
    assert rate["p10"] < rate["p50"] < rate["p90"]
    assert rate["source"] and rate["as_of"]
    assert row["loaded"]["sequences"] == 8
    assert row["space"]["memory"] > row["space"]["weights"]


def test_limits_leave_less_than_everything_at_once(cli):
    def rate(*more):
        (row,) = cli("fit", "Llama-3.1-8B", "--gpu", "H100", "--precision", "fp8", "--json", *more).json["fits"]
        return (row["within"] or row["loaded"])["output_tokens_per_second"]["p50"]

    assert rate("--ttft", "1", "--tpot", "0.02") < rate()


def test_a_models_own_files_are_read(cli, tmp_path):
    config = {"num_hidden_layers": 4, "hidden_size": 512, "num_attention_heads": 8, "vocab_size": 1000}
    (tmp_path / "config.json").write_text(json.dumps({**config, "intermediate_size": 2048}))
    told = cli("fit", str(tmp_path), "--gpu", "T4", "--json")
    assert told.json["model"]["layers"] == 4
    assert all(one["fits"] for one in told.json["fits"])


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("fit", "unheard-of"), "FH-PLN-004", "unheard-of"),
        (("fit", "Llama-3.1-8B", "--gpu", "abacus"), "FH-PLN-003", "abacus"),
        (("fit", "Llama-3.1-8B", "--precision", "fp3"), "FH-PLN-001", "fp3"),
        (("fit", "Llama-3.1-8B", "--kv-precision", "int2"), "FH-PLN-001", "int2"),
    ],
)
def test_what_cannot_be_is_refused_by_name(cli, arguments, code, words):
    told = cli(*arguments, "--json")
    assert told.code == 1
    error = json.loads(told.err)["error"]
    assert error["code"] == code
    assert words in error["message"]


def test_numbers_that_make_no_sense_are_a_usage_error(cli):
    assert cli("fit", "Llama-3.1-8B", "--gpus", "0").code == 2
    assert cli("fit", "Llama-3.1-8B", "--input", "-5").code == 2


@pytest.mark.skipif(importlib.util.find_spec("aiconfigurator") is not None, reason="the extra `second` is installed")
def test_a_second_estimator_that_is_not_there_is_said(cli):
    told = cli("fit", "Llama-3.1-8B", "--second")
    assert told.code == 1
    assert "extra `second`" in told.err
