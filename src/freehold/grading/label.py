"""Exact label: the answer is one word or phrase of a fixed set."""

from __future__ import annotations

import re
from typing import Any

from freehold.grading import options as read
from freehold.grading.agreement import by_score
from freehold.grading.errors import GraderFailed
from freehold.grading.json_text import MISSING, field_of
from freehold.grading.normal import bare
from freehold.grading.types import Answer, Grade

_PREFIX = re.compile(r"^[a-z][a-z _-]{0,24}:\s*")


class Label:
    """Case, quotes, marks and punctuation around a label do not count.

    Options: `prefix` (drop `label: ` and its like, true), `field` (the label stands in this JSON field),
    `case` (case counts, false), `labels` (the set: an answer outside it is wrong and said so).
    """

    name = "label"

    def grade(self, answer: Answer, reference: Answer, options: dict[str, Any]) -> Grade:
        """1 where the labels are equal, 0 else. Raises GraderFailed."""
        read.known(options, ("case", "field", "labels", "prefix"))
        wanted = _label(reference, options)
        if not wanted:
            raise GraderFailed("the reference holds no label")
        given = _label(answer, options)
        if given == wanted:
            return Grade(1.0)
        known = {_normal(one, options) for one in read.texts(options, "labels")}
        if known and given not in known:
            return Grade(0.0, f"{given[:60]!r} is none of the labels")
        return Grade(0.0, f"{given[:60]!r} instead of {wanted[:60]!r}")

    def agrees(self, one: Answer, other: Answer, options: dict[str, Any]) -> bool:
        """True of equal labels."""
        return by_score(self, one, other, options)


def _label(answer: Answer, options: dict[str, Any]) -> str:
    text = answer.text
    if name := read.text(options, "field"):
        found = field_of(text, name)
        text = "" if found is MISSING or found is None else str(found)
    return _normal(text, options)


def _normal(text: str, options: dict[str, Any]) -> str:
    plain = bare(text)
    if read.flag(options, "prefix", True):
        plain = bare(_PREFIX.sub("", plain)) or plain
    if read.flag(options, "case", False):
        at = text.casefold().find(plain)
        return text[at : at + len(plain)] if at >= 0 else plain
    return plain
