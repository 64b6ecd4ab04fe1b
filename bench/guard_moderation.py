"""How far the moderation pre-filter carries: on groups, and on ways of speaking, that its training left out.

One source of hateful wording (HateCheck) is at hand, so no figure here is of another source; harmless texts are.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.guard_files import read
from bench.moderation_phrases import harmless
from bench.train_moderation import PHRASES, SHARED, Row, labels, matrix, ordinary, trained
from freehold.evals.logistic import Rows
from freehold.guard.detectors.moderation import Moderation, packaged
from freehold.guard.types import Piece

Scores = NDArray[np.float64]
_OTHERS = ("cyberseceval-frr", "self-instruct-seed", "self-instruct-user", "freehold-authored")
"""Sources of harmless requests that no training here has seen."""
LEARNED = "hatecheck"
"""The source of hateful texts that the packaged model has learned from."""


def measure(folder: Path, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Figures of the files `toxicity_*`; appends each text's score to `rows`.

    Of a source that the packaged model has learned from, the scores are those of models that saw neither the text's
    group (`new_target`) nor, apart, its way of speaking (`new_manner`).
    """
    items = [one for _, one in read(folder, "toxicity_")]
    others = [one for _, one in read(folder, "injection_") if one["source"] in _OTHERS and one["label"] == 0]
    if not items:
        print("toxicity_*: no such file here")
        return {"moderation_auroc": None}
    detector = Moderation(packaged())
    figures: dict[str, Any] = {"moderation_auroc": None}
    unseen = [one for one in items if one["source"] != LEARNED]
    if unseen:
        scores = np.array([_logit(detector.hate(one["text"])) for one in unseen])
        figures |= _figures("", unseen, scores, rows)
    learned = [one for one in items if one["source"] == LEARNED]
    if learned and SHARED.is_dir():
        always = [*ordinary(SHARED), *harmless(PHRASES)]
        for name, groups in (
            ("_new_target", [str(one["target"]) for one in learned]),
            ("_new_manner", [str(one["category"]).partition("_")[0] for one in learned]),
        ):
            figures |= _figures(name, learned, _left_out(learned, groups, always), rows)
            _by_group(learned, groups, [one["score"] > 0 for one in rows[-len(learned) :]])
    begun = time.perf_counter()
    false = [any(one.kind == "hate" for one in detector.find(Piece(each["text"]))) for each in others]
    spent = time.perf_counter() - begun
    if others:
        figures["moderation_false_other_sources"] = sum(false) / len(false)
        figures["moderation_ms_per_kb"] = spent * 1000 / (sum(len(one["text"].encode()) for one in others) / 1024)
    return figures


def _figures(name: str, items: Sequence[Row], scores: Scores, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """`scores` are log-odds: above 0 is flagged."""
    hateful = np.array([int(str(one["label"])) for one in items])
    rows += [
        {"id": one["id"], "bench": f"moderation{name}", "prediction": int(score > 0), "score": round(float(score), 4)}
        for one, score in zip(items, scores, strict=True)
    ]
    return {
        f"moderation_auroc{name}": auroc(hateful, scores) if 0 < hateful.sum() < len(hateful) else None,
        f"moderation_recall{name}": float((scores[hateful == 1] > 0).mean()),
        f"moderation_false{name}": float((scores[hateful == 0] > 0).mean()),
    }


def auroc(hateful: NDArray[np.int_], scores: Scores) -> float:
    """Chance that a hateful text scores above a harmless one; ties count half (Mann and Whitney 1947)."""
    _, places, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[places]
    many = int(hateful.sum())
    return float((ranks[hateful == 1].sum() - many * (many + 1) / 2) / (many * (len(hateful) - many)))


def _left_out(cases: Sequence[Row], groups: Sequence[str], always: Sequence[Row]) -> Scores:
    """Log-odds of every case, from a model that saw none of its group."""
    whole, targets = matrix([*cases, *always]), labels([*cases, *always])
    found = np.zeros(len(cases))
    for group in sorted(set(groups)):
        held = [at for at, one in enumerate(groups) if one == group]
        kept = sorted(set(range(len(targets))) - set(held))
        model = trained(_some(whole, kept), targets[kept])
        found[held] = _some(whole, held).times(model.weights.astype(float)) + model.bias
    return found


def _some(rows: Rows, kept: Sequence[int]) -> Rows:
    picked = [np.arange(rows.starts[at], rows.starts[at + 1]) for at in kept]
    starts = np.concatenate([[0], np.cumsum([len(one) for one in picked])]).astype(np.intp)
    places = np.concatenate(picked)
    return Rows(starts=starts, columns=rows.columns[places], values=rows.values[places], width=rows.width)


def _by_group(cases: Sequence[Row], groups: Sequence[str], flagged: Sequence[bool]) -> None:
    print(f"\n{'left out':<24}{'hateful':>8}{'texts':>8}{'flagged':>9}")
    for group in sorted(set(groups)):
        for label in (0, 1):
            held = [flagged[at] for at, one in enumerate(cases) if groups[at] == group and one["label"] == label]
            if held:
                print(f"{group:<24}{label:>8}{len(held):>8}{sum(held) / len(held):>9.2f}")


def _logit(share: float) -> float:
    held = min(max(share, 1e-9), 1 - 1e-9)
    return math.log(held / (1 - held))
