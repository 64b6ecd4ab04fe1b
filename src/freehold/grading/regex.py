"""Regular expressions, by RE2: time is linear in the text, whatever the pattern."""

from __future__ import annotations

from typing import Any

from freehold.grading import options as read
from freehold.grading.agreement import by_score
from freehold.grading.errors import GraderFailed
from freehold.grading.normal import folded
from freehold.grading.types import Answer, Grade

LONGEST = 200_000
"""Characters searched."""


class Regex:
    """What a pattern finds in the answer equals what it finds in the reference; the first group counts, or all.

    Options: `pattern` (RE2 syntax: no back references, no look-around), `blind` (the reference does not count: the
    pattern must only be found; false), `case` (case of what is found counts, false).
    """

    name = "regex"

    def grade(self, answer: Answer, reference: Answer, options: dict[str, Any]) -> Grade:
        """1 or 0. Raises GraderFailed where the pattern is none, or finds nothing in the reference."""
        read.known(options, ("blind", "case", "pattern"))
        given = _found(answer.text, options)
        if read.flag(options, "blind", False):
            return Grade(1.0) if given is not None else Grade(0.0, "the pattern finds nothing")
        wanted = _found(reference.text, options)
        if wanted is None:
            raise GraderFailed("the pattern finds nothing in the reference")
        if given is None:
            return Grade(0.0, "the pattern finds nothing")
        return Grade(1.0) if given == wanted else Grade(0.0, f"{given[:60]!r} instead of {wanted[:60]!r}")

    def agrees(self, one: Answer, other: Answer, options: dict[str, Any]) -> bool:
        """True where the pattern finds the same in both, also of a blind one."""
        return by_score(self, one, other, {**options, "blind": False})


def _found(text: str, options: dict[str, Any]) -> str | None:
    import re2

    pattern = read.text(options, "pattern")
    if not pattern:
        raise GraderFailed("a regular expression is needed: option 'pattern'", param="pattern")
    try:
        made = re2.compile(pattern)
    except re2.error as error:
        raise GraderFailed(f"the pattern is not valid: {error}", param="pattern") from None
    found = made.search(text[:LONGEST])
    if found is None:
        return None
    groups = found.groups()
    value = found.group() if not groups else groups[0] or ""
    return value.strip() if read.flag(options, "case", False) else folded(value)
