"""The planner's estimates against published points: `python -m bench.planner --points F`. The last line is JSON.

Each source is judged by constants that were fitted without it (leave one source out); sources that are not among the
fitted ones by the constants of all. With probes, points of one system are measured first and the rest of it judged.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table

from bench import planner_blend
from bench.kept import OUT, RESULTS, keep
from bench.planner_points import Scored, figures, scored
from bench.speed_constants import DATA
from freehold.planner.constants import Fitted, fitted
from freehold.planner.points import Point, read_points
from freehold.planner.second_opinion import installed

_COLUMNS = ("median_error", "within_20", "within_2x", "coverage_80")


def arguments(given: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.planner", description=__doc__)
    parser.add_argument("--points", type=Path, default=DATA, help="published points, a CSV")
    parser.add_argument("--second", type=int, default=0, help="also ask AIConfigurator about every Nth system")
    parser.add_argument("--rows", type=Path, help="also write each estimate as JSON lines")
    return parser.parse_args(given)


def judged(points: Sequence[Point], book: Fitted, probes: int) -> list[Scored]:
    """All points, each source by what is known without it."""
    found = []
    for source in sorted({one.source for one in points}):
        known = book.without.get(source, book.known)
        found += scored([one for one in points if one.source == source], known, probes)
    return found


def shown(found: dict[str, Any]) -> None:
    table = Table(title="estimates of throughput, sources that were not fitted")
    for name in ("probes", "source", "points", *_COLUMNS):
        table.add_column(name, justify="left" if name == "source" else "right")
    for probes in (0, 1, 2):
        one = found[f"probes_{probes}"]
        for source, row in [("all", one), *found["sources"][f"probes_{probes}"].items()]:
            table.add_row(str(probes), source, str(row["points"]), *[str(row[name]) for name in _COLUMNS])
    Console(width=120).print(table)


def main() -> None:
    given = arguments()
    unknown: list[str] = []
    points, book = read_points(given.points, unknown), fitted()
    for one in unknown:
        print(f"left out: {one}")
    found: dict[str, Any] = {"sources": {}}
    lines = []
    for probes in (0, 1, 2):
        rows = judged(points, book, probes)
        found[f"probes_{probes}"] = figures(rows)
        found["sources"][f"probes_{probes}"] = {
            source: figures([one for one in rows if one.source == source])
            for source in sorted({one.source for one in points})
        }
        lines += [{"probes": probes, **msgspec.to_builtins(one), "error": round(one.error, 4)} for one in rows]
    shown(found)
    if given.rows:
        given.rows.write_text("".join(json.dumps(one) + "\n" for one in lines), encoding="utf-8")
    found |= {
        "fitted": book.as_of,
        "estimator": "roofline",
        "unanswered": len(unknown) + len(points) - found["probes_0"]["points"],
    }
    whole = given.points.resolve() == DATA.resolve()
    last = RESULTS / "planner.json"
    if given.second:
        if not installed():
            sys.exit("AIConfigurator is not installed: pip install 'freehold[second]'")
        found["second"] = planner_blend.compared(points, book, given.second)
    elif whole and last.exists():  # it takes seconds a point: what was found last stands
        found["second"] = json.loads(last.read_text(encoding="utf-8")).get("second")
    if found.get("second"):
        planner_blend.shown(found["second"])
    else:
        print("AIConfigurator was never asked here: roofline alone; --second N asks it")
    keep("planner", found, RESULTS if whole else OUT)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
