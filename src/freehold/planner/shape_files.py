"""A model's shape from its own files: config.json, and the headers of safetensors and GGUF weights.

Only headers are read, and what they claim is bounded; a file that is no model ends with its name and the field.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from freehold.planner.errors import UnknownShape
from freehold.planner.types import Shape

_LONGEST = 100 * 2**20
_TYPE_BITS = {"F64": 64, "I64": 64, "F32": 32, "I32": 32, "U32": 32, "F16": 16, "BF16": 16, "I16": 16, "I8": 8, "U8": 8,
              "F8_E4M3": 8, "F8_E5M2": 8, "F8_E8M0": 8, "BOOL": 8, "F4": 4}  # fmt: skip
_FULL = ("full_attention", "attention", "global", "global_attention")
_WINDOWED = ("sliding_attention", "local", "local_attention", "chunked_attention", "sliding_window")

_QUANTISED = (
    ("mxfp4", "fp4"),
    ("nvfp4", "fp4"),
    ("fp8", "fp8"),
    ("float8", "fp8"),
    ("awq", "int4"),
    ("gptq", "int4"),
    ('"bits": 4', "int4"),
    ('"num_bits": 4', "int4"),
    ("int8", "int8"),
)


class Weights(msgspec.Struct, frozen=True):
    """What headers say of weights."""

    count: float
    """Elements, as stored: two 4-bit ones that share a byte count once."""
    size: float
    """Bytes."""


def read(path: Path) -> Shape:
    """The shape of what lies there. Raises UnknownShape naming file and field."""
    if path.is_dir():
        return _folder(path)
    if path.suffix == ".gguf":
        from freehold.planner.shape_gguf import read_gguf

        return read_gguf(path)
    if path.suffix == ".safetensors":
        beside = path.parent / "config.json"
        if not beside.is_file():
            raise UnknownShape(f"{path}: weights alone do not say a shape; config.json must lie beside", param="model")
        return _weighed(from_config(_json(beside), beside), safetensors([path]))
    return from_config(_json(path), path)


def _folder(path: Path) -> Shape:
    config = path / "config.json"
    if not config.is_file():
        found = sorted(path.glob("*.gguf"))
        if len(found) == 1:
            return read(found[0])
        raise UnknownShape(f"{path}: no config.json in it", param="model")
    made = from_config(_json(config), config)
    files = sorted(path.glob("*.safetensors"))
    return _weighed(made, safetensors(files)) if files else made


def _weighed(made: Shape, weights: Weights) -> Shape:
    """With its exact bytes; a config's own count of parameters stands where elements are packed."""
    near = 0.97 < weights.count / max(made.parameters, 1.0) < 1.03
    parameters = weights.count if near else made.parameters
    return msgspec.structs.replace(
        made, parameters=parameters, active=min(made.active, parameters), weight_bytes=weights.size
    )


def _json(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > _LONGEST:
            raise UnknownShape(f"{path}: too large for a config.json", param="model")
        found = json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError:
        raise UnknownShape(f"{path}: no config.json, .gguf or .safetensors", param="model") from None
    except (OSError, ValueError, RecursionError) as error:
        raise UnknownShape(f"{path}: {error}", param="model") from None
    if not isinstance(found, dict):
        raise UnknownShape(f"{path}: no JSON object", param="model")
    return found


class Config:
    """A config.json whose fields are asked for by name; wrong ones are named with their file."""

    def __init__(self, found: Mapping[str, Any], path: Path) -> None:
        inner = found.get("text_config") or found.get("llm_config") or found.get("language_config")
        self.found = {**found, **inner} if isinstance(inner, Mapping) else dict(found)
        self.path = path

    def number(self, *names: str, default: float | None = None) -> float:
        """The first of these fields that is there, as a number that is not negative."""
        for name in names:
            value = self.found.get(name)
            if value is None:
                continue
            good = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
            if not good or value < 0 or value > 1e13:
                raise UnknownShape(f"{self.path}: {name} is {str(value)[:40]!r}, no count", param=name)
            return float(value)
        if default is None:
            raise UnknownShape(f"{self.path}: no {names[0]}: not a language model's config", param=names[0])
        return default

    def least(self, *names: str) -> float:
        """The same, at least 1."""
        value = self.number(*names)
        if value < 1:
            raise UnknownShape(f"{self.path}: {names[0]} is {value:g}", param=names[0])
        return value


def from_config(found: Mapping[str, Any], path: Path) -> Shape:
    """A shape from the fields that transformers' configurations have. Raises UnknownShape naming the field."""
    config = Config(found, path)
    layers = int(config.least("num_hidden_layers", "n_layer", "n_layers", "num_layers"))
    hidden = config.least("hidden_size", "n_embd", "d_model")
    heads = config.least("num_attention_heads", "n_head", "n_heads")
    multi = 1.0 if config.found.get("multi_query") else heads
    kv_heads = config.number("num_key_value_heads", "num_kv_heads", "n_head_kv", default=multi) or heads
    size = config.number("head_dim", default=hidden / heads) or hidden / heads
    vocab = config.number("vocab_size", default=32000.0)
    rank, rope = config.number("kv_lora_rank", default=0.0), config.number("qk_rope_head_dim", default=0.0)
    whole, windowed, linear = kinds(config, layers)
    window = config.number("sliding_window", "attention_chunk_size", default=0.0) if windowed else 0.0
    each = (rank + rope) * 2.0 if rank else 2.0 * kv_heads * size * 2.0
    flops = 2.0 * heads * (2.0 * rank + rope) if rank else 4.0 * heads * size
    total, experts, count, chosen = _parameters(config, layers, (hidden, heads, kv_heads, size, vocab))
    tied = bool(config.found.get("tie_word_embeddings", False))
    return Shape(
        name=str(config.found.get("_name_or_path") or path.resolve().parent.name),
        layers=layers,
        hidden=int(hidden),
        parameters=total,
        active=total - experts * (1.0 - chosen / count) if count else total,
        kv_bytes_per_token=whole * each,
        source=str(path),
        kv_window_bytes_per_token=windowed * each,
        window=int(window),
        state_bytes=linear * _state(config),
        kv_heads=int(kv_heads),
        latent=bool(rank),
        attention_flops=whole * flops,
        experts=int(count),
        experts_per_token=int(chosen),
        expert_parameters=experts,
        embedding=vocab * hidden * (1.0 if tied else 2.0),
        context=int(config.number("max_position_embeddings", "n_positions", "max_seq_len", default=0.0)),
        native=_native(config),
    )


def kinds(config: Config, layers: int) -> tuple[int, int, int]:
    """Layers that see the whole context, those with a window, and recurrent ones."""
    told = config.found.get("layer_types") or config.found.get("layers_block_type")
    if isinstance(told, list) and told:
        whole = sum(one in _FULL for one in told)
        windowed = sum(one in _WINDOWED for one in told)
        return whole, windowed, max(layers - whole - windowed, 0)
    every = int(config.number("full_attention_interval", default=0.0))
    if every > 1 and config.number("linear_num_value_heads", default=0.0):
        return layers // every, 0, layers - layers // every
    period = int(config.number("attn_layer_period", default=0.0))
    if period > 1:
        whole = len(
            [one for one in range(layers) if one % period == int(config.number("attn_layer_offset", default=0))]
        )
        return whole, 0, layers - whole
    if not config.number("sliding_window", default=0.0) or config.found.get("use_sliding_window") is False:
        return layers, 0, 0
    pattern = int(config.number("sliding_window_pattern", default=0.0))
    family = str(config.found.get("model_type", ""))
    if not pattern and family == "gemma2":
        pattern = 2
    if pattern > 1:
        return layers // pattern, layers - layers // pattern, 0
    # A window over all layers is what early Mistral had; where a family is not known, the whole cache is counted.
    return (0, layers, 0) if family == "mistral" else (layers, 0, 0)


def _state(config: Config) -> float:
    """Bytes of one recurrent layer's state for one sequence, in float32 as engines keep it."""
    heads = config.number("linear_num_value_heads", default=0.0)
    if heads:
        width = config.number("linear_value_head_dim", default=128.0)
        return heads * width * config.number("linear_key_head_dim", default=128.0) * 4.0
    inner = config.number("hidden_size", default=0.0) * config.number("mamba_expand", default=2.0)
    return inner * config.number("mamba_d_state", "ssm_state_size", "state_size", default=16.0) * 4.0


def _parameters(
    config: Config, layers: int, sizes: tuple[float, float, float, float, float]
) -> tuple[float, float, float, float]:
    """In total and in routed experts; how many experts a layer has, and how many a token goes through."""
    hidden, heads, kv_heads, size, vocab = sizes
    rank = config.number("kv_lora_rank", default=0.0)
    if rank:
        rope, plain = config.number("qk_rope_head_dim", default=64.0), config.number("qk_nope_head_dim", default=128.0)
        query = config.number("q_lora_rank", default=0.0)
        asks = hidden * query + query * heads * (plain + rope) if query else hidden * heads * (plain + rope)
        value = config.number("v_head_dim", default=plain)
        attention = asks + hidden * (rank + rope) + rank * heads * (plain + value) + heads * value * hidden
    else:
        attention = hidden * size * (2.0 * heads + 2.0 * kv_heads)
    names = ("num_local_experts", "num_experts", "n_routed_experts", "moe_num_experts", "num_moe_experts")
    count = config.number(*names, default=0.0)
    inner = config.number("intermediate_size", "ffn_hidden_size", "n_inner", "d_ff", default=4.0 * hidden) or 4 * hidden
    gated = 2.0 if str(config.found.get("model_type", "")) in {"gpt2", "falcon", "opt", "gptj", "gpt_neox"} else 3.0
    tied = 1.0 if config.found.get("tie_word_embeddings") else 2.0
    fixed = attention * layers + vocab * hidden * tied
    if count < 2.0:
        return fixed + gated * hidden * inner * layers, 0.0, 0.0, 0.0
    names = ("num_experts_per_tok", "num_experts_per_token", "moe_top_k", "moe_topk", "experts_per_token")
    chosen = config.number(*names, default=2.0)
    each = 3.0 * hidden * config.number("moe_intermediate_size", "expert_ffn_hidden_size", default=inner)
    plain_layers = config.number("first_k_dense_replace", default=0.0)
    every = max(
        config.number("interleave_moe_layer_step", "expert_layer_period", "decoder_sparse_step", default=1), 1.0
    )
    mixed = min(math.floor((layers - plain_layers) / every), layers)
    shared = config.number("n_shared_experts", default=0.0) * each
    shared += 3.0 * hidden * config.number("shared_expert_intermediate_size", default=0.0)
    dense = gated * hidden * config.number("intermediate_size_mlp", default=inner) * (layers - mixed)
    routed = each * count * mixed
    return fixed + dense + routed + (shared + hidden * count) * mixed, routed, count, chosen


def _native(config: Config) -> str:
    quantised = config.found.get("quantization_config")
    if not isinstance(quantised, Mapping):
        return "bf16"
    told = json.dumps(quantised).casefold()
    for mark, name in _QUANTISED:
        if mark in told:
            return name
    return "int8" if '"bits": 8' in told or '"num_bits": 8' in told else "bf16"


def safetensors(paths: list[Path]) -> Weights:
    """Elements and bytes of weights, from the headers alone. Raises UnknownShape for what is none."""
    count, size = 0.0, 0.0
    for path in paths:
        for name, one in _header(path).items():
            if name == "__metadata__":
                continue
            try:
                elements = math.prod(int(side) for side in one["shape"])
                begin, end = (int(place) for place in one["data_offsets"])
                bits = _TYPE_BITS.get(str(one["dtype"]), 0)
            except (KeyError, TypeError, ValueError):
                raise UnknownShape(f"{path}: tensor {name[:60]!r} has no shape", param="model") from None
            if elements < 0 or end < begin or (bits and abs(elements * bits / 8 - (end - begin)) > 1):
                raise UnknownShape(f"{path}: tensor {name[:60]!r} is not as long as its shape says", param="model")
            count, size = count + elements, size + end - begin
    return Weights(count, size)


def _header(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if not 2 <= length <= min(_LONGEST, max(path.stat().st_size - 8, 0)):
                raise UnknownShape(f"{path}: no safetensors file: its header is {length} bytes", param="model")
            found = json.loads(file.read(length))
    except (OSError, ValueError, RecursionError) as error:
        raise UnknownShape(f"{path}: no safetensors file: {error}", param="model") from None
    if not isinstance(found, dict):
        raise UnknownShape(f"{path}: no safetensors file: its header is no object", param="model")
    return found
