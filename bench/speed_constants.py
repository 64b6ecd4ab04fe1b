"""Fits the planner's speed constants to published points: `python -m bench.speed_constants`. The last line is JSON.

Writes `src/freehold/planner/data/constants.json`: constants from all points and from all but each source, and ranges
calibrated on points of sources that the constants of the moment had not seen.
"""

from __future__ import annotations

import argparse
import itertools
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from bench.planner_points import Scored, scored
from freehold.planner.constants import Fitted
from freehold.planner.fitting import fit_constants
from freehold.planner.points import Point, read_points
from freehold.planner.ranges import WIDEN, Known, Widths, calibrated
from freehold.planner.roofline import Constants

DATA = Path(__file__).parents[2] / "shared" / "data" / "planner" / "throughput_dev.csv"
FILE = Path(__file__).parents[1] / "src" / "freehold" / "planner" / "data" / "constants.json"


def arguments(given: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.speed_constants", description=__doc__)
    parser.add_argument("--points", type=Path, default=DATA, help="published points")
    parser.add_argument("--out", type=Path, default=FILE, help="where to write them")
    return parser.parse_args(given)


def rounded(known: Constants) -> Constants:
    """Four digits: what they are worth, and the same file on every machine."""
    return Constants(**{name: float(f"{value:.4g}") for name, value in msgspec.structs.asdict(known).items()})


def fitted_without(points: Sequence[Point], sources: Sequence[str]) -> dict[frozenset[str], Constants]:
    """Constants for each set of at most two sources left out."""
    found = {}
    for count in (0, 1, 2):
        for left in itertools.combinations(sources, count):
            rest = [one for one in points if one.source not in left]
            if rest and (count < 2 or len(sources) > 2):
                found[frozenset(left)] = rounded(fit_constants(rest))
                print(f"without {' and '.join(left) or 'none'}: {len(rest)} points", flush=True)
    return found


def widths(
    points: Sequence[Point], sources: Sequence[str], found: Mapping[frozenset[str], Constants], left: frozenset[str]
) -> Widths:
    """Calibrated on each source but those left out, by constants that have seen neither it nor those."""
    halves = []
    for probes in (0, 1, 2):
        rows: list[Scored] = []
        for source in sources:
            known = found.get(left | {source})
            if source not in left and known is not None:
                rows += scored([one for one in points if one.source == source], Known(known), probes)
        halves.append(float(f"{calibrated([(one.source, one.score) for one in rows]) * WIDEN:.3g}"))
    return Widths(*halves)


def main() -> None:
    given = arguments()
    points = read_points(given.points)
    sources = sorted({one.source for one in points})
    found = fitted_without(points, sources)
    made = Fitted(
        as_of=datetime.now(UTC).strftime("%Y-%m-%d"),
        sources=dict(sorted(Counter(one.source for one in points).items())),
        known=Known(found[frozenset()], widths(points, sources, found, frozenset())),
        without={
            one: Known(found[frozenset({one})], widths(points, sources, found, frozenset({one}))) for one in sources
        },
    )
    given.out.write_text(json.dumps(msgspec.to_builtins(made), indent=1) + "\n", encoding="utf-8")
    print(json.dumps({"points": len(points), "widths": msgspec.to_builtins(made.known.widths), "out": str(given.out)}))


if __name__ == "__main__":
    main()
