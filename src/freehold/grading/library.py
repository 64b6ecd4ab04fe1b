"""Scorers of the library autoevals that need no model. Offline only: its import is too slow for a live call."""

from __future__ import annotations

from typing import Any

from freehold.grading import options as read
from freehold.grading.agreement import CLOSE, by_score
from freehold.grading.errors import GraderFailed
from freehold.grading.json_text import MISSING, json_of
from freehold.grading.normal import number_of
from freehold.grading.types import Answer, Grade

SCORERS = ("JSONDiff", "NumericDiff")


class Library:
    """Graded likeness where ours know right and wrong only.

    Options: `scorer`: `JSONDiff` (likeness of two JSON values), `NumericDiff` (nearness of two numbers).
    """

    name = "autoevals"

    def grade(self, answer: Answer, reference: Answer, options: dict[str, Any]) -> Grade:
        """In [0, 1]. Raises GraderFailed where the reference is not of the kind that the scorer compares."""
        read.known(options, ("scorer",))
        name = read.text(options, "scorer")
        if name not in SCORERS:
            raise GraderFailed(f"there is no scorer {name!r}; there are {', '.join(SCORERS)}", param="scorer")
        wanted, given = _value(reference.text, name), _value(answer.text, name)
        if wanted is MISSING:
            raise GraderFailed(f"the reference is nothing that {name} compares")
        if given is MISSING:
            return Grade(0.0, f"nothing that {name} compares")
        score = _scorer(name).eval(output=given, expected=wanted).score
        return Grade(min(1.0, max(0.0, float(score or 0.0))))

    def agrees(self, one: Answer, other: Answer, options: dict[str, Any]) -> bool:
        """True of values that are at least 0.9 alike, or as `agree_at` says."""
        return by_score(self, one, other, options, CLOSE)


def _value(text: str, scorer: str) -> Any:
    if scorer == "NumericDiff":
        found = number_of(text)
        return MISSING if found is None else found
    return json_of(text)


def _scorer(name: str) -> Any:
    if name == "NumericDiff":
        from autoevals.number import NumericDiff

        return NumericDiff()
    from autoevals.json import JSONDiff

    return JSONDiff()
