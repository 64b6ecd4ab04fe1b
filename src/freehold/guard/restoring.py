"""Finds stand-ins in what a model wrote, whole or as it arrives, and puts the values back.

Stream and whole text give the same: a stretch is held back while more text could still make a stand-in of it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable

import msgspec

from freehold.guard.stand_ins import StandIn, laid, squeezed, styled

_DASHES = "-_ \u2010\u2011"
"""What models write for the dash of a code."""
_SEPARATORS = "-. \u00a0"
"""What models put between the characters of a number."""
_CONTEXT = 6
"""Characters before a match that decide on it: at most one escaped character of JSON."""
_ALONE = "(?<![0-9A-Za-z])"
_ALONE_IN_JSON = rf"(?:{_ALONE}|(?<=\\[bfnrt])|(?<=\\u[0-9a-fA-F]{{4}}))"


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
        self._starts: dict[str, list[StandIn]] = {}
        for one in every:
            self._folded.setdefault(_key(one.made), one)
            self._starts.setdefault(_key(one.made)[0], []).append(one.made)
        left = _ALONE_IN_JSON if escaped else _ALONE
        parts = [_pattern(one.made, left) for one in every]
        self._pattern = re.compile("|".join(parts) or "(?!)", re.IGNORECASE | re.ASCII)
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
        """Where the first stretch begins that more text could make a stand-in of, or a longer one."""
        for at in range(max(begin, len(text) - self._longest), len(text)):
            rest = text[at:].lower()
            if any(_may_become(one, rest) for one in self._starts.get(rest[0], ())):
                return at
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


def _pattern(made: StandIn, left: str) -> str:
    if made.shape == "name":
        return re.escape(made.text)
    if made.shape == "code":
        return re.escape(made.text).replace(r"\-", f"[{_DASHES}]")
    if made.shape == "exact":
        return f"{left}{re.escape(made.text)}(?![0-9A-Za-z])"
    between = [f"(?:{re.escape(gap)}|[{_SEPARATORS}]?)" for gap in _gaps(made.text)]
    characters = core(made.text)
    body = "".join(one + gap for one, gap in zip(characters, [*between, ""], strict=True))
    return f"{left}{body}(?![0-9A-Za-z])"


def _gaps(text: str) -> list[str]:
    """What stands between each letter or digit and the next."""
    inner = re.split("[0-9A-Za-z]", text)
    return inner[1:-1]


def _reach(made: StandIn) -> int:
    """Most characters it takes up, however it is written."""
    if made.shape != "number":
        return len(made.text)
    return len(core(made.text)) + sum(max(1, len(gap)) for gap in _gaps(made.text))


def _may_become(made: StandIn, rest: str) -> bool:
    """Could more text after `rest` (small letters) make this stand-in of it, or say that it is none?"""
    if made.shape == "number":
        have, whole = squeezed(rest), squeezed(made.text)
        return whole.startswith(have) and not (have == whole and not rest[-1].isalnum())
    text = made.text.lower()
    if made.shape == "code":
        rest = "".join("-" if one in _DASHES else one for one in rest)
    return text.startswith(rest) and (len(rest) < len(text) or made.shape == "exact")
