"""Evidence in OSCAL 1.1.2, model Assessment Results (NIST), as far as it says what ours says. Pure.

Ids are name-based UUIDs of what they stand for, so the same document gives the same bytes.
"""

from __future__ import annotations

import re
import uuid
from typing import Any

import msgspec

from freehold.assurance.evidence.types import Answer, Document, Result

VERSION = "1.1.2"
NAMESPACE = uuid.UUID("6f0f5a52-5a3c-5d8e-9b0e-3f6a1c1b7d10")
"""Ours, drawn once."""
_TOKEN = re.compile(r"[^A-Za-z0-9_.-]+")


def assessment_results(found: Document) -> bytes:
    """The JSON document."""
    of = f"{found.instance}/{found.framework}/{found.made_at}"

    def named(what: str) -> str:
        return str(uuid.uuid5(NAMESPACE, f"{of}/{what}"))

    observations = [_observation(one, found, named) for one in found.answers]
    result: dict[str, Any] = {
        "uuid": named("result"),
        "title": f"Records of the instance {found.instance}",
        "description": "Computed from the records of one instance; what needs a person is left to one.",
        "start": found.facts.since,
        "end": found.facts.at,
        "reviewed-controls": {
            "control-selections": [
                {
                    "include-controls": [
                        {"control-id": one} for one in sorted({_control(each) for each in found.results})
                    ]
                }
            ]
        },
        "findings": [_finding(number, one, named) for number, one in enumerate(found.results)],
    }
    if observations:
        result["observations"] = observations
    whole = {
        "assessment-results": {
            "uuid": named("document"),
            "metadata": {
                "title": f"Evidence: {found.title}",
                "last-modified": found.made_at,
                "version": found.freehold,
                "oscal-version": VERSION,
            },
            "import-ap": {
                "href": "evidence.json",
                "remarks": "There is no assessment plan: controls and queries stand in this file.",
            },
            "results": [result],
        }
    }
    return msgspec.json.format(msgspec.json.encode(whole), indent=1) + b"\n"


def _control(one: Result) -> str:
    text = _TOKEN.sub("-", f"{one.control.framework}-{one.control.reference}").strip("-.")
    return text.lower()


def _finding(number: int, one: Result, named: Any) -> dict[str, Any]:
    state = "satisfied" if one.standing == "met" else "not-satisfied"
    finding: dict[str, Any] = {
        "uuid": named(f"finding/{number}"),
        "title": f"{one.control.reference}: {one.control.title}",
        "description": f"{one.said}. {one.control.asks}",
        "props": [{"name": "standing", "ns": "urn:freehold:evidence", "value": one.standing.replace("_", "-")}],
        "target": {
            "type": "objective-id",
            "target-id": _control(one),
            "status": {"state": state, "reason": "pass" if one.standing == "met" else _REASONS[one.standing]},
        },
    }
    if one.query:
        finding["related-observations"] = [{"observation-uuid": named(f"observation/{one.query}")}]
    if one.control.remains:
        finding["remarks"] = f"For a person: {one.control.remains}"
    return finding


_REASONS = {"not_met": "fail", "unknown": "other", "no_records": "other", "person": "other", "in_part": "other"}


def _observation(one: Answer, found: Document, named: Any) -> dict[str, Any]:
    told = "".join(f" {each.record}: {each.why}." for each in one.findings)
    return {
        "uuid": named(f"observation/{one.query}"),
        "title": one.query,
        "description": f"{one.asked} {one.said}.{told}",
        "methods": ["TEST"],
        "relevant-evidence": [
            {"href": "evidence.json", "description": f"Section {each} of its facts"} for each in one.records
        ],
        "collected": found.made_at,
    }
