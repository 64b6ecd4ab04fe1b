"""Estimates against published points, as both the fit of the constants and the bench of the planner score them."""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec
import numpy as np

from freehold.planner.fitting import estimated, prepared
from freehold.planner.points import Point, systems
from freehold.planner.probing import chosen, refitted
from freehold.planner.ranges import Known, strangeness


class Scored(msgspec.Struct, frozen=True):
    """One point that was not probed, and what was said of it."""

    name: str
    source: str
    measured: float
    estimate: float
    half: float
    """Half-width of the logarithm's 80 % band."""
    score: float
    """Absolute logarithm of measured over estimated, by the point's strangeness."""

    @property
    def error(self) -> float:
        """Relative, of the estimate."""
        return abs(self.estimate / self.measured - 1.0)

    @property
    def off(self) -> float:
        """Absolute logarithm."""
        return abs(math.log(self.estimate / self.measured))


def scored(points: Sequence[Point], known: Known, probes: int) -> list[Scored]:
    """Each point, or those that are left of each system after so many of it were measured. A system with no more
    points than probes says nothing.
    """
    found = []
    groups = [list(points)] if not probes else list(systems(points).values())
    for group in groups:
        if len(group) <= probes:
            continue
        taken = chosen(group, probes) if probes else []
        constants = refitted([group[place] for place in taken], known.constants) if taken else known.constants
        rest = [one for place, one in enumerate(group) if place not in taken]
        for guess in prepared(rest):
            best = estimated(guess, constants)
            if best is None:
                continue
            one, off = guess.point, abs(math.log(guess.point.measured / best[1]))
            unlike = strangeness(one.serving, probes)
            half = known.widths.after(probes) * unlike
            found.append(Scored(one.name, one.source, one.measured, best[1], half, off / unlike))
    return found


def figures(rows: Sequence[Scored]) -> dict[str, float | int | None]:
    """What the last line says of points."""
    if not rows:
        return {"points": 0, "median_error": None, "within_20": None, "within_2x": None, "coverage_80": None}
    return {
        "points": len(rows),
        "median_error": round(float(np.median([one.error for one in rows])), 4),
        "within_20": round(sum(one.error <= 0.2 for one in rows) / len(rows), 4),
        "within_2x": round(sum(one.off <= math.log(2.0) for one in rows) / len(rows), 4),
        "coverage_80": round(sum(one.off <= one.half for one in rows) / len(rows), 4),
    }
