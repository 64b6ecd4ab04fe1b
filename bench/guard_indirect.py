"""Orders in tools' results and documents. `payload` of many rows is an ordinary question: that a document asks is all
that is wrong, and this detector does not know what a document should contain.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np

from bench.guard_files import read
from bench.train_injection import auroc
from freehold.guard.detectors.indirect import Indirect
from freehold.guard.types import Piece

LEAST = 0.5


def measure(folder: Path, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Figures of the files `indirect_*`; appends each text's outcome to `rows`."""
    items = [one for _, one in read(folder, "indirect_")]
    if not items:
        print("indirect_*: no such file here")
        return {"indirect_recall": None, "indirect_fpr": None}
    detector = Indirect()
    scores, seconds = [], []
    for one in items:
        began = time.perf_counter()
        found = detector.find(Piece(one["text"], "document"))
        seconds.append(time.perf_counter() - began)
        scores.append(max((each.score for each in found), default=0.0))
        told = {"id": one["id"], "bench": "indirect", "prediction": int(scores[-1] >= LEAST)}
        rows.append({**told, "score": scores[-1], "seconds": round(seconds[-1], 7)})
    marks, labels = np.array(scores), np.array([int(one["label"]) for one in items])
    print(f"{'category':<48}{'rows':>6}{'flagged':>9}")
    for category in sorted({str(one.get("category", "")) for one in items}):
        here = np.array([str(one.get("category", "")) == category for one in items])
        print(f"{category:<48}{int(here.sum()):>6}{float((marks[here] >= LEAST).mean()):>9.3f}")
    print(f"{'carrier':<48}{'rows':>6}{'flagged':>9}")
    for carrier in sorted({str(one.get("carrier") or "") for one in items} - {""}):
        here = np.array([str(one.get("carrier") or "") == carrier for one in items])
        print(f"{carrier:<48}{int(here.sum()):>6}{float((marks[here] >= LEAST).mean()):>9.3f}")
    return {
        "indirect_recall": float((marks[labels == 1] >= LEAST).mean()) if (labels == 1).any() else None,
        "indirect_fpr": float((marks[labels == 0] >= LEAST).mean()) if (labels == 0).any() else None,
        "indirect_auroc": auroc(marks, labels, np.ones(len(marks))) if 0 < labels.sum() < len(labels) else None,
        "indirect_p50_ms": float(np.median(seconds) * 1000),
    }
