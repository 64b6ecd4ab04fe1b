"""The second estimator: a package that need not be there, stood in for by one of the same form."""

from __future__ import annotations

import importlib.util
import sys

import pytest

from freehold.planner.estimate import placed
from freehold.planner.gpus import gpu
from freehold.planner.memory import Layout, Serving
from freehold.planner.regimes import Load
from freehold.planner.second_opinion import installed, second
from freehold.planner.shapes import shape

API = """
ASKED = []
class Result:
    tokens_per_second = 1234.5
def cli_estimate(**asked):
    ASKED.append(asked)
    if asked["tp_size"] == 8 or asked["batch_size"] > 512:
        raise KeyError("no data")
    return Result()
"""
LLAMA = placed(shape("Llama-3.1-8B"), gpu("H100"), 1, "fp8", "fp8")
LOAD = Load(regime="closed_loop", input_tokens=1024, output_tokens=256, concurrency=16)


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package of the same form that writes down what it is asked."""
    for name in [one for one in sys.modules if one.startswith("aiconfigurator")]:
        monkeypatch.delitem(sys.modules, name)
    (tmp_path / "aiconfigurator" / "cli").mkdir(parents=True)
    (tmp_path / "aiconfigurator_core" / "model_configs").mkdir(parents=True)
    for one in ("aiconfigurator", "aiconfigurator/cli", "aiconfigurator_core"):
        (tmp_path / one / "__init__.py").write_text("")
    (tmp_path / "aiconfigurator" / "cli" / "api.py").write_text(API)
    for name in ("meta-llama--Meta-Llama-3.1-8B", "deepseek-ai--DeepSeek-V3", "meta-llama--Meta-Llama-3.1-405B"):
        (tmp_path / "aiconfigurator_core" / "model_configs" / f"{name}_config.json").write_text("{}")
    monkeypatch.syspath_prepend(tmp_path)
    yield lambda: sys.modules["aiconfigurator.cli.api"].ASKED
    for name in [one for one in sys.modules if one.startswith("aiconfigurator")]:
        del sys.modules[name]


def test_it_is_asked_for_the_same_model_card_lengths_and_layout(package):
    assert second(LLAMA, LOAD, 16.0, "vllm") == 1234.5
    (asked,) = package()
    assert (asked["model_path"], asked["system_name"], asked["backend_name"]) == (
        "meta-llama/Meta-Llama-3.1-8B",
        "h100_sxm",
        "vllm",
    )
    assert (asked["isl"], asked["osl"], asked["batch_size"], asked["tp_size"]) == (1024, 256, 16, 1)
    assert (asked["gemm_quant_mode"], asked["kvcache_quant_mode"]) == ("fp8", "fp8")
    assert "moe_tp_size" not in asked


def test_a_mixture_says_how_its_experts_are_spread(package):
    one = Serving(shape("DeepSeek-R1"), gpu("B200"), Layout(data=8), "fp8", "fp8")
    assert second(one, LOAD, 64.0) == 1234.5
    (asked,) = package()
    assert (asked["attention_dp_size"], asked["moe_ep_size"], asked["moe_tp_size"]) == (8, 8, 1)
    assert asked["batch_size"] == 8
    assert asked["moe_quant_mode"] == "fp8_block"


@pytest.mark.parametrize(
    "one",
    [
        placed(shape("Llama-3.1-8B"), gpu("MI300X"), 1, "fp8"),
        placed(shape("Qwen3-8B"), gpu("H100"), 1, "fp8"),  # its configuration does not lie in the package
        placed(shape("Yi-34B"), gpu("H100"), 1, "bf16"),
        placed(shape("Llama-3.1-8B"), gpu("H100"), 1, "Q4_K_M"),
    ],
)
def test_what_it_does_not_know_is_never_asked(package, one):
    assert second(one, LOAD, 16.0) == 0.0
    assert "aiconfigurator.cli.api" not in sys.modules


def test_what_it_fails_at_has_no_second_opinion(package):
    assert second(placed(shape("Llama-3.1-405B"), gpu("H100"), 8, "fp8"), LOAD, 16.0) == 0.0
    assert [one["batch_size"] for one in package()] == [16, 12, 8]


def test_fewer_at_once_are_asked_for_where_its_memory_is_fuller(package):
    assert second(LLAMA, Load(regime="offline_max"), 800.0) == 1234.5
    assert [one["batch_size"] for one in package()] == [800, 600, 400]


@pytest.mark.skipif(importlib.util.find_spec("aiconfigurator") is not None, reason="the extra `second` is installed")
def test_without_the_package_there_is_none():
    assert not installed()
    assert second(LLAMA, LOAD, 16.0) == 0.0
