"""The owner's own patterns and words, as one detector whose kinds are their names."""

from __future__ import annotations

import re
from collections.abc import Sequence

from freehold.guard.detectors.patterns import LONGEST, Pattern, Patterns
from freehold.guard.detectors.prefixes import Node, parse, widest, written
from freehold.guard.errors import BadPattern
from freehold.guard.types import Custom

_ENDLESS = 128
"""Characters that an endless repeat (`*`, `+`) takes at most: what is longer is found in parts."""


def custom(names: Sequence[Custom]) -> Patterns | None:
    """The detector `custom`; None where nothing is named. Raises BadPattern."""
    patterns: list[Pattern] = []
    for at, one in enumerate(names):
        try:
            patterns += _patterns(one)
        except BadPattern as error:
            error.param = f"custom.{at}"
            raise
    return Patterns("custom", tuple(patterns), context=1) if patterns else None


def _patterns(one: Custom) -> list[Pattern]:
    found = []
    if one.pattern:
        found.append(Pattern(one.name, _bounded(one.pattern), loose=True))
    longest_first = sorted(set(one.words), key=lambda word: (-len(word), word))
    if any(not word.strip() or len(word) > LONGEST for word in longest_first):
        raise BadPattern(f"{one.name!r} has a word that is empty or too long")
    if longest_first:
        words = "|".join(_literal(word) for word in longest_first)
        found.append(Pattern(one.name, f"(?i)(?:{words})"))
    if not found:
        raise BadPattern(f"{one.name!r} has neither a pattern nor words")
    for each in found:
        _ = each.width, each.compiled, each.arriving
    return found


def _literal(word: str) -> str:
    return re.sub(r"([^\w\s]|_)", r"\\\1", word) if word.isascii() else re.sub(r"([!-/:-@\[-`{-~])", r"\\\1", word)


def _bounded(pattern: str) -> str:
    tree = parse(pattern)
    if widest(tree) is not None:
        return pattern
    return written(_shortened(tree), _ENDLESS)


def _shortened(node: Node) -> Node:
    """Endless repeats of more than one character take fewer, so that the whole stays within bounds."""
    if node.kind == "repeat" and node.most is None:
        inner = _shortened(node.parts[0])
        width = widest(inner) or 1
        return node._replace(
            parts=(inner,), most=max(node.least, min(_ENDLESS, 4 * _ENDLESS // max(width, 1), LONGEST))
        )
    return node._replace(parts=tuple(_shortened(one) for one in node.parts))
