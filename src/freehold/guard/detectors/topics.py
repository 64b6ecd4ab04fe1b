"""Topics of the owner's: what a text is about, by the words and patterns that are listed under a name.

A topic with several words is found where at least two different ones stand in a text, one with a single word or a
pattern where that does: a word alone says little. Judges a text as one; to act on the words themselves use `custom`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from freehold.guard.errors import BadPattern
from freehold.guard.types import Custom, Finding, Piece


class Topics:
    """Judges a text as one."""

    name = "topics"
    version = "1"
    span = 0
    context = 0

    def __init__(self, topics: Sequence[Custom]) -> None:
        """Raises BadPattern for a pattern that RE2 does not know."""
        self.kinds = tuple(one.name for one in topics)
        self._topics = tuple((one.name, _words(one.words), _pattern(one), len(set(one.words))) for one in topics)

    def find(self, piece: Piece) -> Sequence[Finding]:
        """One finding a topic, over the whole text, by the topics' order; more of its words score higher."""
        found: list[Finding] = []
        folded = piece.text.casefold()
        for kind, words, pattern, listed in self._topics:
            seen = len({one[0] for one in words.finditer(folded)}) if words is not None else 0
            sure = 1 - 0.5**seen if seen >= min(2, max(1, listed)) else 0.0
            if pattern is not None and pattern.search(piece.text):
                sure = 1.0
            if sure:
                found.append(Finding(detector=self.name, kind=kind, start=0, end=len(piece.text), score=sure))
        return found


def topics(listed: Sequence[Custom]) -> Topics | None:
    """The detector; None where nothing is listed."""
    return Topics(listed) if listed else None


def _words(words: Sequence[str]) -> re.Pattern[str] | None:
    folded = sorted({one.casefold().strip() for one in words if one.strip()}, key=lambda one: (-len(one), one))
    if not folded:
        return None
    return re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, folded))})(?!\w)")


def _pattern(topic: Custom) -> Any:
    if not topic.pattern:
        return None
    import re2

    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(topic.pattern, options)
    except re2.error as error:
        raise BadPattern(f"topic {topic.name!r}: {error}") from None
