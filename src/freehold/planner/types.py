"""The values that a plan's parts hand to each other; all frozen. Money is in US dollars unless a field says otherwise,
time in seconds, memory in bytes.
"""

from __future__ import annotations

from typing import Literal, Protocol

import msgspec

Precision = Literal["bf16", "fp8", "int8", "int4", "fp4"]
OptionKind = Literal["nothing", "closed", "hosted_open", "self_hosted", "hybrid"]
OPTIONS: tuple[OptionKind, ...] = ("nothing", "closed", "hosted_open", "self_hosted", "hybrid")
"""Side by side in every plan; none is ever missing."""
Advice = Literal["stay", "hosted_open", "own", "hybrid", "not_yet"]


class Range(msgspec.Struct, frozen=True):
    """A figure with its uncertainty and where it comes from."""

    p10: float
    p50: float
    p90: float
    source: str = ""
    as_of: str = ""


class Gpu(msgspec.Struct, frozen=True, kw_only=True):
    """One accelerator, by its maker's data sheet. Rates are dense, without sparsity."""

    name: str
    vendor: str
    memory_bytes: float
    bandwidth: float
    """Bytes a second."""
    flops: dict[str, float]
    """Operations a second by precision of the arithmetic; a missing one runs at the next wider."""
    link_bandwidth: float
    """Bytes a second to its peers, one direction; 0 for PCIe alone."""
    tdp_watts: float
    source: str
    as_of: str
    sustained: float = 1.0
    """Share of the arithmetic that its power limit lets it keep up, beside accelerators of servers."""


class Shape(msgspec.Struct, frozen=True, kw_only=True):
    """What of a model decides its memory and speed."""

    name: str
    layers: int
    hidden: int
    parameters: float
    """In total."""
    active: float
    """Used for one token; equal to `parameters` for dense models."""
    kv_bytes_per_token: float
    """Growing with the context, one copy, at 2 bytes an element."""
    source: str = ""
    kv_window_bytes_per_token: float = 0.0
    """Of sliding-window layers, which keep no more than `window` tokens; at 2 bytes an element."""
    window: int = 0
    state_bytes: float = 0.0
    """Of one sequence, whatever its length: recurrent layers."""
    kv_heads: int = 8
    """Tensor parallelism beyond them keeps copies of the cache."""
    latent: bool = False
    """MLA: one latent vector a layer and token, which every tensor-parallel rank keeps whole."""
    attention_flops: float = 0.0
    """Operations for one new token and one token of its context, over all layers that see the whole of it."""
    experts: int = 0
    """Routed ones, in one layer; 0 for dense models."""
    experts_per_token: int = 0
    expert_parameters: float = 0.0
    """Of `parameters`, those in routed experts."""
    embedding: float = 0.0
    """Of `parameters`, embedding and head, which quantisation leaves at 2 bytes."""
    context: int = 0
    """Longest, as its maker says; 0 where nobody says."""
    native: str = "bf16"
    """Precision that its weights are published in."""
    weight_bytes: float = 0.0
    """Exact, where a file's tensors were read; then it is served at `native`."""


class Speed(Protocol):
    """One replica of one model on one machine: how long its steps take. What the simulator runs on."""

    gpus: int
    """In one replica."""
    kv_tokens: int
    """Tokens of context that fit beside the weights, all sequences together; 0 where the model does not fit."""
    max_batch: int
    """Most sequences at once."""

    def step_seconds(self, prefill_tokens: int, decoding: int, context_tokens: int) -> float:
        """One scheduler step: so many prompt tokens, and one token for each of `decoding` sequences, with
        `context_tokens` of KV cache read by all of them together.
        """


class Slo(msgspec.Struct, frozen=True, kw_only=True):
    """What callers are owed: a share of requests within both limits."""

    ttft_seconds: float = 2.0
    tpot_seconds: float = 0.1
    share: float = 0.99


class Replicas(msgspec.Struct, frozen=True, kw_only=True):
    """How a fleet follows its traffic."""

    kind: Literal["static", "autoscaled", "hybrid"]
    """`hybrid`: a static base, and what does not fit within the SLO goes to an API."""
    least: int = 1
    most: int = 1
    lag_seconds: float = 300.0
    """From the wish for a replica to its first token."""
    spare: int = 1
    """Replicas beyond what the load needs (N+1)."""
    maintenance: float = 0.01
    """Share of time that a replica is away."""


class Served(msgspec.Struct, frozen=True, kw_only=True):
    """What a simulated fleet did with a trace."""

    requests: int
    served: int
    overflowed: int
    unserved: int
    """`served + overflowed + unserved == requests`."""
    ttft: tuple[float, float, float]
    """P50, P95, P99."""
    tpot: tuple[float, float, float]
    attained: float
    """Share of served requests within the SLO."""
    replica_hours: float
    peak_replicas: int
    utilisation: float
    """Busy share of the replicas' time."""
    input_tokens: int
    """Of all requests, as is the next; the overflowed ones' part follows."""
    output_tokens: int
    overflow_input_tokens: int
    overflow_output_tokens: int
    span_seconds: float
    """Of the trace."""
    timeline: tuple[tuple[float, int, float, float], ...] = ()
    """(seconds, replicas, load as a share of capacity, share overflowed), at most 500 points."""


class Fleet(msgspec.Struct, frozen=True, kw_only=True):
    """The smallest fleet that keeps the SLO, and what it does."""

    rule: Replicas
    served: Served
    gpus_per_replica: int
    meets: bool
    """False where no fleet of the allowed size keeps the SLO; `why` says what binds."""
    why: str = ""
