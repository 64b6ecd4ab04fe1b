"""Detectors made of patterns: RE2 proposes in linear time, a plain function decides.

Every start is judged by itself, from the characters around it alone, whatever lies before: so a stream can be released
as soon as `unsettled` says so, and overlapping findings are the scanner's to resolve.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol

import re2

from freehold.guard.detectors.prefixes import loosened, parse, prefixes, widest, written
from freehold.guard.errors import BadPattern
from freehold.guard.types import Finding, Piece

LETTERS = r"A-Za-z\x{C0}-\x{1FFF}\x{2C00}-\x{2DFF}\x{3040}-\x{D7FF}\x{F900}-\x{FDFF}"
"""Letters of the scripts in use, for a class: RE2's own class of letters is a hundred times as large an automaton."""
CAPITALS = r"A-Z\x{C0}-\x{DE}\x{100}-\x{24F}\x{370}-\x{3FF}\x{400}-\x{42F}"
"""Capitals, and the small letters that lie among them."""
_WORD = frozenset(b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
_MEMORY = 64 << 20
"""Most bytes of an automaton; it is built as texts need it."""
LONGEST = 1000
"""Characters of a match; RE2 repeats no more often."""


class Regexp(Protocol):
    """What is used of a compiled pattern of RE2, on UTF-8."""

    def search(self, text: bytes, pos: int = 0) -> Any:
        """The leftmost match from `pos`, or None."""


@dataclass(frozen=True, slots=True)
class Hit:
    """What a pattern matched, and what stands around it."""

    value: str
    before: str
    """Up to the detector's `context` characters."""
    after: str
    """Up to the pattern's `after` characters."""


def sure(hit: Hit) -> float:
    """The form alone says it."""
    return 1.0


@dataclass(frozen=True)
class Pattern:
    """One form of one kind. `verify` gives the score of a match, 0 for none."""

    kind: str
    regex: str
    verify: Callable[[Hit], float] = sure
    after: int = 1
    """Characters behind a match that `verify` looks at; one at least, for the boundary."""
    words: str = ""
    """In a text without these words (in any case, a pattern of RE2) `verify` takes no match; "" for none."""
    loose: bool = False
    """May a match begin or end inside a word?"""
    cut: Callable[[str], int] | None = None
    """How many characters of a match count, from them alone; 0 where it is none."""

    @cached_property
    def width(self) -> int:
        """Most characters of a match. Raises BadPattern where there is no bound."""
        found = widest(parse(self.regex))
        if found is None or not 0 < found <= LONGEST:
            raise BadPattern(f"the pattern {self.regex!r} may match more than {LONGEST} characters, or none")
        return found

    @cached_property
    def compiled(self) -> Regexp:
        """Ready for UTF-8."""
        return compiled(self.regex)

    @cached_property
    def arriving(self) -> str:
        """What a text ends in while this may still match, or change."""
        tree = loosened(parse(self.regex))
        behind = f"|{written(tree)}(?s:.){{0,{self.after - 1}}}" if self.after > 1 else ""
        return f"(?:{prefixes(tree)}{behind})"


def compiled(regex: str) -> Regexp:
    """A pattern of RE2 for UTF-8. Raises BadPattern."""
    options = re2.Options()
    options.log_errors = False
    options.max_mem = _MEMORY
    try:
        made: Regexp = re2.compile(regex, options)
    except re2.error as error:
        raise BadPattern(f"RE2 does not take {regex[:80]!r}: {error.args[0]!r}") from None
    return made


@dataclass(frozen=True)
class Patterns:
    """A detector of places from patterns."""

    name: str
    patterns: tuple[Pattern, ...]
    context: int = 80
    version: str = "1"
    also: tuple[str, ...] = field(default=(), kw_only=True)
    """Kinds that `verify` functions of a subclass may name beside the patterns'."""

    @cached_property
    def kinds(self) -> tuple[str, ...]:
        """What it finds, sorted."""
        return tuple(sorted({one.kind for one in self.patterns} | set(self.also)))

    @cached_property
    def span(self) -> int:
        """Longest finding in characters."""
        return max(one.width for one in self.patterns)

    @cached_property
    def _reach(self) -> int:
        return self.span + max(one.after for one in self.patterns) + 1

    @cached_property
    def _tail(self) -> Regexp:
        return compiled(rf"(?:{'|'.join(sorted({one.arriving for one in self.patterns}))})\z")

    def unsettled(self, text: str) -> int:
        """The first position where more text may still bring, or change, a finding."""
        start = max(0, len(text) - self._reach)
        tail = text[start:].encode()
        found = self._tail.search(tail)
        if found is None:
            return len(text)
        return start + len(tail[: found.start()].decode())

    @cached_property
    def _shapes(self) -> Any:
        """Which patterns a text matches somewhere, in one pass."""
        return _set([one.regex for one in self.patterns])

    @cached_property
    def _words(self) -> tuple[tuple[str, ...], Any]:
        """What must be said somewhere for some patterns, and which of it a text says."""
        said = tuple(sorted({one.words for one in self.patterns if one.words}))
        return said, _set([f"(?i){one}" for one in said])

    def _promising(self, data: bytes) -> list[Pattern]:
        """The patterns that can have findings in this text."""
        shaped = [self.patterns[at] for at in sorted(self._shapes.Match(data) or ())]
        if not any(one.words for one in shaped):
            return shaped
        names, words = self._words
        said = {names[at] for at in words.Match(data) or ()}
        return [one for one in shaped if not one.words or one.words in said]

    def find(self, piece: Piece) -> Sequence[Finding]:
        """Every finding, by start; they may overlap."""
        text = piece.text
        data = text.encode()
        places: Sequence[int] | None = None
        found: list[Finding] = []
        for pattern in self._promising(data):
            for first, last in _matches(pattern, data):
                if len(data) == len(text):
                    start, end = first, last
                else:
                    places = places or _characters(data)
                    start, end = places[first], places[last]
                if pattern.cut is not None:
                    end = start + pattern.cut(text[start:end])
                score = self._score(pattern, text, start, end)
                if score > 0:
                    found.append(Finding(detector=self.name, kind=pattern.kind, start=start, end=end, score=score))
        found.sort(key=lambda one: (one.start, -one.end))
        return found

    def _score(self, pattern: Pattern, text: str, start: int, end: int) -> float:
        if end <= start or (not pattern.loose and (_inside(text, start) or _inside(text, end))):
            return 0
        before = text[max(0, start - self.context) : start]
        return pattern.verify(Hit(text[start:end], before, text[end : end + pattern.after]))


def _set(patterns: Sequence[str]) -> Any:
    options = re2.Options()
    options.log_errors = False
    options.max_mem = _MEMORY
    made = re2.Set.SearchSet(options)
    for one in patterns:
        made.Add(one)
    made.Compile()
    return made


def _inside(text: str, at: int) -> bool:
    """Does a word go on across `at`?"""
    return 0 < at < len(text) and text[at - 1].isalnum() and text[at].isalnum()


def _matches(pattern: Pattern, data: bytes) -> Iterator[tuple[int, int]]:
    """The match at every start that has one, as bytes; starts inside a word of ASCII only where that counts."""
    at = 0
    while (found := pattern.compiled.search(data, at)) is not None:
        first, last = found.span()
        if last > first:
            yield first, last
        at = first + 1
        while at < len(data) and (
            data[at] & 0xC0 == 0x80 or (not pattern.loose and data[at] in _WORD and data[at - 1] in _WORD)
        ):
            at += 1
        if at >= len(data):
            return


def _characters(data: bytes) -> list[int]:
    """The character that each byte belongs to; one more for the end."""
    import numpy as np

    first = (np.frombuffer(data, dtype=np.uint8) & 0xC0) != 0x80
    places: list[int] = (np.cumsum(first) - 1).tolist()
    return [*places, int(first.sum())]
