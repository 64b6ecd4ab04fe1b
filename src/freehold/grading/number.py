"""A number: the last in the text, the boxed one, or a JSON field."""

from __future__ import annotations

import re
from typing import Any

from freehold.grading import options as read
from freehold.grading.agreement import by_score
from freehold.grading.errors import GraderFailed
from freehold.grading.json_text import MISSING, field_of
from freehold.grading.normal import last_number, number_of
from freehold.grading.types import Answer, Grade

_BOXED = re.compile(r"\\boxed\s*\{([^{}]{0,200})\}")


class Number:
    r"""Currency signs, thousands' commas and percent signs do not count.

    Options: `field` (the number stands in this JSON field; the text counts where there is no such field only if
    `strict` is false), `strict` (false), `relative` and `absolute` tolerance (1e-6, 1e-9).
    Without a field the content of the last \boxed{} counts, else the last number.
    """

    name = "number"

    def grade(self, answer: Answer, reference: Answer, options: dict[str, Any]) -> Grade:
        """1 where the numbers are equal within the tolerance, 0 else. Raises GraderFailed."""
        read.known(options, ("absolute", "field", "relative", "strict"))
        wanted = _number(reference.text, options)
        if wanted is None:
            raise GraderFailed("the reference holds no number")
        given = _number(answer.text, options)
        if given is None:
            return Grade(0.0, "no number in the answer")
        slack = max(
            read.number(options, "absolute", 1e-9),
            read.number(options, "relative", 1e-6) * max(abs(wanted), abs(given)),
        )
        return Grade(1.0) if abs(given - wanted) <= slack else Grade(0.0, f"{given:g} instead of {wanted:g}")

    def agrees(self, one: Answer, other: Answer, options: dict[str, Any]) -> bool:
        """True of equal numbers."""
        return by_score(self, one, other, options)


def _number(text: str, options: dict[str, Any]) -> float | None:
    if name := read.text(options, "field"):
        found = field_of(text, name)
        if isinstance(found, bool) or found is None:
            return None
        if isinstance(found, int | float):
            return float(found)
        if isinstance(found, str):
            whole = number_of(found)
            return last_number(found) if whole is None else whole
        if found is not MISSING or read.flag(options, "strict", False):
            return None
    boxed = _BOXED.findall(text)
    return last_number(boxed[-1]) if boxed else last_number(text)
