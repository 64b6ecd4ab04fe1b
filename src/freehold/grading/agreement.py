"""When two answers count as the same. Symmetric whatever the grader, and never true of an answer that says nothing."""

from __future__ import annotations

from typing import Any

from freehold.grading.errors import GraderFailed
from freehold.grading.options import fraction
from freehold.grading.types import Answer, Grader

EXACT = 1.0
CLOSE = 0.9
"""Of graders of likeness: how alike two texts must be to count as the same."""


def by_score(grader: Grader, one: Answer, other: Answer, options: dict[str, Any], least: float = EXACT) -> bool:
    """True where each answer, graded against the other, reaches `agree_at` (of the options; else `least`)."""
    least = fraction(options, "agree_at", least)
    if one.refusal or other.refusal:
        return False
    try:
        return all(grader.grade(a, b, options).score >= least - 1e-9 for a, b in ((one, other), (other, one)))
    except GraderFailed:
        return False
