"""Secrets: is something found in each text? Vendors' own forms are told apart from generic ones (`generic`, `curl`)."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from bench.guard_files import read
from freehold.guard.detectors.secrets import Secrets
from freehold.guard.detectors.secrets_known import PUBLISHED
from freehold.guard.types import Piece

GENERIC = frozenset({"generic", "curl"})
"""Categories that no vendor's form describes."""
LEAST = 0.5


def measure(folder: Path, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Figures of the files `secrets_*`; appends each text's outcome to `rows`."""
    items = [one for _, one in read(folder, "secrets_")]
    if not items:
        print("secrets_*: no such file here")
        return {"secrets_recall": None, "secrets_fpr": None}
    detector = Secrets()
    detector.find(Piece("warm up"))
    flagged: list[bool] = []
    seconds = 0.0
    for one in items:
        began = time.perf_counter()
        found = [each for each in detector.find(Piece(one["text"])) if each.score >= LEAST]
        spent = time.perf_counter() - began
        seconds += spent
        flagged.append(bool(found))
        told = {"id": one["id"], "bench": "secrets", "prediction": int(bool(found))}
        score = max([each.score for each in found], default=0.0)
        rows.append({**told, "kinds": [each.kind for each in found], "score": score, "seconds": round(spent, 7)})
    pairs = list(zip(items, flagged, strict=True))
    own = [hit for one, hit in pairs if one["label"] and one.get("category") not in GENERIC]
    generic = [hit for one, hit in pairs if one["label"] and one.get("category") in GENERIC]
    clean = [hit for one, hit in pairs if not one["label"]]
    figures: dict[str, Any] = {
        "secrets_recall": _share(own),
        "secrets_fpr": _share(clean),
        "secrets_generic_recall": _share(generic),
        "secrets_ms_per_kb": seconds * 1000 / (sum(len(one["text"].encode()) for one in items) / 1024),
    }
    _misses(pairs)
    print(f"{len(PUBLISHED)} published sample keys are passed by digest")
    return figures


def _share(hits: list[bool]) -> float | None:
    return sum(hits) / len(hits) if hits else None


def _misses(pairs: list[tuple[dict[str, Any], bool]]) -> None:
    wrong: dict[str, list[int]] = {}
    for one, hit in pairs:
        count = wrong.setdefault(str(one.get("category") or one["source"]), [0, 0, 0, 0])
        count[0 if one["label"] else 2] += 1
        count[1 if one["label"] else 3] += int(hit != bool(one["label"]))
    print(f"{'category':<32}{'secrets':>8}{'missed':>8}{'others':>8}{'flagged':>8}")
    for category, (secrets, missed, others, alarms) in sorted(wrong.items()):
        if missed or alarms:
            print(f"{category:<32}{secrets:>8}{missed:>8}{others:>8}{alarms:>8}")
