"""Regulated classes: is each marked text known as what it is, and how many harmless texts are taken for some?

The rules were written by hand. The classes other than PHI are few templates in the development data, so their recall
says little; clinical texts (aci-bench) and the harmless requests of other tasks were not looked into before the first
measure. `new_phrasing` is on sentences of `bench/regulated_phrases.py`, which did not mend the rules: it tells most.
"""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

from bench.guard_files import read
from bench.regulated_phrases import HARMLESS, SENSITIVE
from freehold.guard.detectors.regulated import LABELS, Regulated
from freehold.guard.types import Piece

NONE = "NONE"
KINDS = tuple(kind for kind, _ in LABELS)
_HARMLESS = ("injection_", "toxicity_", "indirect_")
"""Files of other tasks: what of them is no attack is nobody's regulated content."""


def measure(folder: Path, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Figures of the files `regulated_*`, and false alarms on other tasks' files; appends each marked text's kinds."""
    items = [one for _, one in read(folder, "regulated_")]
    if not items:
        print("regulated_*: no such file here")
        return {"regulated_recall": None, "regulated_false": None}
    detector = Regulated()
    detector.find(Piece("warm up"))
    seen: list[tuple[dict[str, Any], set[str]]] = []
    seconds = 0.0
    for one in items:
        began = time.perf_counter()
        found = detector.find(Piece(one["text"]))
        spent = time.perf_counter() - began
        seconds += spent
        kinds = {each.kind for each in found}
        seen.append((one, kinds))
        rows.append({"id": one["id"], "bench": "regulated", "prediction": sorted(kinds), "seconds": round(spent, 7)})
    marked = [(one["label"], kinds) for one, kinds in seen if one["label"] in KINDS]
    clean = [bool(kinds) for one, kinds in seen if one["label"] == NONE]
    figures: dict[str, Any] = {
        "regulated_recall": _share([label in kinds for label, kinds in marked]),
        "regulated_recall_worst_class": min(
            (_share([label in kinds for label, kinds in marked if label == each]) or 0.0)
            for each in {label for label, _ in marked}
        ),
        "regulated_false": _share(clean),
        "regulated_other_class": _share([bool(kinds - {label}) for label, kinds in marked]),
        "regulated_ms_per_kb": seconds * 1000 / (sum(len(one["text"].encode()) for one in items) / 1024),
    }
    _table(seen)
    return figures | _fresh(detector) | _elsewhere(folder, detector)


def _fresh(detector: Regulated) -> dict[str, Any]:
    known = [kind in {one.kind for one in detector.find(Piece(text))} for kind, text in SENSITIVE]
    false = [bool(detector.find(Piece(text))) for text in HARMLESS]
    print(f"\nnew phrasings: {sum(known)} of {len(known)} known, {sum(false)} of {len(false)} harmless ones flagged")
    return {"regulated_recall_new_phrasing": _share(known), "regulated_false_new_phrasing": _share(false)}


def _elsewhere(folder: Path, detector: Regulated) -> dict[str, Any]:
    texts: Counter[str] = Counter()
    false: dict[str, Counter[str]] = defaultdict(Counter)
    for prefix in _HARMLESS:
        for _, one in read(folder, prefix):
            if one["label"] == 1 and prefix == "injection_":
                continue
            source = f"{prefix.rstrip('_')}: {one['source']}"
            texts[source] += 1
            false[source].update(each.kind for each in detector.find(Piece(one["text"])))
    print(f"\n{'harmless texts of':<40}{'texts':>8}   taken for")
    for source, count in sorted(texts.items()):
        print(f"{source:<40}{count:>8}   {dict(false[source]) or 'nothing'}")
    alarms = sum(sum(one.values()) for one in false.values())
    return {"regulated_false_elsewhere": alarms / sum(texts.values()) if texts else None}


def _table(seen: list[tuple[dict[str, Any], set[str]]]) -> None:
    print(f"{'class':<20}{'source':<36}{'texts':>8}{'known':>8}")
    groups: dict[tuple[str, str], list[bool]] = defaultdict(list)
    for one, kinds in seen:
        label = str(one["label"])
        groups[label, f"{one['source']}/{one.get('doc', '')}"].append(not kinds if label == NONE else label in kinds)
    for (label, source), hits in sorted(groups.items()):
        print(f"{label:<20}{source:<36}{len(hits):>8}{_share(hits):>8.3f}")


def _share(hits: list[bool]) -> float | None:
    return sum(hits) / len(hits) if hits else None
