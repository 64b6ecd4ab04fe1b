"""How fast a model runs on given hardware: one replica as the simulator takes it, and figures with their ranges."""

from __future__ import annotations

import math

import msgspec

from freehold.planner.constants import fitted
from freehold.planner.errors import PlanError
from freehold.planner.memory import LARGEST_BATCH, Layout, Room, Serving, form, kv_bytes, room
from freehold.planner.ranges import Known, spread
from freehold.planner.regimes import Load, reached
from freehold.planner.roofline import Constants, Roofline
from freehold.planner.types import Gpu, Range, Shape

OURS = 2.0 / 3.0
"""Weight of our estimate beside a second one, which is off by half as much again on the points that it answers."""
AGREED = 0.9
"""What agreement of the two leaves of the range."""
FIRST = 0.8
"""Least half-width of the first token's range: endpoints differ in more than their accelerators (four of five closed
loops of the points lie within it)."""


class Estimate(msgspec.Struct, frozen=True, kw_only=True):
    """What one replica is expected to reach under one load; P10 to P90 covers four of five tables not seen before."""

    fits: bool
    why: str = ""
    """What stands in the way, where it does not fit or no load keeps the limits."""
    output_tokens_per_second: Range | None = None
    ttft_seconds: Range | None = None
    tpot_seconds: Range | None = None
    sequences: float = 0.0
    """At once."""
    probes: int = 0
    confidence: str = ""
    """`high`, `fair` or `low`, by the width of the range."""


class Replica:
    """One replica of one model on one machine; a `Speed`. Where it does not fit, `kv_tokens` is 0 and `why` says so."""

    def __init__(self, one: Serving, known: Constants) -> None:
        self.serving = one
        self.room: Room = room(one)
        self.roofline = Roofline(one, known)
        self.gpus = one.layout.gpus
        self.kv_tokens = self.room.kv_tokens
        self.max_batch = max(min(self.room.sequences, LARGEST_BATCH * one.layout.data), 0)
        self.why = self.room.why

    def step_seconds(self, prefill_tokens: int, decoding: int, context_tokens: int) -> float:
        """One scheduler step, in seconds. The prompt's own attention is counted as of one chunk that is half done."""
        return self.roofline.step(prefill_tokens, decoding, context_tokens, prefill_tokens / 2.0)


def replica(
    shape: Shape,
    gpu: Gpu,
    gpus: int,
    precision: str,
    kv_precision: str = "bf16",
    constants: Constants | None = None,
) -> Replica:
    """One replica over `gpus` accelerators of one machine, spread as `placed` says.

    Raises PlanError for a number of accelerators or a precision that makes no sense.
    """
    one = placed(shape, gpu, gpus, precision, kv_precision)
    return Replica(one, fitted().known.constants if constants is None else constants)


def placed(shape: Shape, gpu: Gpu, gpus: int, precision: str, kv_precision: str = "bf16") -> Serving:
    """How a replica over so many accelerators is spread, where nothing else is said: tensor parallel within eight,
    pipelines of these beyond; mixtures with latent attention by attention data parallelism where that fits, as their
    makers advise, so that the cache is not kept on every accelerator.

    Raises PlanError for a number of accelerators or a precision that makes no sense.
    """
    form(precision)
    kv_bytes(kv_precision)
    if gpus < 1 or gpus > 512:
        raise PlanError(f"a replica over {gpus} accelerators makes no sense", param="gpus")
    if shape.latent and shape.experts and gpus > 1:
        apart = Serving(shape, gpu, Layout(data=gpus), precision, kv_precision)
        if room(apart).fits:
            return apart
    tensor = next(size for size in (8, 4, 2, 1) if gpus % size == 0)
    return Serving(shape, gpu, Layout(tensor=tensor, pipeline=gpus // tensor), precision, kv_precision)


def smallest(shape: Shape, gpu: Gpu, precision: str, kv_precision: str = "bf16", most: int = 16) -> int:
    """The fewest accelerators, a power of two up to `most`, on which one replica fits; 0 where none does."""
    count = 1
    while count <= most:
        if room(placed(shape, gpu, count, precision, kv_precision)).fits:
            return count
        count *= 2
    return 0


def estimate(one: Serving, load: Load, known: Known | None = None, probes: int = 0, second: float = 0.0) -> Estimate:
    """What a replica reaches under a load. `known` after probes is from `refitted`; `second` is another estimator's
    output tokens a second for the same, 0 where there is none: then the weighted geometric mean counts, and the range
    is at least as wide as the two are apart.
    """
    if second < 0.0 or not math.isfinite(second):
        raise PlanError(f"a second estimate of {second} tokens a second makes no sense", param="second")
    book = fitted()
    known = known or book.known
    space = room(one)
    if not space.fits:
        return Estimate(fits=False, why=space.why)
    point = reached(Roofline(one, known.constants), space, load)
    if point is None:
        text = f"{space.kv_tokens} tokens of cache hold no request of {load.input_tokens + load.output_tokens:.0f}"
        return Estimate(fits=True, why=text)
    half = known.half(one, probes)
    rate, shift = point.output_tokens_per_second, 1.0
    if second:
        apart = abs(math.log(second / rate))
        shift = (second / rate) ** (1.0 - OURS)
        half = max(half * AGREED, apart / 2.0)
    word = "high" if half <= 0.2 else "fair" if half <= 0.4 else "low"
    return Estimate(
        fits=True,
        output_tokens_per_second=spread(rate * shift, half, book.source, book.as_of),
        ttft_seconds=spread(point.ttft_seconds / shift, max(half, FIRST), book.source, book.as_of),
        tpot_seconds=spread(point.tpot_seconds / shift, half, book.source, book.as_of),
        sequences=point.sequences,
        probes=probes,
        confidence=word,
    )
