"""Personal data: spans found against spans marked.

Structured kinds have a form of their own (numbers, mail, network addresses); names, places and days have none. A marked
span counts as found where findings of the profile `protect` for personal data cover half of it or more; a finding is
right where it shares half of itself or of a marked span of a kind that it may stand for.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from bench.guard_files import read
from freehold.guard.detectors.pii import pii
from freehold.guard.detectors.registry import load
from freehold.guard.types import Detector, Finding, Piece, Profile

_LEFT_OUT = (
    "ADDRESS AGE BUILDING BUILDINGNUMBER CITY COMPANY COMPANY_NAME COUNTRY COUNTY DATE DATE_TIME DOMAIN DOMAIN_NAME "
    "FACILITY FIRSTNAME FIRST_NAME GENDER GIVENNAME GPE JOB JOBTITLE LASTNAME LAST_NAME LOC LOCATION MIDDLENAME "
    "NAME NATIONALITY NORP NRP ORG ORGANIZATION PASSWORD PER PERSON POSTCODE PREFIX SEX STATE STREET STREET_ADDRESS "
    "SURNAME TIME TITLE URL USERNAME USER_NAME ZIPCODE ZIP_CODE"
)
UNSTRUCTURED = frozenset(_LEFT_OUT.split())
"""Kinds that the headline leaves out: they are measured beside it."""
_ALSO = {"DOB": {"DATE", "DATE_TIME"}, "POSTCODE": {"ADDRESS"}, "URL": {"DOMAIN", "DOMAIN_NAME"}}
LEAST = 0.5
"""Score from which a finding is acted on, as in a rule that names none."""


def measure(folder: Path, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Figures of the files `pii_*`; appends each text's findings to `rows`."""
    items = [one for path, one in read(folder, "pii_")]
    if not items:
        print("pii_*: no such file here")
        return {"pii_recall": None, "pii_precision": None, "ms_per_kb": None}
    detector = pii()
    cold, _ = _all(detector, items)
    seconds, found = _all(detector, items)
    for one, seen, spent in zip(items, found, seconds, strict=True):
        rows.append(_row(one, seen, spent))
    size = sum(len(one["text"].encode()) for one in items) / 1024
    print(f"{len(items)} texts, {size:.0f} KB; the first pass, which builds automata and loads numbering plans, took "
          f"{sum(cold) * 1000 / size:.2f} ms/KB")  # fmt: skip
    structured = Score(items, found, lambda kind: kind not in UNSTRUCTURED)
    figures: dict[str, Any] = {
        "pii_recall": structured.recall,
        "pii_precision": structured.precision,
        "ms_per_kb": sum(seconds) * 1000 / size,
        "pii_spans": structured.marked,
    }
    _table("source", items, found, lambda one: one["source"])
    _table("locale", items, found, lambda one: one.get("locale", one.get("lang", "")))
    kinds = sorted({kind for one in items for *_, kind in one["spans"]})
    print(f"\n{'kind':<16}{'marked':>8}{'recall':>8}{'found':>8}{'precision':>11}")
    for kind in kinds:
        own = Score(items, found, lambda each, kind=kind: each == kind)
        print(f"{kind:<16}{own.marked:>8}{_shown(own.recall):>8}{own.made:>8}{_shown(own.precision):>11}")
    figures |= _names(items)
    return figures


def _all(detector: Detector, items: list[dict[str, Any]]) -> tuple[list[float], list[list[Finding]]]:
    """Seconds of the processor, and findings, of each text."""
    seconds, found = [], []
    for one in items:
        began = time.process_time()
        seen = detector.find(Piece(one["text"]))
        seconds.append(time.process_time() - began)
        found.append(resolved(each for each in seen if each.score >= LEAST))
    return seconds, found


class Score:
    """Recall and precision over the kinds that `counts`."""

    def __init__(self, items: list[dict[str, Any]], found: list[list[Finding]], counts: Any) -> None:
        self.marked = self.hit = self.made = self.right = 0
        for one, seen in zip(items, found, strict=True):
            for start, end, kind in one["spans"]:
                if counts(kind):
                    self.marked += 1
                    covered = sum(max(0, min(end, each.end) - max(start, each.start)) for each in seen)
                    self.hit += covered * 2 >= end - start
            for each in seen:
                if counts(each.kind):
                    self.made += 1
                    self.right += any(_same(each, span, counts) for span in one["spans"])

    @property
    def recall(self) -> float | None:
        """Marked spans found."""
        return self.hit / self.marked if self.marked else None

    @property
    def precision(self) -> float | None:
        """Findings that are right."""
        return self.right / self.made if self.made else None


def _same(each: Finding, span: tuple[int, int, str], counts: Any) -> bool:
    start, end, kind = span
    shared = min(end, each.end) - max(start, each.start)
    return shared * 2 >= min(end - start, each.end - each.start) and (counts(kind) or kind in _ALSO.get(each.kind, ()))


def resolved(findings: Iterable[Finding]) -> list[Finding]:
    """Those that would be replaced: the leftmost, then the longest."""
    kept: list[Finding] = []
    for one in findings:
        if not kept or one.start >= kept[-1].end:
            kept.append(one)
    return kept


def _table(title: str, items: list[dict[str, Any]], found: list[list[Finding]], by: Any) -> None:
    groups: dict[str, list[int]] = defaultdict(list)
    for index, one in enumerate(items):
        groups[by(one)].append(index)
    print(f"\n{title:<30}{'texts':>7}{'marked':>8}{'recall':>8}{'found':>8}{'precision':>11}   structured kinds")
    for name, places in sorted(groups.items()):
        own = Score([items[at] for at in places], [found[at] for at in places], lambda kind: kind not in UNSTRUCTURED)
        print(
            f"{name:<30}{len(places):>7}{own.marked:>8}{_shown(own.recall):>8}{own.made:>8}{_shown(own.precision):>11}"
        )


def _names(items: list[dict[str, Any]]) -> dict[str, Any]:
    """Names, in the base and with the extra where it is installed."""
    figures: dict[str, Any] = {}
    base = pii()
    detectors: list[tuple[str, list[Detector]]] = [("names_base", [base])]
    more = load(["names"], Profile(name="bench"))
    if "names" in more:
        try:
            more["names"].find(Piece("warm up"))
            detectors.append(("names_extra", [base, more["names"]]))
        except ImportError:
            print("\nnames: the extra is not installed (pip install 'freehold[names]')")
    for name, used in detectors:
        kept = []
        began = time.perf_counter()
        for one in items:
            seen = [each for detector in used for each in detector.find(Piece(one["text"])) if each.score >= LEAST]
            kept.append([each for each in seen if each.kind == "PERSON"])
        spent = time.perf_counter() - began
        own = Score(items, kept, lambda kind: kind == "PERSON")
        figures |= {f"{name}_recall": own.recall, f"{name}_precision": own.precision}
        size = sum(len(one["text"].encode()) for one in items) / 1024
        print(
            f"{name}: recall {_shown(own.recall)}, precision {_shown(own.precision)}, {spent * 1000 / size:.1f} ms/KB"
        )
    return figures


def _row(one: dict[str, Any], found: list[Finding], spent: float) -> dict[str, Any]:
    return {
        "id": one["id"],
        "bench": "pii",
        "prediction": [[each.start, each.end, each.kind] for each in found],
        "score": max((each.score for each in found), default=0.0),
        "seconds": spent,
    }


def _shown(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
