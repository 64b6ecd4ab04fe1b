"""Injection and jailbreaks, disguised or not, and harmless texts full of the same words.

A row whose source the shipped model was trained on is judged by a model trained without that source (from ../shared);
where that cannot be made, by the shipped one, and the table says so. Of such sources the first 1,500 rows of each label
are judged; in the figures each source counts for at most 700.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bench.guard_files import read
from bench.injection_rows import SHARED, development, elsewhere, written
from bench.train_injection import Trainer, auroc, quantile
from freehold.guard.detectors.injection import Injection, Weights, margin, shipped

MOST = 700
FEW = 1500
HARD = ("hard_benign", "notinject")
"""How harmless texts with the words of attacks are marked, in `category` or `source`."""


def measure(folder: Path, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Figures of the files `injection_*` and `obfuscated_*`; appends each text's outcome to `rows`."""
    plain = [one for _, one in read(folder, "injection_")]
    disguised = [one for _, one in read(folder, "obfuscated_")]
    figures: dict[str, Any] = {"injection_auroc": None, "injection_recall_1fpr": None, "notinject_acc": None,
                               "obfuscated_recall": None}  # fmt: skip
    if not plain and not disguised:
        print("injection_*, obfuscated_*: no such file here")
        return figures
    models = _models({str(one["source"]) for one in (*plain, *disguised)})
    plain = few(plain, {source for source, weights in models.items() if weights is not shipped()})
    if plain:
        figures |= _plain(plain, models, rows)
    if disguised:
        figures |= _disguised(disguised, models, rows)
    return figures


def few(items: list[dict[str, Any]], known: set[str]) -> list[dict[str, Any]]:
    """Of sources that a model had to be made for, the first rows: they are there for development."""
    counts: dict[tuple[str, int], int] = {}
    kept = []
    for one in items:
        key = (str(one["source"]), int(one["label"]))
        counts[key] = counts.get(key, 0) + 1
        if key[0] not in known or counts[key] <= FEW:
            kept.append(one)
    return kept


def _models(sources: set[str]) -> dict[str, Weights]:
    """For each source, a model that has not seen it: `s-labs+obf` and `s-labs-test` come from `s-labs`."""
    ours = shipped()
    if not (SHARED / "guardrails" / "injection_train.jsonl.gz").exists():
        print("no ../shared: every row by the shipped model, which may have seen its source")
        return dict.fromkeys(sources, ours)
    real = development() + elsewhere()
    known = sorted({row.source for row in real}, key=len, reverse=True)
    origin = {source: next((one for one in known if source.startswith(one)), "") for source in sources}
    trainer = Trainer(real + written()) if any(origin.values()) else None
    made: dict[str, Weights] = {"": ours}
    for one in sorted(set(origin.values()) - {""}):
        assert trainer is not None
        fitted = trainer.fit([one])
        made[one] = Weights(fitted.values, fitted.bias, ours.threshold, ours.disguise)
    return {source: made[one] for source, one in origin.items()}


def _judged(
    items: Sequence[dict[str, Any]], models: dict[str, Weights], rows: list[dict[str, Any]], part: str
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """(margin, seconds) of each item."""
    margins, seconds = [], []
    for one in items:
        weights = models[str(one["source"])]
        began = time.perf_counter()
        found = margin(weights, one["text"])
        hidden = any(each.kind == "hidden_text" for each in Injection(weights).find_hidden(one["text"]))
        seconds.append(time.perf_counter() - began)
        margins.append(9.0 if hidden else found)
        rows.append({"id": one["id"], "bench": part, "prediction": int(margins[-1] >= weights.threshold),
                     "score": round(margins[-1], 5), "seconds": round(seconds[-1], 7)})  # fmt: skip
    return np.array(margins), np.array(seconds)


def weights_of(items: Sequence[dict[str, Any]]) -> np.ndarray[Any, Any]:
    """What each row counts: all rows of one source and label at most MOST together."""
    sizes: dict[tuple[str, int], int] = {}
    for one in items:
        key = (str(one["source"]), int(one["label"]))
        sizes[key] = sizes.get(key, 0) + 1
    return np.array([min(1.0, MOST / sizes[str(one["source"]), int(one["label"])]) for one in items])


def _plain(items: list[dict[str, Any]], models: dict[str, Weights], rows: list[dict[str, Any]]) -> dict[str, Any]:
    margins, seconds = _judged(items, models, rows, "injection")
    labels = np.array([int(one["label"]) for one in items])
    weights = weights_of(items)
    hard = np.array([not one["label"] and _hard(one) for one in items])
    threshold = shipped().threshold
    print(f"{'source':<24}{'label':>9}{'rows':>7}{'flagged':>9}")
    for source, label in sorted({(str(one["source"]), int(one["label"])) for one in items}):
        here = np.array([(str(one["source"]), int(one["label"])) == (source, label) for one in items])
        print(f"{source:<24}{'attack' if label else 'harmless':>9}{int(here.sum()):>7}"
              f"{float((margins[here] >= threshold).mean()):>9.3f}")  # fmt: skip
    figures: dict[str, Any] = {
        "injection_p50_ms": float(np.median(seconds) * 1000),
        "injection_p99_ms": float(np.quantile(seconds, 0.99) * 1000),
        "notinject_acc": float((margins[hard] < threshold).mean()) if hard.any() else None,
    }
    if (labels == 1).any() and (labels == 0).any():
        one_in_hundred = quantile(margins[labels == 0], weights[labels == 0], 0.99)
        above = (margins > one_in_hundred) & (labels == 1)
        figures["injection_auroc"] = auroc(margins, labels, weights)
        figures["injection_recall_1fpr"] = float(weights[above].sum() / weights[labels == 1].sum())
        figures["injection_recall_shipped"] = float(
            weights[(margins >= threshold) & (labels == 1)].sum() / weights[labels == 1].sum()
        )
        figures["injection_fpr_shipped"] = float(
            weights[(margins >= threshold) & (labels == 0)].sum() / weights[labels == 0].sum()
        )
    return figures


def _hard(one: dict[str, Any]) -> bool:
    told = f"{one.get('category', '')} {one['source']}".lower().replace("-", "")
    return any(word.replace("-", "") in told for word in HARD)


def _disguised(items: list[dict[str, Any]], models: dict[str, Weights], rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Recall where one in twenty harmless disguised texts is flagged, and at the shipped threshold."""
    margins, _seconds = _judged(items, models, rows, "obfuscated")
    labels = np.array([int(one["label"]) for one in items])
    threshold = shipped().threshold
    bound = float(np.quantile(margins[labels == 0], 0.95)) if (labels == 0).any() else threshold
    print(f"\n{'disguise':<24}{'rows':>7}{'found':>8}{'alarms':>8}   at 5 % alarms")
    for category in sorted({str(one.get("category", "")) for one in items}):
        here = np.array([str(one.get("category", "")) == category for one in items])
        found, alarms = here & (labels == 1), here & (labels == 0)
        print(f"{category:<24}{int(here.sum()):>7}{_above(margins[found], bound):>8.3f}"
              f"{_above(margins[alarms], bound):>8.3f}")  # fmt: skip
    return {
        "obfuscated_recall": _above(margins[labels == 1], bound),
        "obfuscated_fpr": _above(margins[labels == 0], bound),
        "obfuscated_recall_shipped": _above(margins[labels == 1], threshold),
        "obfuscated_fpr_shipped": _above(margins[labels == 0], threshold),
    }


def _above(margins: np.ndarray[Any, Any], bound: float) -> float:
    return float((margins > bound).mean()) if len(margins) else 0.0
