"""Text with places marked in it: what a guard found, and where two texts differ. Escaped before anything is marked."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from difflib import SequenceMatcher
from typing import Any

from markupsafe import Markup, escape

MOST_WORDS = 4000
"""Texts with more words are shown side by side unmarked: comparing takes the square of them."""
MOST_PAIRS = 100_000
"""So many places of one text may hold the same word as a place of the other: texts that repeat themselves take the cube
of their words, and who waits is everybody at the console.
"""
_WORDS = re.compile(r"\s+|\w+|[^\w\s]")


def marked(text: str, marks: Sequence[Mapping[str, Any]]) -> Markup:
    """A text with its findings marked; where findings overlap, the first one stands."""
    out, at = [], 0
    for one in sorted(marks, key=lambda mark: (mark["start"], -mark["end"])):
        if one["start"] < at or one["end"] > len(text):
            continue
        out.append(escape(text[at : one["start"]]))
        kind = f"{one['detector']}/{one['kind']}"
        found = text[one["start"] : one["end"]]
        out.append(
            Markup('<mark title="{}">{}<span class="kind">{}</span></mark>').format(one.get("action", ""), found, kind)
        )
        at = one["end"]
    out.append(escape(text[at:]))
    return Markup("").join(out)


def differences(before: str, after: str) -> tuple[Markup, Markup]:
    """Two texts, word by word: what only the first has is `del`, what only the second has is `ins`."""
    left, right = _WORDS.findall(before), _WORDS.findall(after)
    here, there = Counter(left), Counter(right)
    pairs = sum(times * there[word] for word, times in here.items())
    if len(left) + len(right) > MOST_WORDS or pairs > MOST_PAIRS:
        return escape(before), escape(after)
    told: tuple[list[Markup], list[Markup]] = ([], [])
    for kind, i1, i2, j1, j2 in SequenceMatcher(None, left, right, autojunk=False).get_opcodes():
        for side, words, tag in ((0, left[i1:i2], "del"), (1, right[j1:j2], "ins")):
            text = escape("".join(words))
            if text:
                told[side].append(text if kind == "equal" else Markup("<{0}>{1}</{0}>").format(Markup(tag), text))  # noqa: S704
    return Markup("").join(told[0]), Markup("").join(told[1])
