"""Facts that come with the planner: rows of CSV in `data/`, each with its source and date. Read, never changed."""

from __future__ import annotations

import csv
from importlib import resources


def rows(name: str) -> list[dict[str, str]]:
    """The rows of `data/NAME.csv`, in the order of the file."""
    text = resources.files("freehold.planner").joinpath("data", f"{name}.csv").read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))
