"""What a fleet did with a trace: arrival by arrival, and in figures. Pure.

Invariant: served, overflowed and unserved calls are all calls, and no call is two of them.
"""

from __future__ import annotations

import msgspec
import numpy as np

from freehold.planner.scaling import Work
from freehold.planner.traffic import Arrivals, Floats
from freehold.planner.types import Served, Slo

_POINTS = 500


class Outcome(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """What became of each arrival; times in seconds, NaN where there is none."""

    ttft: Floats
    """NaN: not served here."""
    tpot: Floats
    """0 for answers of one token."""
    overflowed: np.ndarray
    """Booleans."""
    busy: float
    """Replica-seconds."""
    held: float
    """Replica-seconds that are paid."""
    points: tuple[tuple[float, int], ...]
    """(seconds, replicas) at each change."""
    preempted: int
    gave_up: bool = False

    @property
    def unserved(self) -> int:
        """Neither served nor overflowed."""
        return int((np.isnan(self.ttft) & ~self.overflowed).sum())

    def kept(self, slo: Slo) -> Floats:
        """For each arrival 1 where it was served within the SLO, else 0."""
        within = (self.ttft <= slo.ttft_seconds) & (self.tpot <= slo.tpot_seconds)
        return within.astype(np.float64)

    def share_kept(self, slo: Slo) -> float:
        """Of the arrivals that did not overflow, those served within the SLO; 1 where all overflowed."""
        stayed = len(self.ttft) - int(self.overflowed.sum())
        return float(self.kept(slo).sum()) / stayed if stayed else 1.0


def seen_before(trace: Arrivals) -> np.ndarray:
    """Tokens of each prompt in blocks that an earlier prompt began with: what an endless cache would spare."""
    if trace.blocks is None:
        return trace.cached
    known: set[int] = set()
    found = []
    for index in range(trace.requests):
        blocks = trace.blocks.of(index)
        hits = next((place for place, one in enumerate(blocks) if one not in known), len(blocks))
        known.update(blocks)
        found.append(hits * trace.blocks.tokens)
    return np.minimum(np.array(found, dtype=np.int64), np.maximum(trace.input - 1, 0))


def told(trace: Arrivals, outcome: Outcome, slo: Slo, each: Work) -> Served:
    """An outcome in figures."""
    served = ~np.isnan(outcome.ttft)
    over = outcome.overflowed
    within = float(outcome.kept(slo).sum())
    count = int(served.sum())
    return Served(
        requests=trace.requests,
        served=count,
        overflowed=int(over.sum()),
        unserved=outcome.unserved,
        ttft=percentiles(outcome.ttft[served]),
        tpot=percentiles(outcome.tpot[served & (trace.output > 1)]),
        attained=within / count if count else 0.0,
        replica_hours=outcome.held / 3600.0,
        peak_replicas=max((replicas for _, replicas in outcome.points), default=0),
        utilisation=min(outcome.busy / outcome.held, 1.0) if outcome.held else 0.0,
        input_tokens=trace.input_tokens,
        output_tokens=trace.output_tokens,
        overflow_input_tokens=int(trace.input[over].sum()),
        overflow_output_tokens=int(trace.output[over].sum()),
        span_seconds=trace.span_seconds,
        timeline=_timeline(trace, outcome, each),
    )


def percentiles(values: Floats) -> tuple[float, float, float]:
    """P50, P95, P99; zeros for nothing."""
    if not len(values):
        return (0.0, 0.0, 0.0)
    p50, p95, p99 = np.percentile(values, (50, 95, 99))
    return float(p50), float(p95), float(p99)


def _timeline(trace: Arrivals, outcome: Outcome, each: Work) -> tuple[tuple[float, int, float, float], ...]:
    points = int(min(_POINTS, max(trace.span_seconds // 60.0, 1)))
    width = trace.span_seconds / points
    place = np.minimum((trace.t / width).astype(np.int64), points - 1)
    known = seen_before(trace)
    seconds = (trace.input - known) * each.per_input + trace.output * each.per_output
    load = np.bincount(place, weights=seconds, minlength=points) / width
    count = np.bincount(place, minlength=points)
    over = np.bincount(place, weights=outcome.overflowed.astype(np.float64), minlength=points)
    times = np.arange(points) * width
    changed = np.array([at for at, _ in outcome.points])
    sizes = np.array([size for _, size in outcome.points])
    held = sizes[np.maximum(np.searchsorted(changed, times + width / 2.0, side="right") - 1, 0)]
    return tuple(
        (float(at), int(size), float(use), float(gone))
        for at, size, use, gone in zip(
            times, held, load / np.maximum(held, 1), over / np.maximum(count, 1), strict=True
        )
    )
