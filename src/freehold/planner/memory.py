"""What of a model lies in each accelerator's memory, and what is left for context.

Counts on the safe side: what is said to fit has room for the weights, the engine and one sequence.
"""

from __future__ import annotations

import math
from functools import cache

import msgspec

from freehold.planner.errors import PlanError
from freehold.planner.facts import rows
from freehold.planner.types import Gpu, Shape

USABLE = 0.92
"""Share of the memory that engines take; they default to 0.9 (vLLM, TensorRT-LLM) and 0.88 or so (SGLang)."""
OVERHEAD = 1.2e9
"""Bytes on each accelerator for contexts, kernels, graphs and communication buffers, besides activations."""
CHUNK = 8192
"""Tokens of one step whose activations must find room."""
LARGEST_BATCH = 2048
_SPELT = {
    "fp16": "bf16",
    "bfloat16": "bf16",
    "float16": "bf16",
    "half": "bf16",
    "fp8_e4m3": "fp8",
    "e4m3": "fp8",
    "fp8-block": "fp8",
    "w8a8": "int8",
    "uint4": "int4",
    "awq": "int4",
    "gptq": "int4",
    "w4a16": "int4",
    "int4-awq": "int4",
    "mxfp4": "fp4",
    "nvfp4": "fp4",
}
"""Other names of formats."""


class Format(msgspec.Struct, frozen=True):
    """How weights are kept: bits an element with its scales, and the arithmetic that they lead to."""

    name: str
    bits: float
    arithmetic: str
    """Precision of the multiplications: that of the weights only where activations are quantised too."""
    source: str
    everything: bool
    """True where embeddings are quantised too, and `bits` is the mean over all: GGUF."""


class Layout(msgspec.Struct, frozen=True):
    """How one replica is spread: tensor x pipeline x data parallel; its product is the number of accelerators.

    `data` is attention data parallelism: each group keeps sequences of its own, experts are spread over all.
    """

    tensor: int = 1
    pipeline: int = 1
    data: int = 1

    @property
    def gpus(self) -> int:
        """In one replica."""
        return self.tensor * self.pipeline * self.data


class Serving(msgspec.Struct, frozen=True):
    """One model as it is served on one replica."""

    shape: Shape
    gpu: Gpu
    layout: Layout = Layout()
    precision: str = "bf16"
    kv_precision: str = "bf16"


class Room(msgspec.Struct, frozen=True):
    """Bytes on the fullest accelerator of a replica, and what they hold."""

    memory: float
    weights: float
    overhead: float
    state: float
    """Of one sequence's recurrent layers."""
    kv_tokens: int
    """Of all sequences of the replica together; 0 where the model does not fit."""
    sequences: int
    """That may run at once, by memory."""
    why: str = ""
    """What stands in the way, where it does not fit."""

    @property
    def fits(self) -> bool:
        """True where weights, engine and at least one short sequence have room."""
        return not self.why


@cache
def formats() -> tuple[Format, ...]:
    """All that are known, in the order of `data/formats.csv`."""
    return tuple(
        Format(row["name"], float(row["bits"]), row["arithmetic"], row["source"], row["everything"] == "1")
        for row in rows("formats")
    )


@cache
def form(name: str) -> Format:
    """A format of weights by name, in any case. Raises PlanError naming those that are known."""
    lower = name.strip().casefold()
    lower = _SPELT.get(lower, lower)
    known = formats()
    for one in known:
        if one.name.casefold() == lower:
            return one
    names = ", ".join(one.name for one in known)
    raise PlanError(f"no precision {name!r}; known are {names}", param="precision")


def weight_bytes(shape: Shape, precision: str) -> float:
    """Bytes of all weights. Those read from a file count exactly; else embeddings, and what is not an expert in
    4-bit mixtures, stay at 2 bytes, as published checkpoints have them.
    """
    if shape.weight_bytes:
        return shape.weight_bytes
    kept = form(precision)
    if kept.everything:
        return shape.parameters * kept.bits / 8.0
    wide = min(shape.embedding, shape.parameters)
    if shape.expert_parameters and kept.bits < 8.0:
        wide = max(shape.parameters - shape.expert_parameters, wide)
    return (shape.parameters - wide) * kept.bits / 8.0 + wide * 2.0


def kv_bytes(precision: str) -> float:
    """Bytes an element of the cache. Raises PlanError for what engines do not keep it in."""
    known = {"bf16": 2.0, "fp16": 2.0, "fp8": 1.0, "int8": 1.0, "q8_0": 1.0625, "fp4": 0.5625, "q4_0": 0.5625}
    if precision.casefold() not in known:
        raise PlanError(f"no cache precision {precision!r}; known are {', '.join(known)}", param="kv_precision")
    return known[precision.casefold()]


def copies(shape: Shape, layout: Layout) -> float:
    """How often each byte of the cache is kept within one tensor-parallel group: heads cannot be split further."""
    if layout.tensor == 1:
        return 1.0
    if shape.latent:
        return float(layout.tensor)
    heads = max(shape.kv_heads, 1)
    return layout.tensor * math.ceil(heads / layout.tensor) / heads


def rank_weights(one: Serving) -> float:
    """Bytes of weights on the fullest accelerator; stages differ by at most one layer, the last has the head."""
    whole, layout, shape = weight_bytes(one.shape, one.precision), one.layout, one.shape
    wide = min(shape.embedding * 2.0, whole)
    layers = (whole - wide) * math.ceil(shape.layers / layout.pipeline) / shape.layers
    edge = wide if layout.pipeline == 1 else wide / 2.0
    experts = 0.0
    if shape.expert_parameters:
        share = shape.expert_parameters / max(shape.parameters - shape.embedding, 1.0)
        experts = layers * min(share, 1.0)
    return experts / (layout.tensor * layout.data) + (layers - experts + edge) / layout.tensor


def activations(shape: Shape) -> float:
    """Bytes of one step's activations on one accelerator: some tens of vectors a token, and logits of the samples."""
    vocab = shape.embedding / max(shape.hidden, 1)
    return CHUNK * shape.hidden * 2.0 * 10.0 + 256.0 * vocab * 4.0


def room(one: Serving) -> Room:
    """What fits. `kv_tokens` is the replica's; with a sliding window long sequences need less than is counted here."""
    shape, layout, memory = one.shape, one.layout, one.gpu.memory_bytes
    weights, overhead = rank_weights(one), OVERHEAD + activations(shape)
    state = shape.state_bytes / (layout.tensor * layout.pipeline)
    left = memory * USABLE - weights - overhead
    each = token_bytes(one)
    shortest = min(1024, shape.context or 1024)
    if left < shortest * each + state:
        need = (weights + overhead + shortest * each + state) / USABLE
        text = f"needs {need / 2**30:.1f} GiB on each accelerator, which has {memory / 2**30:.1f}"
        return Room(memory, weights, overhead, state, 0, 0, text)
    sequences = LARGEST_BATCH * layout.data
    if state:
        sequences = min(sequences, max(int(left * 0.5 / state), 1) * layout.data)
        left -= min(left * 0.5, state * sequences / layout.data)
    growing = max(each, 1e-9)
    return Room(memory, weights, overhead, state, int(left / growing) * layout.data, sequences)


def token_bytes(one: Serving, context: float = 4096.0) -> float:
    """Bytes that one token of context takes on one accelerator, in sequences of `context` tokens."""
    shape, layout = one.shape, one.layout
    window = shape.kv_window_bytes_per_token * min(1.0, shape.window / max(context, 1.0)) if shape.window else 0.0
    whole = (shape.kv_bytes_per_token + window) * kv_bytes(one.kv_precision) / 2.0
    stages = shape.layers / math.ceil(shape.layers / layout.pipeline)
    return whole * copies(shape, layout) / (layout.tensor * stages)
