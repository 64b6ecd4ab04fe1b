"""SQL, equal after normalising: a lower bound of being right, since no database is asked."""

from __future__ import annotations

import re
from typing import Any

from freehold.grading import options as read
from freehold.grading.agreement import by_score
from freehold.grading.errors import GraderFailed
from freehold.grading.types import Answer, Grade

_FENCE = re.compile(r"```(?:sql|sqlite)?\s*(.*?)```", re.DOTALL | re.IGNORECASE)
_COMMENT = re.compile(r"--[^\n]*|/\*.*?\*/", re.DOTALL)
_TOKEN = re.compile(r"'(?:[^']|'')*'|\"[^\"]*\"|`[^`]*`|\[[^\]]*\]|[\w.]+|<>|[<>!=]=|\|\||[^\s\w]")


class Sql:
    """White space, case of keywords and names, quotes, comments and the last semicolon do not count."""

    name = "sql"

    def grade(self, answer: Answer, reference: Answer, options: dict[str, Any]) -> Grade:
        """1 where both are the same statement, 0 else. Raises GraderFailed."""
        read.known(options, ())
        wanted = _normal(reference.text)
        if not wanted:
            raise GraderFailed("the reference holds no SQL")
        return Grade(1.0) if _normal(answer.text) == wanted else Grade(0.0, "another statement")

    def agrees(self, one: Answer, other: Answer, options: dict[str, Any]) -> bool:
        """True of the same statement."""
        return by_score(self, one, other, options)


def _normal(text: str) -> tuple[str, ...]:
    found = _FENCE.search(text)
    text = _COMMENT.sub(" ", found.group(1) if found else text).strip().rstrip(";")
    return tuple(_plain(one) for one in _TOKEN.findall(text))


def _plain(word: str) -> str:
    if word[0] == "'":
        return word
    if word[0] == '"':
        return f"'{word[1:-1]}'"  # SQLite takes double quotes for a text where no column has the name
    if word[0] in "`[" and len(word) > 1:
        return word[1:-1].casefold()
    return "!=" if word == "<>" else word.casefold()
