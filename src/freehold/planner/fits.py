"""The small question alone: does a model fit on these accelerators, and how fast is it there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from freehold.planner.estimate import Estimate, estimate, placed, smallest
from freehold.planner.memory import Room, Serving, kv_bytes, room, token_bytes, weight_bytes
from freehold.planner.ranges import Known
from freehold.planner.regimes import Load, Regime
from freehold.planner.second_opinion import second
from freehold.planner.types import Gpu, Shape

MOST_GPUS = 16


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What a fit is asked for. Empty `gpus`: the fewest that hold it."""

    gpus: tuple[int, ...] = ()
    precisions: tuple[str, ...] = ("bf16", "fp8", "int4")
    kv_precision: str = "bf16"
    input_tokens: float = 1024.0
    output_tokens: float = 256.0
    concurrency: float = 0.0
    ttft_limit: float = 0.0
    tpot_limit: float = 0.0
    second: bool = False
    """Ask the second estimator too, where it is installed."""


class Fit(msgspec.Struct, frozen=True, kw_only=True):
    """One row: a model in one precision on so many of one accelerator."""

    gpu: str
    gpus: int
    precision: str
    fits: bool
    why: str
    weights_bytes: float
    """Of the whole model."""
    kv_tokens: int
    kv_bytes_per_token: float
    """On one accelerator."""
    space: Room
    single: Estimate
    """One request alone."""
    loaded: Estimate
    """As asked, else as many at once as fit."""
    within: Estimate | None
    """The most that keeps the limits; None where none were given."""


def fits(shape: Shape, gpus: Sequence[Gpu], asked: Asked, known: Known | None = None, probes: int = 0) -> Iterator[Fit]:
    """A row for each accelerator, precision and number of them, in this order; what does not fit says why.

    A file's weights have the precision that they have: `precisions` is not looked at. Raises PlanError for numbers
    that make no sense.
    """
    kv_bytes(asked.kv_precision)
    precisions = (shape.native,) if shape.weight_bytes else asked.precisions
    for gpu in gpus:
        for precision in precisions:
            least = (smallest(shape, gpu, precision, asked.kv_precision, MOST_GPUS) or MOST_GPUS,)
            for count in asked.gpus or least:
                one = placed(shape, gpu, count, precision, asked.kv_precision)
                yield _fit(one, asked, known, probes)


def _fit(one: Serving, asked: Asked, known: Known | None, probes: int) -> Fit:
    space = room(one)
    lengths = {"input_tokens": asked.input_tokens, "output_tokens": asked.output_tokens}

    def found(load: Load) -> Estimate:
        alone = estimate(one, load, known, probes)
        other = second(one, load, alone.sequences) if asked.second and alone.output_tokens_per_second else 0.0
        return estimate(one, load, known, probes, other) if other else alone

    regime: Regime = "closed_loop" if asked.concurrency else "offline_max"
    within = None
    if asked.ttft_limit or asked.tpot_limit:
        # The second estimator knows no limits; how many keep them is ours to say.
        limits = Load(regime="server_slo", ttft_limit=asked.ttft_limit, tpot_limit=asked.tpot_limit, **lengths)
        within = estimate(one, limits, known, probes)
    return Fit(
        gpu=one.gpu.name,
        gpus=one.layout.gpus,
        precision=one.precision,
        fits=space.fits,
        why=space.why,
        weights_bytes=weight_bytes(one.shape, one.precision),
        kv_tokens=space.kv_tokens,
        kv_bytes_per_token=token_bytes(one),
        space=space,
        single=found(Load(regime="closed_loop", concurrency=1.0, **lengths)),
        loaded=found(Load(regime=regime, concurrency=asked.concurrency, **lengths)),
        within=within,
    )
