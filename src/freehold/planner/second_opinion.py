"""A second estimator where its package is installed: AIConfigurator, kernels measured by NVIDIA for its accelerators.

Never needed: without it, and for what it does not know, the answer is 0. It is asked only for models whose
configuration lies in its package, as for others it would go to the network.
"""

from __future__ import annotations

import importlib.util
import logging
import warnings
from pathlib import Path
from typing import Any

from freehold.planner.facts import rows
from freehold.planner.memory import CHUNK, Serving
from freehold.planner.regimes import Load

ENGINES = ("trtllm", "vllm", "sglang")
_GEMM = {"bf16": "bfloat16", "fp8": "fp8", "int8": "int8_wo", "int4": "int4_wo", "fp4": "nvfp4"}
_SHARES = (1.0, 0.75, 0.5)
"""Of the sequences that fit by our reckoning; its own of the memory is more careful."""
_LONGEST = 1024
"""Requests at once in one rank that its tables reach to."""


def installed() -> bool:
    """True where the package is there (extra `second`)."""
    return importlib.util.find_spec("aiconfigurator") is not None


def second(one: Serving, load: Load, sequences: float, engine: str = "trtllm") -> float:
    """Its output tokens a second of a replica with so many sequences at once; 0 where it does not answer."""
    if not installed() or engine not in ENGINES or one.precision not in _GEMM or load.regime == "static_batch":
        return 0.0
    model, system = _theirs("model", one.shape.name), _theirs("gpu", one.gpu.name)
    if not model or not system or not _bundled(model):
        return 0.0
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for share in _SHARES:
                rate = _asked(model, system, engine, _arguments(one, load, sequences * share))
                if 0.0 < rate < 1e9:
                    return rate
    finally:
        logging.disable(before)
    return 0.0


def _asked(model: str, system: str, engine: str, asked: dict[str, Any]) -> float:
    try:
        from aiconfigurator.cli.api import cli_estimate

        return float(cli_estimate(model_path=model, system_name=system, backend_name=engine, **asked).tokens_per_second)
    except Exception:  # noqa: BLE001  # a third party's code, which raises what it likes for what it does not know
        return 0.0


def _arguments(one: Serving, load: Load, sequences: float) -> dict[str, Any]:
    layout = one.layout
    kept = _GEMM[one.precision]
    found: dict[str, Any] = {
        "database_mode": "HYBRID",
        "isl": max(int(load.input_tokens), 1),
        "osl": max(int(load.output_tokens), 2),
        "ctx_tokens": max(int(load.input_tokens), CHUNK),
        "batch_size": min(max(int(sequences / layout.data), 1), _LONGEST),
        "tp_size": layout.tensor,
        "pp_size": layout.pipeline,
        "attention_dp_size": layout.data,
        "gemm_quant_mode": kept,
        "kvcache_quant_mode": "fp8" if one.kv_precision == "fp8" else "bfloat16",
    }
    if one.shape.experts:
        apart = layout.data > 1
        found["moe_tp_size"] = 1 if apart else layout.tensor
        found["moe_ep_size"] = layout.tensor * layout.data if apart else 1
        found["moe_quant_mode"] = "fp8_block" if one.precision == "fp8" and one.shape.latent else kept
        if one.shape.native == "fp4" and one.precision == "fp4":
            found["gemm_quant_mode"], found["moe_quant_mode"] = "bfloat16", "w4a16_mxfp4"
        if one.precision == "int8":
            found["moe_quant_mode"] = "fp8"
    return found


def _theirs(kind: str, ours: str) -> str:
    return next((row["theirs"] for row in rows("second") if row["kind"] == kind and row["ours"] == ours), "")


def _bundled(model: str) -> bool:
    found = importlib.util.find_spec("aiconfigurator_core")
    if found is None or not found.submodule_search_locations:
        return False
    folder = Path(next(iter(found.submodule_search_locations))) / "model_configs"
    return (folder / f"{model.replace('/', '--')}_config.json").is_file()
