"""Both estimators of throughput alone and their blend, after none, one and two probes, on points that both answer.

A probe re-fits our constants; the other estimator, which has none to fit, is scaled by what it was off at the probes.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
import numpy as np
from rich.console import Console
from rich.table import Table

from freehold.planner.constants import Fitted
from freehold.planner.estimate import AGREED, OURS
from freehold.planner.fitting import estimated, prepared
from freehold.planner.points import Point, systems
from freehold.planner.probing import chosen, refitted
from freehold.planner.ranges import strangeness
from freehold.planner.second_opinion import ENGINES, second

LEAST = 3
"""Points of a system that is asked about: two probes leave one."""
MOST = 6
"""Of one system, spread over its loads: it takes seconds a point."""
PROBES = (0, 1, 2)
NAMES = ("roofline", "aiconfigurator", "blend")


class Both(msgspec.Struct, frozen=True):
    """One point that was not probed; logarithms of estimated over measured."""

    ours: float
    theirs: float
    half: float
    """Half-width of our 80 % band."""

    @property
    def blend(self) -> float:
        """As `freehold.planner.estimate` has it."""
        return OURS * self.ours + (1.0 - OURS) * self.theirs


def compared(points: Sequence[Point], book: Fitted, every: int) -> dict[str, Any]:
    """Of every `every`-th system with enough points."""
    groups = [one for one in systems(points).values() if len(one) >= LEAST][::every]
    rows: dict[int, list[Both]] = {probes: [] for probes in PROBES}
    asked = answered = 0
    for number, group in enumerate(groups):
        some = [group[at] for at in sorted(set(np.linspace(0, len(group) - 1, MOST).round().astype(int)))]
        known = [(one, rate) for one in some if (rate := _theirs(one, book)) > 0.0]
        asked, answered = asked + len(some), answered + len(known)
        for probes in PROBES:
            rows[probes] += _judged(known, book, probes)
        print(f"{number + 1} of {len(groups)} systems, {answered} points answered", end="\r", file=sys.stderr)
    at = datetime.now(UTC).strftime("%Y-%m-%d")
    told = {f"probes_{probes}": {name: figures(found, name) for name in NAMES} for probes, found in rows.items()}
    return {"asked": asked, "answered": answered, "systems": len(groups), "at": at} | told


def _theirs(point: Point, book: Fitted) -> float:
    """Output tokens a second of the whole system; 0 where it does not answer, or we do not."""
    (guess,) = prepared([point])
    best = estimated(guess, book.without.get(point.source, book.known).constants)
    if best is None:
        return 0.0
    serving, _, load = guess.choices[best[0]]
    told = point.system.split("|")[6]
    engine = next((one for one in ENGINES if told.startswith(one)), ENGINES[0])
    return second(serving, load, best[2].sequences, engine) * max(point.gpus / serving.layout.gpus, 1.0)


def _judged(group: Sequence[tuple[Point, float]], book: Fitted, probes: int) -> list[Both]:
    if len(group) <= probes:
        return []
    points = [one for one, _ in group]
    known = book.without.get(points[0].source, book.known)
    taken = chosen(points, probes) if probes else []
    constants = refitted([points[at] for at in taken], known.constants) if taken else known.constants
    shift = float(np.mean([math.log(group[at][0].measured / group[at][1]) for at in taken])) if taken else 0.0
    found = []
    for at, (point, rate) in enumerate(group):
        best = None if at in taken else estimated(prepared([point])[0], constants)
        if best is not None:
            half = known.widths.after(probes) * strangeness(point.serving, probes)
            theirs = math.log(rate / point.measured) + shift
            found.append(Both(math.log(best[1] / point.measured), theirs, half))
    return found


def figures(rows: Sequence[Both], name: str) -> dict[str, float | int | None]:
    """Of one estimator; the second one gives no interval of its own."""
    if not rows:
        return {"points": 0, "median_error": None, "within_20": None, "within_2x": None, "coverage_80": None}
    off = np.array([{"roofline": one.ours, "aiconfigurator": one.theirs, "blend": one.blend}[name] for one in rows])
    wide = [one.half if name == "roofline" else max(one.half * AGREED, abs(one.ours - one.theirs) / 2) for one in rows]
    error = np.abs(np.expm1(off))
    return {
        "points": len(rows),
        "median_error": round(float(np.median(error)), 4),
        "within_20": round(float((error <= 0.2).mean()), 4),
        "within_2x": round(float((np.abs(off) <= math.log(2.0)).mean()), 4),
        "coverage_80": None if name == "aiconfigurator" else round(float((np.abs(off) <= np.array(wide)).mean()), 4),
    }


def shown(found: dict[str, Any]) -> None:
    """Of what `compared` gave, now or when it was last asked."""
    text = f"on points that both answer ({found['answered']} of {found['asked']} asked, {found['at']})"
    table = Table(title=f"roofline alone, AIConfigurator alone, their blend, {text}")
    columns = ("median_error", "within_20", "within_2x", "coverage_80")
    for name in ("probes", "estimator", "points", *columns):
        table.add_column(name, justify="left" if name == "estimator" else "right")
    for probes in PROBES:
        for name in NAMES:
            row = found[f"probes_{probes}"][name]
            values = ["-" if row[one] is None else str(row[one]) for one in columns]
            table.add_row(str(probes), name, str(row["points"]), *values)
    Console(width=120).print(table)
