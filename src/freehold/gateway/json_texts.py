"""The texts inside JSON: its strings, and numbers long enough to be somebody's. Whole, or as it arrives.

Everything between them stays as it came; so does, in a whole text, the spelling of strings that are not changed.
Invariant: any split of the same text gives the same output.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Protocol

LEAST_DIGITS = 6
"""Shorter numbers name nobody: they are counts, years, temperatures."""

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*', re.DOTALL)
_STOP = re.compile(r'["\\]')
_BEGIN = re.compile(r"[^ \t\r\n,:{}\[\]]")
_AFTER = re.compile(r'[,:{}\[\]"]')
_SCALAR = re.compile(r"(-?\d[\d.eE+-]*|true|false|null)([ \t\r\n]*)")
_SCALAR_BEGUN = re.compile(r"(?:-|-?\d[\d.eE+-]*|t|tr|tru|true|f|fa|fal|fals|false|n|nu|nul|null)[ \t\r\n]*")
_ESCAPED = re.compile(r'["\\\x00-\x1f\ud800-\udfff]')
_SHORT = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\b": "\\b", "\f": "\\f"}
_MEANT = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f"}

_SEALED = frozenset({"thoughtSignature"})
_SEAL = re.compile(rb'"[A-Za-z0-9+/=_-]*"')

Visit = Callable[[str], str]
"""Takes a text, and gives what is to stand in its place."""


class Sieve(Protocol):
    """One text on its way."""

    def feed(self, text: str) -> str:
        """What may go on now."""

    def end(self) -> str:
        """The rest."""


def escaped(text: str) -> str:
    """A text as it stands between the quotes of a JSON string (RFC 8259, section 7)."""
    return _ESCAPED.sub(lambda found: _SHORT.get(found[0]) or f"\\u{ord(found[0]):04x}", text)


def rewritten(text: str, visit: Visit) -> str:
    """A whole JSON text with `visit` applied to its texts, names of members included.

    What is no JSON is one text.
    """
    try:
        json.loads(text, strict=False)
    except (ValueError, RecursionError):
        return visit(text)
    return _TOKEN.sub(lambda found: _literal(found[0], visit), text)


def _literal(literal: str, visit: Visit) -> str:
    if literal.startswith('"'):
        said: str = json.loads(literal, strict=False)
        if not said:
            return literal
        new = visit(said)
        return literal if new == said else f'"{escaped(new)}"'
    if not is_long(literal):
        return literal
    new = visit(literal)
    return literal if new == literal else f'"{escaped(new)}"'


def is_sealed(name: str, value: bytes) -> bool:
    """Is it a vendor's signature in base64? No text, and of no use to the vendor once it is changed."""
    return name in _SEALED and _SEAL.fullmatch(value) is not None


def is_long(number: str) -> bool:
    """Has this number digits enough to be looked at?"""
    return sum(one.isdigit() for one in number) >= LEAST_DIGITS


class JsonTexts:
    """A JSON text as it arrives; each text in it goes through a sieve of its own, and so does what is no JSON."""

    def __init__(self, sieve: Callable[[], Sieve]) -> None:
        self._sieve = sieve
        self._inside: Sieve | None = None
        """Of the string that is open."""
        self._escape = ""
        self._high = ""
        """The first half of a pair of escapes, while the second may follow."""
        self._held = ""
        """A scalar outside of strings that may go on, with the spaces after it."""
        self._bare: Sieve | None = None
        """Of the rest, once what stands outside of strings is no JSON: then it is a text like any."""

    def feed(self, data: str) -> str:
        """The next characters."""
        out: list[str] = []
        at = 0
        while at < len(data):
            at = self._string(data, at, out) if self._inside is not None else self._outside(data, at, out)
        return "".join(out)

    def end(self) -> str:
        """The text is over; a string that was cut stays cut."""
        out: list[str] = []
        if self._held:
            self._end_held(out)
        if self._bare is not None:
            out.append(self._bare.end())
            self._bare = None
        if self._inside is not None:
            self._say("", out)
            out.append(escaped(self._inside.end()) + self._escape)
            self._inside, self._escape = None, ""
        return "".join(out)

    def _outside(self, data: str, at: int, out: list[str]) -> int:
        if self._bare is not None:
            out.append(self._bare.feed(data[at:]))
            return len(data)
        if self._held:
            found = _AFTER.search(data, at)
            until = len(data) if found is None else found.start()
            self._held += data[at:until]
            if found is not None or not _SCALAR_BEGUN.fullmatch(self._held):
                self._end_held(out)
            return until
        found = _BEGIN.search(data, at)
        if found is None:
            out.append(data[at:])
            return len(data)
        out.append(data[at : found.start()])
        if found[0] == '"':
            out.append('"')
            self._inside = self._sieve()
        else:
            self._held = found[0]
        return found.end()

    def _end_held(self, out: list[str]) -> None:
        held, self._held = self._held, ""
        scalar = _SCALAR.fullmatch(held)
        if scalar is None:
            self._bare = self._sieve()
            out.append(self._bare.feed(held))
        elif is_long(scalar[1]):
            sieve = self._sieve()
            new = sieve.feed(scalar[1]) + sieve.end()
            out.append(held if new == scalar[1] else f'"{escaped(new)}"{scalar[2]}')
        else:
            out.append(held)

    def _string(self, data: str, at: int, out: list[str]) -> int:
        if self._escape:
            return self._go_on(data, at, out)
        found = _STOP.search(data, at)
        until = len(data) if found is None else found.start()
        if until > at:
            self._say(data[at:until], out)
        if found is None:
            return until
        if found[0] == "\\":
            self._escape = "\\"
            return found.end()
        self._say("", out)
        inside, self._inside = self._inside, None
        assert inside is not None
        out.append(escaped(inside.end()) + '"')
        return found.end()

    def _go_on(self, data: str, at: int, out: list[str]) -> int:
        """One more character of an escape."""
        self._escape += data[at]
        kind = self._escape[1]
        if kind != "u":
            self._escape = ""
            self._say(_MEANT.get(kind, kind), out)
        elif len(self._escape) == 6:
            digits, self._escape = self._escape[2:], ""
            try:
                self._half(chr(int(digits, 16)), out)
            except ValueError:
                self._say("\\u" + digits, out)
        return at + 1

    def _half(self, meant: str, out: list[str]) -> None:
        if self._high and "\udc00" <= meant <= "\udfff":
            pair, self._high = self._high + meant, ""
            self._say(pair.encode("utf-16", "surrogatepass").decode("utf-16"), out)
        elif "\ud800" <= meant <= "\udbff":
            self._say("", out)
            self._high = meant
        else:
            self._say(meant, out)

    def _say(self, text: str, out: list[str]) -> None:
        """Give text to the sieve; a first half without its second goes before it, alone."""
        assert self._inside is not None
        high, self._high = self._high, ""
        if high or text:
            out.append(escaped(self._inside.feed(high + text)))
