"""How fast a model runs on given hardware: one replica as the simulator takes it, and figures with their ranges."""

from __future__ import annotations

import msgspec

from freehold.planner.constants import constants as committed
from freehold.planner.errors import PlanError
from freehold.planner.memory import LARGEST_BATCH, Layout, Room, Serving, room
from freehold.planner.roofline import Constants, Roofline
from freehold.planner.types import Gpu, Shape


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
    """One replica over `gpus` accelerators of one machine, tensor parallel; latent-attention mixtures with attention
    data parallelism, as their makers advise, so that the cache is not kept on every accelerator.

    Raises PlanError for a number of accelerators or a precision that makes no sense.
    """
    one = Serving(shape, gpu, layout(shape, gpus), precision, kv_precision)
    return Replica(one, committed() if constants is None else constants)


def layout(shape: Shape, gpus: int) -> Layout:
    """How a replica over so many accelerators is spread, where nothing else is said."""
    if gpus < 1 or gpus > 512:
        raise PlanError(f"a replica over {gpus} accelerators makes no sense", param="gpus")
    if shape.latent and shape.experts and gpus > 1:
        return Layout(data=gpus)
    if gpus & (gpus - 1):
        return Layout(pipeline=gpus)
    tensor = min(gpus, 8)
    return Layout(tensor=tensor, pipeline=gpus // tensor)


def smallest(shape: Shape, gpu: Gpu, precision: str, kv_precision: str = "bf16", most: int = 16) -> int:
    """The fewest accelerators, a power of two up to `most`, on which one replica fits; 0 where none does."""
    count = 1
    while count <= most:
        if room(Serving(shape, gpu, layout(shape, count), precision, kv_precision)).fits:
            return count
        count *= 2
    return 0


def with_layout(one: Serving, spread: Layout) -> Serving:
    """The same model, spread otherwise."""
    return msgspec.structs.replace(one, layout=spread)
