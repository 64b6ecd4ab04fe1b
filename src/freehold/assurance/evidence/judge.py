"""Controls against facts: every framework's rows, every query, and the document made of both. Pure.

Invariant: the same rows and facts give the same document; whoever has it can compute its results anew.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path

import msgspec

from freehold.assurance.evidence import on_access, on_calls, on_models, on_records
from freehold.assurance.evidence.asking import Query, ask
from freehold.assurance.evidence.facts import Facts
from freehold.assurance.evidence.types import Answer, Control, Document, Result, Standing

FORM = 1
RULES = 1
"""Raised when a query changes its meaning."""
FILE = Path(__file__).parent / "data" / "controls.csv"
QUERIES: tuple[Query, ...] = tuple(
    sorted((*on_access.QUERIES, *on_calls.QUERIES, *on_models.QUERIES, *on_records.QUERIES), key=lambda one: one.name)
)
FRAMEWORKS: tuple[tuple[str, str], ...] = (
    ("eu-ai-act", "Regulation (EU) 2024/1689, the AI Act"),
    ("hipaa", "HIPAA Security and Privacy Rules, 45 CFR part 164"),
    ("iso-42001", "ISO/IEC 42001:2023, AI management system"),
    ("nist-ai-rmf", "NIST AI Risk Management Framework 1.0"),
    ("owasp-llm", "OWASP Top 10 for LLM Applications 2025"),
    ("pci-dss", "PCI DSS 4.0.1"),
    ("soc2", "SOC 2, Trust Services Criteria"),
)
"""Names and titles."""


def title_of(framework: str) -> str:
    """Its title; KeyError for one that is not here."""
    return dict(FRAMEWORKS)[framework]


def controls(framework: str = "", path: Path = FILE) -> tuple[Control, ...]:
    """The rows that come with Freehold, in the order of the file; all of them without a framework."""
    with path.open(newline="") as file:
        rows = [msgspec.convert(row, Control) for row in csv.DictReader(file)]
    return tuple(one for one in rows if framework in ("", one.framework))


def document(framework: str, rows: Iterable[Control], facts: Facts, freehold: str, instance: str) -> Document:
    """Every control of a framework, answered by the facts."""
    chosen = tuple(rows)
    wanted = {one.query for one in chosen if one.query}
    answers = tuple(ask(one, facts) for one in QUERIES if one.name in wanted)
    by_name = {one.query: one for one in answers}
    return Document(
        form=FORM,
        rules=RULES,
        framework=framework,
        title=title_of(framework),
        made_at=facts.at,
        freehold=freehold,
        instance=instance,
        results=tuple(_result(one, by_name) for one in chosen),
        answers=answers,
        facts=facts,
    )


def _result(control: Control, answers: dict[str, Answer]) -> Result:
    if not control.query:
        return Result(control=control, standing="person", said="no record of this instance can answer it")
    found = answers.get(control.query)
    if found is None:
        said = f"this version knows no query {control.query}"
        return Result(control=control, standing="unknown", said=said, query=control.query)
    standing: Standing = "in_part" if found.standing == "met" and control.remains else found.standing
    return Result(control=control, standing=standing, said=found.said, query=control.query)
