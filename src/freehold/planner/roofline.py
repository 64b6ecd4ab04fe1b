"""How long one step of a serving engine takes: a roofline with few constants, fitted to published points.

`t = max(c, m) + v min(c, m) + communication + overhead`: arithmetic and memory traffic overlap in part (Williams et
al., Roofline, 2009, for the two bounds). Pure; the constants are data, written by `python -m bench.speed_constants`.
"""

from __future__ import annotations

import math

import msgspec

from freehold.planner.memory import Serving, copies, form, kv_bytes, weight_bytes
from freehold.planner.types import Gpu

_WIDER = {"fp4": ("fp4", "fp8", "bf16"), "fp8": ("fp8", "bf16"), "int8": ("int8", "fp8", "bf16"), "bf16": ("bf16",)}

PCIE = 40e9
"""Bytes a second between accelerators without links of their own: PCIe 4 has 32e9, PCIe 5 has 64e9."""
PCIE_SLOWER = 2.5
"""Times the all-reduce of those with links: it goes through the host's memory."""


class Constants(msgspec.Struct, frozen=True, kw_only=True):
    """What the points say about engines. Shares are of the data sheet's peak; times are in seconds."""

    compute: float = 0.6
    """Share of peak arithmetic in bf16, for dense layers."""
    compute_fp8: float = 0.9
    """Times `compute`, for 8-bit arithmetic."""
    compute_fp4: float = 0.65
    """Times `compute`, for 4-bit arithmetic."""
    compute_experts: float = 0.7
    """Times `compute`, for mixtures: many small multiplications."""
    memory: float = 0.7
    """Share of peak bandwidth."""
    memory_experts: float = 0.8
    """Times `memory`, for expert weights."""
    overlap: float = 0.35
    """Of the smaller of the two bounds, what is not hidden behind the larger."""
    reduce_seconds: float = 15e-6
    """One all-reduce, without its bytes."""
    link: float = 0.5
    """Share of the links' peak bandwidth."""
    step_seconds: float = 2e-3
    """Of one step, whatever it does."""
    layer_seconds: float = 10e-6
    """Of one layer in one step: kernels that start, norms, small copies."""
    sequence_seconds: float = 8e-6
    """Of one sequence in one step: scheduling and sampling, by one scheduler whatever the replica's size."""
    amd: float = 0.8
    """Times `compute` and `memory`, for accelerators that are not NVIDIA's."""
    slo_tpot: float = 0.75
    """Share of the limit on time a token that the mean may take, so that the 99th percentile keeps it."""
    slo_ttft: float = 0.5
    """Share of the limit on the first token that a prompt's own work may take, so that its queue keeps it."""
    slo_load: float = 0.95
    """Share of what closed loops reach that random arrivals can be served at."""
    first_seconds: float = 0.07
    """Before a prompt is begun and after its first token is made: the endpoint, its tokenizer and its network."""
    first_queue: float = 0.15
    """Share of the others' prompts in a closed loop that a prompt waits for; from time to first token of points."""
    speed: float = 1.0
    """Of everything: what probes found, beside what the points say."""


class Roofline:
    """One replica's step times. Its attributes are worked out once, a step costs a few microseconds."""

    def __init__(self, one: Serving, constants: Constants) -> None:
        self.one = one
        self.constants = constants
        shape, layout = one.shape, one.layout
        kept = form(one.precision)
        self._routed = shape.expert_parameters * kept.bits / 8.0
        if shape.expert_parameters and shape.weight_bytes:
            self._routed = shape.weight_bytes * shape.expert_parameters / max(shape.parameters, 1.0)
        whole = weight_bytes(shape, one.precision)
        # One row of the embedding is read for a token; half of what is counted as embedding is the head, read whole.
        self._dense = max(whole - self._routed - shape.embedding, 0.1 * (whole - self._routed))
        self._spread = layout.tensor * layout.pipeline
        self._gpus = layout.gpus
        vendor = 1.0 if one.gpu.vendor == "nvidia" else constants.amd
        self._bandwidth = one.gpu.bandwidth * constants.memory * vendor
        mixture = constants.compute_experts if shape.experts else 1.0
        self._flops = peak(one.gpu, kept.arithmetic, constants) * constants.compute * mixture * vendor
        self._cache_flops = peak(one.gpu, "bf16", constants) * constants.compute * vendor
        self._link = (one.gpu.link_bandwidth or PCIE) * constants.link
        self._reduce = constants.reduce_seconds * (1.0 if one.gpu.link_bandwidth else PCIE_SLOWER)

    def step(self, prefill: float, decoding: float, context: float, prefill_context: float = 0.0) -> float:
        """Seconds of one step: `prefill` prompt tokens (each with `prefill_context` tokens before it) and a token for
        each of `decoding` sequences, whose caches hold `context` tokens together.
        """
        shape, known = self.one.shape, self.constants
        tokens = prefill + decoding
        if tokens <= 0.0:
            return 0.0
        seen = context * shape.attention_flops + prefill * prefill_context * shape.attention_flops
        compute = 2.0 * shape.active * tokens / (self._gpus * self._flops) + seen / (self._gpus * self._cache_flops)
        # A pipeline is kept full by as many batches as it has stages: each stage reads its weights for each of them.
        stages = self.one.layout.pipeline
        memory = (stages * self.weights_read(tokens / stages) + self._cache_read(decoding, context)) / self._bandwidth
        bound = max(compute, memory) + known.overlap * min(compute, memory)
        fixed = known.step_seconds * stages + known.layer_seconds * shape.layers + known.sequence_seconds * decoding
        return (bound + self._communication(tokens) + fixed) / known.speed

    def weights_read(self, tokens: float) -> float:
        """Bytes of weights that one accelerator reads in a step of `tokens`; of experts those that are chosen,
        `1 - (1 - k/E)^tokens` of them if all are alike.
        """
        shape, layout = self.one.shape, self.one.layout
        dense = self._dense / self._spread
        if not shape.experts:
            return dense
        missed = math.log1p(-min(shape.experts_per_token / shape.experts, 1.0 - 1e-9))
        touched = -math.expm1(max(tokens, 1.0) * missed)
        return dense + self._routed * touched / (layout.gpus * self.constants.memory_experts)

    def _cache_read(self, decoding: float, context: float) -> float:
        one, shape = self.one, self.one.shape
        if decoding <= 0.0:
            return 0.0
        width = kv_bytes(one.kv_precision) / 2.0
        growing = context * shape.kv_bytes_per_token * width
        windowed = min(context, decoding * shape.window) * shape.kv_window_bytes_per_token * width
        state = 2.0 * decoding * shape.state_bytes
        spread = self._gpus / copies(shape, one.layout)
        return (growing + windowed) / spread + state / self._gpus

    def _communication(self, tokens: float) -> float:
        layout, shape = self.one.layout, self.one.shape
        found = 0.0
        share = tokens / layout.data
        if layout.tensor > 1:
            ring = 2.0 * (layout.tensor - 1) / layout.tensor
            found += 2.0 * shape.layers * (self._reduce * math.log2(layout.tensor) / 3.0 + self._sent(share * ring))
        if layout.data > 1 and shape.experts:
            others = (layout.gpus - 1) * (1.0 - (1.0 - 1.0 / layout.gpus) ** float(shape.experts_per_token))
            # There in 8 bits, back in 16.
            found += 2.0 * shape.layers * (self._reduce + self._sent(share * others * 0.75))
        if layout.pipeline > 1:
            found += (layout.pipeline - 1) * self._reduce
        return found

    def _sent(self, tokens: float) -> float:
        return tokens * self.one.shape.hidden * 2.0 / self._link


def peak(gpu: Gpu, arithmetic: str, constants: Constants) -> float:
    """Operations a second in this precision, or in the next wider that the accelerator has, by what kernels reach."""
    for one in _WIDER[arithmetic]:
        if one in gpu.flops:
            factor = {"bf16": 1.0, "fp4": constants.compute_fp4}.get(one, constants.compute_fp8)
            return gpu.flops[one] * factor * gpu.sustained
    return gpu.flops["bf16"] * gpu.sustained
