"""Detectors on marked texts: `python -m bench.guard --data DIR`. The last line is JSON.

Files are found by what their names begin with (`injection_*`, `obfuscated_*`, `pii_*`, `secrets_*`, `stream_*`, ...; as
.jsonl or .jsonl.gz). A file that is not there gives null.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import json
import platform
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

DATA = Path(__file__).parents[2] / "shared" / "data" / "guardrails"
PARTS: tuple[tuple[str, str], ...] = (
    ("personal data", "bench.guard_pii"),
    ("personal data, invented", "bench.guard_invented"),
    ("streams", "bench.guard_streams"),
    ("secrets", "bench.guard_secrets"),
    ("injection and jailbreaks", "bench.guard_injection"),
    ("indirect injection", "bench.guard_indirect"),
    ("moderation", "bench.guard_moderation"),
    ("refusals", "bench.guard_refusal"),
    ("regulated data", "bench.guard_regulated"),
    ("refusals", "bench.guard_refusal"),
)
"""Each has `measure(folder, rows)`: figures, and a row for each item."""
KEYS = (
    "injection_auroc",
    "injection_recall_1fpr",
    "notinject_acc",
    "obfuscated_recall",
    "pii_recall",
    "pii_precision",
    "secrets_recall",
    "secrets_fpr",
    "ms_per_kb",
)
"""Figures of the last line that are always there."""


def arguments(given: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.guard", description=__doc__)
    parser.add_argument("--data", type=Path, default=DATA, help="folder with the marked texts")
    parser.add_argument("--rows", type=Path, help="also write what was found in each text, as JSON lines")
    parser.add_argument("--only", action="append", default=[], help="part to run, such as pii; repeat for more")
    return parser.parse_args(given)


def run(folder: Path, only: Sequence[str], rows: list[dict[str, Any]]) -> dict[str, Any]:
    """All figures; None for what could not be measured."""
    figures: dict[str, Any] = dict.fromkeys(KEYS)
    for title, module in PARTS:
        if only and not any(module.endswith(f"_{one}") for one in only):
            continue
        print(f"\n== {title}")
        if importlib.util.find_spec(module) is None:
            print(f"{module}: not there")
            continue
        began = time.perf_counter()
        figures |= importlib.import_module(module).measure(folder, rows)
        print(f"({time.perf_counter() - began:.1f} s)")
    return figures


def main(given: Sequence[str] | None = None) -> int:
    """Measure, print, and end with one line of JSON."""
    told = arguments(given)
    if not told.data.is_dir():
        print(f"there is no folder {told.data}", file=sys.stderr)
        return 2
    rows: list[dict[str, Any]] = []
    figures = run(told.data, told.only, rows)
    if told.rows:
        with told.rows.open("w", encoding="utf-8") as file:
            file.writelines(json.dumps(one, ensure_ascii=False) + "\n" for one in rows)
        print(f"\n{len(rows)} rows in {told.rows}")
    print(f"\n{'figure':<32}{'value':>12}   {platform.machine()}, Python {platform.python_version()}")
    for name, value in figures.items():
        shown = "-" if value is None else f"{value:.4f}" if isinstance(value, float) else str(value)
        print(f"{name:<32}{shown:>12}")
    rounded = {name: round(value, 5) if isinstance(value, float) else value for name, value in figures.items()}
    print(json.dumps(rounded))
    return 0


if __name__ == "__main__":
    sys.exit(main())
