"""Speeds and traffic whose queues have a closed form, and a small machine that is quick to simulate."""

from __future__ import annotations

import math

import msgspec
import numpy as np

from freehold.planner.traffic import Arrivals

STEP = 0.001


class Clockwork(msgspec.Struct, frozen=True):
    """Every step takes the same time, whatever is in it: a server for each sequence of the batch."""

    max_batch: int = 1
    gpus: int = 1
    kv_tokens: int = 10**12

    def step_seconds(self, prefill_tokens: int, decoding: int, context_tokens: int) -> float:
        return STEP


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """A step reads the weights and the cache, and computes; roughly an 8B model on one large accelerator."""

    gpus: int = 1
    kv_tokens: int = 400_000
    max_batch: int = 256
    weights: float = 0.005
    per_token: float = 2e-5
    per_context: float = 6e-8

    def step_seconds(self, prefill_tokens: int, decoding: int, context_tokens: int) -> float:
        return self.weights + self.per_token * (prefill_tokens + decoding) + self.per_context * context_tokens


def poisson(rate: float, count: int, outputs: np.ndarray, seed: int) -> Arrivals:
    random = np.random.default_rng(seed)
    t = np.cumsum(random.exponential(1.0 / rate, count))
    zeros = np.zeros(count, dtype=np.int64)
    return Arrivals(
        t=t, input=zeros + 1, output=outputs.astype(np.int64), cached=zeros, workflow=zeros, span_seconds=float(t[-1])
    )


def erlang_c(servers: int, offered: float) -> float:
    """Probability of waiting in M/M/c (A. K. Erlang, 1917); `offered` is the load in servers."""
    terms = [offered**k / math.factorial(k) for k in range(servers)]
    last = offered**servers / math.factorial(servers) * servers / (servers - offered)
    return last / (sum(terms) + last)


def fleet_of(trace: dict[str, list[float]], span: float) -> Arrivals:
    count = len(trace["t"])
    return Arrivals(
        t=np.sort(np.array(trace["t"], dtype=np.float64)),
        input=np.array(trace["input"], dtype=np.int64),
        output=np.array(trace["output"], dtype=np.int64),
        cached=np.zeros(count, dtype=np.int64),
        workflow=np.zeros(count, dtype=np.int64),
        span_seconds=span,
    )
