"""Readings of a text: what it says once invisible characters, look-alikes, codes and disguises are undone.

Each reading knows the stretch of the original that it came from. Pure; depth and the characters of all readings
together are bounded by the length of the text, so the whole is linear. Nothing is cut: a reading is whole or absent.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator

import msgspec

from freehold.guard.ciphers import disguises, leet, spaced
from freehold.guard.codes import CODES
from freehold.guard.unseen import Edit, fold, smuggled

_DEPTH = 3
"""A code in a code in a code; what is deeper stays as it is."""
_GROWTH = 12
"""Readings together hold at most so many times the characters of the text (and 4,096 more)."""


class View(msgspec.Struct, frozen=True):
    """One reading of `start:end` of the original."""

    text: str
    start: int
    end: int
    how: tuple[str, ...]
    """Codes undone, outermost first."""
    edits: tuple[Edit, ...] = ()
    """Where it keeps the original's letters between changes; empty where every position means the whole stretch."""

    def place(self, start: int, end: int) -> tuple[int, int]:
        """The stretch of the original that `start:end` of this reading came from; whole edits, never parts."""
        if not self.edits:
            return self.start, self.end
        return self._old(start, last=False), max(self._old(end, last=True), self._old(start, last=False))

    def _old(self, at: int, *, last: bool) -> int:
        index = bisect_right(self.edits, at - last, key=lambda edit: edit.start) - 1
        if index < 0:
            return at
        edit = self.edits[index]
        if at < edit.end or (last and at == edit.end):
            return edit.old_end if last else edit.old_start
        return edit.old_end + at - edit.end


def views(text: str) -> tuple[View, ...]:
    """Readings of `text` other than itself, without repeats: folded first, then decoded stretches, then disguises."""
    found: list[View] = []
    known = {text}
    left = _GROWTH * len(text) + 4096
    for view in _read(text):
        if view.text in known or len(view.text) > left or not view.text.strip():
            continue
        known.add(view.text)
        left -= len(view.text)
        found.append(view)
    return tuple(found)


def _read(text: str) -> Iterator[View]:
    """All readings, breadth first: of the text, then of what its codes say."""
    level = [View(text, 0, len(text), ())]
    for depth in range(_DEPTH):
        after: list[View] = []
        for view in level:
            folded = fold(view.text)
            if folded.text != view.text:
                edits = folded.edits if depth == 0 else ()
                yield View(folded.text, view.start, view.end, (*view.how, "folded"), edits)
            decoded = list(_decoded(view, view.text, depth))
            if folded.text != view.text:
                decoded += _decoded_folded(view, folded.text, folded.edits, depth)
            yield from decoded
            after += decoded
            for name, plain in _disguises(folded.text):
                if plain != folded.text:
                    yield View(plain, view.start, view.end, (*view.how, name))
        level = after


def _decoded(view: View, text: str, depth: int) -> Iterator[View]:
    """Stretches of a reading that are in a code."""
    for start, end, name, plain in _stretches(text):
        place = (start, end) if depth == 0 else (view.start, view.end)
        yield View(plain, *place, (*view.how, name))


def _decoded_folded(view: View, text: str, edits: tuple[Edit, ...], depth: int) -> list[View]:
    """As `_decoded`, of the folded reading: a code whose letters were themselves disguised."""
    if depth or not edits:
        return [View(plain, view.start, view.end, (*view.how, "folded", name))
                for _start, _end, name, plain in _stretches(text)]  # fmt: skip
    whole = View(text, 0, view.end, (), edits)
    return [View(plain, *whole.place(start, end), ("folded", name)) for start, end, name, plain in _stretches(text)]


def _stretches(text: str) -> Iterator[tuple[int, int, str, str]]:
    for start, end, plain in smuggled(text):
        yield start, end, "smuggled", plain
    for code in CODES:
        if code.sign and code.sign not in text:
            continue
        for match in code.pattern.finditer(text):
            plain = code.decode(match.group())
            if plain and plain != match.group():
                yield match.start(), match.end(), code.name, plain
    for start, end, plain in spaced(text):
        yield start, end, "spaced", plain


def _disguises(text: str) -> Iterator[tuple[str, str]]:
    plain = leet(text)
    if plain:
        yield "leet", plain
    yield from disguises(text)
