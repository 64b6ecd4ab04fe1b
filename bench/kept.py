"""Where a bench leaves its figures: `bench/results/NAME.json`, with the day and the machine they were taken on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.pinning import machine

RESULTS = Path(__file__).parent / "results"
OUT = Path(__file__).parent / "out"
"""For runs that are not whole; not kept."""


def keep(name: str, figures: Mapping[str, Any], folder: Path = RESULTS) -> Path:
    """Write the figures of a whole run over those of the last; the file."""
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}.json"
    stamp = {"at": datetime.now(UTC).strftime("%Y-%m-%d"), "machine": machine()}
    path.write_text(json.dumps({**stamp, **figures}, indent=1) + "\n")
    return path
