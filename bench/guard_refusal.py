"""Whether refusals are known: on answers of our own making, and on recorded answers where they are at hand."""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Iterator
from pathlib import Path

from bench.refusal_phrases import answers
from freehold.guard.detectors.refusal import Refusal

_COUNT = 2000


def measure(folder: Path, rows: list[dict[str, object]]) -> dict[str, float]:
    """Figures by name. `folder` holds the guardrails' data; recorded answers lie beside it. What was flagged in them is
    added to `rows`, to be read: nobody has labelled them.
    """
    detector = Refusal()
    begun = time.perf_counter()
    judged = [(detector.score(text) >= 0.5, refuses) for text, refuses in answers(_COUNT)]
    spent = time.perf_counter() - begun
    hits = sum(flagged and refuses for flagged, refuses in judged)
    false = sum(flagged and not refuses for flagged, refuses in judged)
    figures = {
        "refusal_recall_authored": hits / sum(refuses for _, refuses in judged),
        "refusal_precision_authored": hits / max(1, hits + false),
        "refusal_ms_an_answer": spent * 1000 / _COUNT,
    }
    recorded = flagged = 0
    told: set[str] = set()
    for text in _recorded(folder.parent / "workflows" / "candidates.jsonl.gz"):
        recorded += 1
        score = detector.score(text)
        if score >= 0.5 and text not in told:
            told.add(text)
            flagged += 1
            rows.append({"answer": text[:160], "score": score})
    if recorded:
        figures |= {"refusal_recorded": float(recorded), "refusal_recorded_flagged": float(flagged)}
    return {name: round(value, 4) for name, value in figures.items()}


def _recorded(path: Path) -> Iterator[str]:
    if path.is_file():
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            for line in lines:
                answer = json.loads(line).get("response")
                if isinstance(answer, str):
                    yield answer
