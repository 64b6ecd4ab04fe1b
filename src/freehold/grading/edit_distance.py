"""Likeness of texts by the normalised distance of Levenshtein (rapidfuzz)."""

from __future__ import annotations

from typing import Any

from freehold.grading import options as read
from freehold.grading.agreement import CLOSE, by_score
from freehold.grading.errors import GraderFailed
from freehold.grading.normal import folded, spaced
from freehold.grading.types import Answer, Grade

LONGEST = 20_000
"""Characters compared: the work is quadratic, so what is longer is cut, on both sides alike."""


class EditDistance:
    """1 minus edits by the longer text's length. For text that is nearly fixed; a reply in free words needs a judge.

    Options: `case` (case counts, false).
    """

    name = "edit_distance"

    def grade(self, answer: Answer, reference: Answer, options: dict[str, Any]) -> Grade:
        """A likeness in [0, 1]. Raises GraderFailed."""
        from rapidfuzz.distance import Levenshtein

        read.known(options, ("case",))
        form = spaced if read.flag(options, "case", False) else folded
        wanted, given = form(reference.text[:LONGEST]), form(answer.text[:LONGEST])
        if not wanted:
            raise GraderFailed("the reference is empty")
        return Grade(float(Levenshtein.normalized_similarity(given, wanted)))

    def agrees(self, one: Answer, other: Answer, options: dict[str, Any]) -> bool:
        """True of texts that are at least 0.9 alike, or as `agree_at` says."""
        return by_score(self, one, other, options, CLOSE)
