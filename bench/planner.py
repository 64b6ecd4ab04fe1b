"""The planner's estimates against published points: `python -m bench.planner --points F`. The last line is JSON.

Each source is judged by constants that were fitted without it (leave one source out); sources that are not among the
fitted ones by the constants of all. With probes, points of one system are measured first and the rest of it judged.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from rich.console import Console
from rich.table import Table

from bench.kept import OUT, RESULTS, keep
from bench.planner_points import Scored, figures, scored
from bench.speed_constants import DATA
from freehold.planner.constants import Fitted, fitted
from freehold.planner.estimate import OURS
from freehold.planner.fitting import estimated, prepared
from freehold.planner.points import Point, read_points
from freehold.planner.second_opinion import ENGINES, second

_COLUMNS = ("median_error", "within_20", "within_2x", "coverage_80")


def arguments(given: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.planner", description=__doc__)
    parser.add_argument("--points", type=Path, default=DATA, help="published points, a CSV")
    parser.add_argument("--second", type=int, default=0, help="also ask AIConfigurator about every Nth point")
    parser.add_argument("--rows", type=Path, help="also write each estimate as JSON lines")
    return parser.parse_args(given)


def judged(points: Sequence[Point], book: Fitted, probes: int) -> list[Scored]:
    """All points, each source by what is known without it."""
    found = []
    for source in sorted({one.source for one in points}):
        known = book.without.get(source, book.known)
        found += scored([one for one in points if one.source == source], known, probes)
    return found


def compared(points: Sequence[Point], book: Fitted) -> dict[str, Any]:
    """Both estimators alone and their blend, on the points that both answer."""
    logs = []
    for number, guess in enumerate(prepared(points)):
        best = estimated(guess, book.without.get(guess.point.source, book.known).constants)
        if best is None:
            continue
        serving, _, load = guess.choices[best[0]]
        told = guess.point.system.split("|")[6]
        engine = next((one for one in ENGINES if told.startswith(one)), ENGINES[0])
        rate = second(serving, load, best[2].sequences, engine) * max(guess.point.gpus / serving.layout.gpus, 1.0)
        if rate:
            logs.append((math.log(best[1] / guess.point.measured), math.log(rate / guess.point.measured)))
        print(f"{number + 1} of {len(points)}, {len(logs)} answered", end="\r", file=sys.stderr)
    pairs = np.array(logs).reshape(-1, 2)
    blend = OURS * pairs[:, 0] + (1.0 - OURS) * pairs[:, 1]
    apart = np.abs(pairs[:, 0] - pairs[:, 1])
    names = {"roofline": pairs[:, 0], "aiconfigurator": pairs[:, 1], "blend": blend}
    names |= {"blend_within_15": blend[apart < 0.14], "blend_over_40_apart": blend[apart > 0.34]}
    return {"asked": len(points), "at": datetime.now(UTC).strftime("%Y-%m-%d")} | {
        name: {
            "points": len(one),
            "median_error": round(float(np.median(np.abs(np.expm1(one)))), 4) if len(one) else None,
            "within_20": round(float((np.abs(np.expm1(one)) <= 0.2).mean()), 4) if len(one) else None,
        }
        for name, one in names.items()
    }


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
        found["second"] = compared(points[:: given.second], book)
    elif whole and last.exists():  # it takes seconds a point: what was found last stands
        found["second"] = json.loads(last.read_text(encoding="utf-8")).get("second")
    keep("planner", found, RESULTS if whole else OUT)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
