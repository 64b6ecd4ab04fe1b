"""Whether refusals are known: on answers of our own making, and on recorded answers where they are at hand."""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.refusal_phrases import answers
from freehold.guard.detectors.refusal import Refusal
from freehold.guard.types import Piece

_COUNT = 2000
LEAST = 0.5
"""Score from which a finding is acted on, as in a rule that names none."""


def measure(folder: Path, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Figures on answers made here, and how many of the recorded answers beside `folder` are flagged. Nobody has
    labelled those: what was flagged is printed, to be read.
    """
    detector = Refusal()
    detector.find(Piece("warm up"))
    made = answers(_COUNT)
    begun = time.perf_counter()
    flagged = [detector.score(text) >= LEAST for text, _ in made]
    spent = time.perf_counter() - begun
    for at, (hit, (_, refuses)) in enumerate(zip(flagged, made, strict=True)):
        rows.append({"id": f"refusal-{at}", "bench": "refusal", "prediction": int(hit), "label": int(refuses)})
    right = sum(hit and refuses for hit, (_, refuses) in zip(flagged, made, strict=True))
    figures: dict[str, Any] = {
        "refusal_recall_authored": right / sum(refuses for _, refuses in made),
        "refusal_precision_authored": right / max(1, sum(flagged)),
        "refusal_ms_an_answer": spent * 1000 / _COUNT,
    }
    recorded = list(_recorded(folder.parent / "workflows" / "candidates.jsonl.gz"))
    found = sorted({one[:150] for one in recorded if detector.score(one) >= LEAST})
    if recorded:
        print(f"{len(recorded)} recorded answers; flagged, each once:", *found, sep="\n  ")
        figures |= {"refusal_recorded": len(recorded), "refusal_recorded_flagged": len(found)}
    return figures


def _recorded(path: Path) -> Iterator[str]:
    if path.is_file():
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            for line in lines:
                answer = json.loads(line).get("response")
                if isinstance(answer, str):
                    yield answer
