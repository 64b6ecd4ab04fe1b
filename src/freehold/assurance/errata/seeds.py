"""The advisories that come with Freehold: rows of engines' and tools' flaws, each with its source and date."""

from __future__ import annotations

import csv
from pathlib import Path

import msgspec

from freehold.assurance.errata.types import Advisory, Affected

FILE = Path(__file__).parents[1] / "data" / "advisories.csv"


def seeds(path: Path = FILE) -> tuple[Advisory, ...]:
    """The rows. Raises ValueError for one that is none."""
    with path.open(newline="") as file:
        return tuple(_advisory(row) for row in csv.DictReader(file))


def _advisory(row: dict[str, str]) -> Advisory:
    told = {
        "id": row["id"],
        "subject": row["subject"],
        "title": row["title"],
        "kind": row["kind"],
        "trigger": row["trigger"],
        "cvss": float(row["cvss"]) if row["cvss"] else None,
        "affected": (Affected(purl=row["purl"], versions=row["versions"], fixed=row["fixed"]),),
        "certainty": row["certainty"],
        "published": row["published"],
        "source": f"{row['source']} (as of {row['as_of']})",
    }
    return msgspec.convert(told, Advisory)
