"""What a replica reaches in steady state: as many sequences as fit, a stated number of them, or an SLO.

Each regime is what published figures are measured in. Throughput is output tokens a second of the whole replica.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import msgspec

from freehold.planner.memory import CHUNK, LARGEST_BATCH, Room
from freehold.planner.roofline import Roofline

Regime = Literal["offline_max", "closed_loop", "static_batch", "server_slo"]


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked of a replica: requests of one length, in one regime."""

    regime: Regime = "offline_max"
    input_tokens: float = 1024.0
    output_tokens: float = 256.0
    concurrency: float = 0.0
    """Sequences in a closed loop or a static batch; 0: as many as fit."""
    ttft_limit: float = 0.0
    """Seconds; 0: none."""
    tpot_limit: float = 0.0


class Reached(msgspec.Struct, frozen=True, kw_only=True):
    """One operating point."""

    output_tokens_per_second: float
    ttft_seconds: float
    tpot_seconds: float
    sequences: float
    """At once, in the mean."""


def reached(speed: Roofline, space: Room, load: Load) -> Reached | None:
    """The operating point; None where the model does not fit, or no load keeps the limits."""
    if not space.fits:
        return None
    most = min(space.sequences, space.kv_tokens / max(load.input_tokens + load.output_tokens / 2.0, 1.0))
    if most < 1.0:
        most = 1.0 if space.kv_tokens >= load.input_tokens + load.output_tokens else 0.0
    if not most:
        return None
    if load.regime == "server_slo":
        return _within(speed, load, most)
    wanted = load.concurrency or LARGEST_BATCH * speed.one.layout.data
    found = _static(speed, load, min(wanted, most)) if load.regime == "static_batch" else None
    return found or steady(speed, load, min(wanted, most), load.concurrency)


def steady(speed: Roofline, load: Load, sequences: float, wanted: float = 0.0) -> Reached:
    """`sequences` at once, each replaced when it ends. Prompts come in chunks that decoding waits beside."""
    chunk = CHUNK * speed.one.layout.data
    ahead = load.input_tokens / max(load.output_tokens, 1.0)
    decoding = min(sequences, chunk / (1.0 + ahead))
    context = decoding * (load.input_tokens + load.output_tokens / 2.0)
    before = load.input_tokens / 2.0
    mean = decoding * ahead
    at_once = max(min(load.input_tokens, chunk - decoding), 1.0)
    share = min(mean / at_once, 1.0)
    mixed = speed.step(max(at_once, mean) if share < 1.0 else mean, decoding, context, before)
    alone = speed.step(0.0, decoding, context) if share < 1.0 else 0.0
    step = share * mixed + (1.0 - share) * alone
    first = mixed * max(load.input_tokens / at_once, 1.0) + 0.5 * step
    # One sequence's prompt is not decoded meanwhile: of few sequences that is a part of each.
    waiting = max(load.output_tokens * step, 1e-9)
    rate = decoding / step * (waiting / (waiting + max(first - mixed, 0.0)))
    known = speed.constants
    others = 0.0
    if load.regime == "closed_loop" and sequences > 1.0:
        # Requests of one length end together, so that their successors' prompts queue for each other.
        tokens = (sequences - 1.0) * load.input_tokens
        alone_first = speed.step(min(tokens, chunk), 0.0, 0.0, before)
        others = known.first_queue * alone_first * max(tokens / chunk, 1.0)
    room_for = max(wanted - sequences, 0.0) * load.output_tokens / max(rate, 1e-9)
    return Reached(
        output_tokens_per_second=rate,
        ttft_seconds=known.first_seconds + first + others + room_for,
        tpot_seconds=step,
        sequences=sequences,
    )


def _static(speed: Roofline, load: Load, batch: float) -> Reached:
    """All prompts first, then all answers together, as benches of a fixed batch do."""
    tokens = batch * load.input_tokens
    chunk = CHUNK * speed.one.layout.data
    chunks = max(tokens / chunk, 1.0)
    first = chunks * speed.step(min(tokens, chunk), 0.0, 0.0, load.input_tokens / 2.0)
    step = speed.step(0.0, batch, batch * (load.input_tokens + load.output_tokens / 2.0))
    whole = first + step * max(load.output_tokens - 1.0, 0.0)
    return Reached(
        output_tokens_per_second=batch * load.output_tokens / whole,
        ttft_seconds=speed.constants.first_seconds + first,
        tpot_seconds=step,
        sequences=batch,
    )


def _within(speed: Roofline, load: Load, most: float) -> Reached | None:
    """Random arrivals, the most of them whose mean keeps a share of each limit."""
    known = speed.constants

    def keeps(point: Reached) -> bool:
        slow = load.tpot_limit and point.tpot_seconds > load.tpot_limit * known.slo_tpot
        late = load.ttft_limit and point.ttft_seconds > load.ttft_limit * known.slo_ttft
        return not (slow or late)

    found = largest(lambda size: keeps(steady(speed, load, size)), most)
    if not found:
        # Even one is late by our reckoning, which the limits' shares may be too strict for: the least there is.
        found = 1.0
    point = steady(speed, load, found)
    return Reached(
        output_tokens_per_second=point.output_tokens_per_second * known.slo_load,
        ttft_seconds=point.ttft_seconds,
        tpot_seconds=point.tpot_seconds,
        sequences=found * known.slo_load,
    )


def largest(keeps: Callable[[float], bool], most: float) -> float:
    """The largest number from 1 to `most` that keeps a limit that only grows; 0 where not even 1 does."""
    if keeps(most):
        return most
    low, high = 1.0, most
    if not keeps(low):
        return 0.0
    for _ in range(24):
        middle = (low * high) ** 0.5
        low, high = (middle, high) if keeps(middle) else (low, middle)
        if high / low < 1.0005:
            break
    return low
