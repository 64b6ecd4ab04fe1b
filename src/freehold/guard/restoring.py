"""Finds stand-ins in what a model wrote, whole or as it arrives, and puts the values back.

Stream and whole text give the same: a stretch is held back while more text could still make a stand-in of it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec

from freehold.guard.stand_ins import Shape, StandIn, laid, squeezed, styled

_DASHES = "-_ \u2010\u2011"
"""What models write for the dash of a code."""
_SEPARATORS = "-. \u00a0"
"""What models put between the characters of a number."""
_CONTEXT = 6
"""Characters before a match that decide on it: at most one escaped character of JSON."""
_ALONE = "(?<![0-9A-Za-z])"
_END = "(?![0-9A-Za-z])"
_ALONE_IN_JSON = rf"(?:{_ALONE}|(?<=\\[bfnrt])|(?<=\\u[0-9a-fA-F]{{4}}))"

_SMALL = {code: code + 32 for code in range(ord("A"), ord("Z") + 1)}
_DASHED = {ord(one): "-" for one in _DASHES}


class Known(msgspec.Struct, frozen=True):
    """A stand-in and what it stands for."""

    made: StandIn
    value: str


class Matcher:
    """All stand-ins of one call as one pattern; the longest wins. Immutable."""

    def __init__(self, known: Iterable[Known], *, escaped: bool = False) -> None:
        """`escaped`: the text is JSON, and values are put back as the inside of its strings."""
        every = sorted(known, key=lambda one: (-len(one.made.text), one.made.text))
        self._escaped = escaped
        self._exact = {one.made.text: one for one in every if one.made.shape != "number"}
        self._folded: dict[str, Known] = {}
        self._begun: dict[Shape, set[str]] = {"code": set(), "exact": set(), "name": set(), "number": set()}
        self._whole: set[str] = set()
        for one in every:
            key = _key(one.made)
            self._folded.setdefault(key, one)
            begun = one.made.text.lower() if one.made.shape == "code" else key
            self._begun[one.made.shape].update(begun[:size] for size in range(1, len(begun)))
            if one.made.shape in {"exact", "number"}:
                self._whole.add(key)  # what follows says whether it is one
        left = _ALONE_IN_JSON if escaped else _ALONE
        self._pattern = re.compile(any_of(_atoms(one.made, left) for one in every), re.IGNORECASE | re.ASCII)
        self._longest = max((_reach(one.made) for one in every), default=0)

    def restore(self, text: str, begin: int = 0) -> str:
        """`text[begin:]` with values in place of their stand-ins."""
        out: list[str] = []
        while found := self._pattern.search(text, begin):
            out += (text[begin : found.start()], self._value(found[0]))
            begin = found.end()
        return "".join((*out, text[begin:]))

    def release(self, text: str, begin: int) -> tuple[str, int]:
        """What of `text[begin:]` is decided, with values put back, and the position after it."""
        out: list[str] = []
        held = self._held(text, begin)
        while (found := self._pattern.search(text, begin)) and found.start() < held:
            out += (text[begin : found.start()], self._value(found[0]))
            begin = found.end()
            if begin > held:
                held = self._held(text, begin)
        return "".join((*out, text[begin:held])), max(begin, held)

    def elsewhere(self, text: str, change: Callable[[str], str]) -> str:
        """The text with a change made to each stretch between stand-ins."""
        out: list[str] = []
        at = 0
        for found in self._pattern.finditer(text):
            out += (change(text[at : found.start()]), found[0])
            at = found.end()
        return "".join((*out, change(text[at:])))

    def _held(self, text: str, begin: int) -> int:
        """Where the first stretch begins that more text could make a stand-in of, or a longer one, or none."""
        first = max(begin, len(text) - self._longest)
        tail = text[first:].translate(_SMALL)
        dashed = tail.translate(_DASHED)
        for at in range(len(tail)):
            rest = tail[at:]
            if rest in self._begun["name"] or rest in self._begun["exact"] or rest in self._whole:
                return first + at
            if dashed[at:] in self._begun["code"]:
                return first + at
            if rest[0].isalnum() and self._begun["number"]:
                have = squeezed(rest)
                if have in self._begun["number"] or (have in self._whole and rest[-1].isalnum()):
                    return first + at
        return len(text)

    def _value(self, written: str) -> str:
        known = self._exact.get(written)
        if known is not None:
            value = known.value
        else:
            known = self._folded.get(written.lower()) or self._folded[squeezed(written)]
            value = _adapted(known, written)
        if not self._escaped:
            return value
        return json.dumps(value, ensure_ascii=any("\ud800" <= one <= "\udfff" for one in value))[1:-1]


class Restorer:
    """Puts values back into a text as it arrives: what it tells, joined, is what `restore` gives for the whole."""

    def __init__(self, matcher: Matcher) -> None:
        self._matcher = matcher
        self._text = ""
        self._at = 0

    def feed(self, text: str) -> str:
        """Take the next characters; returns what can be told already."""
        self._text += text
        out, at = self._matcher.release(self._text, self._at)
        keep = max(0, at - _CONTEXT)
        self._text, self._at = self._text[keep:], at - keep
        return out

    def end(self) -> str:
        """No more will come; returns the rest."""
        rest = self._matcher.restore(self._text, self._at)
        self._text, self._at = "", 0
        return rest


def core(text: str) -> str:
    """ASCII letters and digits alone, as they are."""
    return "".join(one for one in text if one.isascii() and one.isalnum())


def _key(made: StandIn) -> str:
    return squeezed(made.text) if made.shape in {"code", "number"} else made.text.lower()


def _adapted(known: Known, written: str) -> str:
    """The value as the model wrote its stand-in: a name in capitals, a number with other separators."""
    if known.made.shape == "name":
        return styled(known.value, written)
    return laid(core(known.value), written) if known.made.shape == "number" else known.value


def any_of(choices: Iterable[Sequence[str]]) -> str:
    """A pattern for any of these rows of atoms, each a pattern by itself; of those that begin alike the longest.

    Made as a tree, so that looking for a thousand takes hardly longer than looking for one.
    """
    tree: dict[str, Any] = {}
    for atoms in choices:
        at = tree
        for atom in atoms:
            at = at.setdefault(atom, {})
        at[""] = {}
    return _branches(tree) if tree else "(?!)"


def _branches(tree: dict[str, Any]) -> str:
    parts: list[str] = []
    for atom, after in tree.items():
        if not atom:
            continue
        chain = atom
        while len(after) == 1 and "" not in after:
            ((atom, after),) = after.items()
            chain += atom
        parts.append(chain + ("" if set(after) == {""} else _branches(after)))
    joined = parts[0] if len(parts) == 1 and "" not in tree else f"(?:{'|'.join(parts)})"
    return f"{joined}?" if "" in tree else joined


def _atoms(made: StandIn, left: str) -> list[str]:
    """The pattern of one stand-in."""
    if made.shape == "number":
        between = [f"(?:{re.escape(gap)}|[{_SEPARATORS}]?)" for gap in _gaps(made.text)]
        characters = core(made.text).lower()
        return [left, *(one for pair in zip(characters, [*between, _END], strict=True) for one in pair)]
    atoms = [re.escape(one) for one in made.text.lower()]
    if made.shape == "code":
        return [f"[{_DASHES}]" if one == r"\-" else one for one in atoms]
    return [left, *atoms, _END] if made.shape == "exact" else atoms


def _gaps(text: str) -> list[str]:
    """What stands between each letter or digit and the next."""
    inner = re.split("[0-9A-Za-z]", text)
    return inner[1:-1]


def _reach(made: StandIn) -> int:
    """Most characters it takes up, however it is written."""
    if made.shape != "number":
        return len(made.text)
    return len(core(made.text)) + sum(max(1, len(gap)) for gap in _gaps(made.text))
