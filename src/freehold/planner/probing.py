"""Constants re-fitted to one or two points that were measured on the customer's own endpoint."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np

from freehold.planner.errors import PlanError
from freehold.planner.fitting import Prior, likeliest, prepared
from freehold.planner.points import Point
from freehold.planner.ranges import Known
from freehold.planner.regimes import Load
from freehold.planner.roofline import Constants

PRIOR: Prior = (
    ("speed", 0.28),
    ("compute", 0.2),
    ("compute_experts", 0.28),
    ("memory", 0.17),
    ("memory_experts", 0.17),
    ("reduce_seconds", 0.42),
    ("link", 0.28),
    ("step_seconds", 0.5),
    ("layer_seconds", 0.35),
    ("sequence_seconds", 0.55),
    ("slo_tpot", 0.2),
    ("slo_load", 0.1),
)
"""How far one installation is from what all points say: standard deviations of the logarithm."""
NOISE = 0.05
"""Of one measured point."""


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """One operating point of an endpoint, as a probe found it."""

    concurrency: int
    input_tokens: float
    output_tokens: float
    requests: int
    failed: int
    output_tokens_per_second: float
    ttft_seconds: float
    """Median."""
    tpot_seconds: float
    """Median."""


class Probe(msgspec.Struct, frozen=True, kw_only=True):
    """What a probe found, and what is known after it: the file that `freehold probe --out` writes."""

    model: str
    gpu: str
    gpus: int
    precision: str
    at: str
    measured: tuple[Measured, ...]
    known: Known

    @property
    def probes(self) -> int:
        """How many points were measured."""
        return len(self.measured)


def read_probe(path: Path) -> Probe:
    """A probe's file. Raises PlanError where it is none."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Probe)
    except (OSError, msgspec.DecodeError) as error:
        raise PlanError(f"{path}: no file of a probe: {error}", param="probe") from None


def load_of(one: Measured) -> Load:
    """The load that a measured point was under."""
    return Load(
        regime="closed_loop",
        input_tokens=one.input_tokens,
        output_tokens=one.output_tokens,
        concurrency=float(one.concurrency),
    )


def refitted(probes: Sequence[Point], known: Constants) -> Constants:
    """What is known after the probes; one moves mostly the speed of all, two also what depends on the load."""
    guesses = [one for one in prepared(probes) if one.choices]
    return likeliest(guesses, known, PRIOR, np.full(len(guesses), NOISE**-2)) if guesses else known


def chosen(points: Sequence[Point], count: int) -> list[int]:
    """Which of the operating points that may be measured say most: spread by the load, never by the outcome.

    One from the middle, two from the quarters, of the order by sequences at once and prompt's share.
    """
    order = sorted(range(len(points)), key=lambda place: (_weight(points[place]), place))
    if count == 1:
        return [order[len(order) // 2]]
    return [order[round((len(order) - 1) * share)] for share in np.linspace(0.2, 0.8, count)]


def _weight(point: Point) -> float:
    load = point.load
    at_once = load.concurrency or 1e6 / (load.input_tokens + load.output_tokens)
    if load.tpot_limit:
        at_once *= min(load.tpot_limit, 1.0)
    return at_once * math.sqrt(math.sqrt(load.output_tokens))
