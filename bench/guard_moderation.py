"""How far the moderation pre-filter carries: on groups, and on ways of speaking, that its training left out.

One source of hateful wording (HateCheck) is at hand, so no figure here is of another source; harmless texts are.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.moderation_phrases import harmless
from bench.train_moderation import PHRASES, Row, matrix, ordinary, read, trained
from freehold.guard.detectors.moderation import Model, Moderation, packaged
from freehold.guard.types import Piece

Scores = NDArray[np.float64]
_OTHERS = ("cyberseceval-frr", "self-instruct-seed", "self-instruct-user", "freehold-authored")
"""Sources of harmless requests that no training here has seen."""


def measure(folder: Path, rows: list[dict[str, object]]) -> dict[str, float]:
    """Figures by name; what they are made of is added to `rows`. `folder` holds the development data."""
    cases = read(folder, "toxicity_dev")
    others = [one for one in read(folder, "injection_train") if one["source"] in _OTHERS and one["label"] == 0]
    always = [*ordinary(folder), *harmless(PHRASES)]
    figures: dict[str, float] = {}
    for name, field in (("target", "target"), ("manner", "category")):
        found = _left_out(cases, field, always)
        hateful = np.array([int(str(one["label"])) for one in cases])
        figures[f"moderation_auroc_new_{name}"] = auroc(hateful, found)
        figures[f"moderation_recall_new_{name}"] = float((found[hateful == 1] > 0).mean())
        figures[f"moderation_false_lookalike_new_{name}"] = float((found[hateful == 0] > 0).mean())
        rows += _by_group(cases, field, found)
    detector = Moderation(packaged())
    texts = [str(one["text"]) for one in others]
    begun = time.perf_counter()
    false = sum(any(one.kind == "hate" for one in detector.find(Piece(text))) for text in texts)
    spent = time.perf_counter() - begun
    figures["moderation_false_other_sources"] = false / len(texts)
    figures["moderation_ms_per_kb"] = spent * 1e6 / sum(len(one) for one in texts)
    return {name: round(value, 4) for name, value in figures.items()}


def auroc(hateful: NDArray[np.int_], scores: Scores) -> float:
    """Chance that a hateful text scores above a harmless one; ties count half (Mann and Whitney 1947)."""
    _, places, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[places]
    many = int(hateful.sum())
    return float((ranks[hateful == 1].sum() - many * (many + 1) / 2) / (many * (len(hateful) - many)))


def _left_out(cases: Sequence[Row], field: str, always: Sequence[Row]) -> Scores:
    """Log-odds of every case, from a model that saw none of its value of the field."""
    found = np.zeros(len(cases))
    for value in sorted({str(one[field]) for one in cases}):
        held = [at for at, one in enumerate(cases) if str(one[field]) == value]
        model = trained([*(one for one in cases if str(one[field]) != value), *always])
        found[held] = _odds(model, [cases[at] for at in held])
    return found


def _odds(model: Model, rows: Sequence[Row]) -> Scores:
    odds: Scores = matrix(rows).times(model.weights.astype(float)) + model.bias
    return odds


def _by_group(cases: Sequence[Row], field: str, found: Scores) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    for value in sorted({str(one[field]) for one in cases}):
        for label in (0, 1):
            held = [at for at, one in enumerate(cases) if str(one[field]) == value and one["label"] == label]
            if held:
                flagged = round(float((found[held] > 0).mean()), 3)
                rows.append({"left_out": value, "hateful": label, "texts": len(held), "flagged": flagged})
    return rows
