# ruff: noqa: SIM905 - a list of words reads best as words
"""Keys, tokens, passwords: by the letters their vendors give them, by the name they are assigned to, by how they read.

Whether something begins at a place depends on the unbroken run of characters it stands in and on CONTEXT before it;
`unsettled` says from where on a text may still change. What only looks like a secret (examples, blanks, references to
a secret kept elsewhere) is passed.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any

from freehold.guard.detectors.secret_rules import FORMS, NAMED, Form, Named
from freehold.guard.detectors.secrets_known import PUBLISHED
from freehold.guard.types import Finding, Piece

SPAN = 8192
"""Longest secret: the private key of 8192-bit RSA takes 6,400 characters. What is longer is found up to here."""
CONTEXT = 128
"""Characters before a secret in which its name stands."""

_TAIL = re.compile(r"[!#-&(-;=?-_a-z|~]*\Z")
"""An unbroken run up to the end: printable ASCII but quotes, angle brackets and braces. Secrets stand within one."""
_LONE = re.compile("[\ud800-\udfff]")
_BETWEEN = r"""[ \t\w.\-]{0,30}["'\]]{0,2}\s{0,3}(?:=>|:{1,3}=|\?=|\|\||[=:>,(])[\s"'`=({]{0,5}"""
"""From a name to its value: the rest of the name, an operator, opening quotes."""

_MARKER = re.compile(r"-----BEGIN[ A-Z0-9_]{0,60}PRIVATE KEY(?: BLOCK)?-----")
_MARKER_OPEN = re.compile(r"-----BEGIN[ A-Z0-9_]{0,60}-{0,5}\Z")
_MARKER_END = re.compile(r"""[\s\\nr"',+]{0,8}-----END[ A-Z0-9_]{0,60}-----""")
_FILL = re.compile(r"""(?:[\s"',+]|\\[nr]?)*""")
_LINE = re.compile(r"[A-Z][A-Za-z\-]{2,20}: [^\n\\]{0,100}|[A-Za-z0-9+/=]+")

_HEADER = re.compile(
    r"""(?ia)(?:(?:-H|--header)\s{1,2}["'][\w\-]{0,30}(?:token|key|auth)|authorization|x-api-key|api-token|api-key"""
    r"""|x-auth-token|x-access-token)["']?\s{0,2}[:=]\s{0,3}["']?"""
    r"""(?:(?:bearer|basic|token|api-?token|apikey|key)\s{1,3})?([\w.~+/=@\-]{8,1000})"""
)
_USER = re.compile(
    r"""(?a)\bcurl\b[^\n]{0,80}?\s(?:-u|--user)[ =]{1,3}["']?[^\s"':$<>{}]{0,60}["']?:["']?"""
    r"""([^\s"'$<>{}\[\]`(][^\s"'<>{}\[\]`]{2,80})"""
)
_GENERIC = re.compile(
    r"(?ia)(?:(?:api|access|auth|secret|private|client|app|user|service|master|encryption|signing|session|bearer|refresh|"
    r"admin|root|oauth|webhook|license|deploy)[_\-. ]?(?:key|token|secret|auth|credentials?)|token|secret|credentials)"
)
_PASSWORD = re.compile(r"(?ia)(?:passw(?:or)?d|passphrase|passwort|contraseña|mot de passe|pwd)s?\b")
_SAID = re.compile(
    r"""(?ia)[\w"' ]{0,20}?(?:\s(?:is|ist|es|est)\s{1,2}|["']?\s{0,3}[:=]\s{0,3})["'`]?([!#-&(-;=?-_a-z|~]{6,64})"""
)
_VALUE = re.compile(r"[\w.~+/=\-]{16,150}", re.ASCII)

_BLANKS = re.compile(
    r"(?i)example|x{5,}|your|placeholder|change.?me|dummy|sample|redacted|\.\.\.|\*{3,}|#{3,}|insert|_here|"
    r"todo|fixme|abcdefgh|foobar|process\.env|os\.environ|getenv|secrets\.|config\[|([A-Za-z0])\1{6,}"
)
"""What people write where a secret would stand."""
_STANDARD = frozenset(
    """password passwd pass pwd secret token username user test admin root guest none null true false default string
    yyy xxx zzz changeit letmein""".split()
)


class Secrets:
    """Finds secrets by form."""

    name = "secrets"
    span = SPAN
    context = CONTEXT
    kinds = tuple(
        sorted(
            {form.kind for form in FORMS}
            | {named.kind for named in NAMED}
            | {"AUTHORIZATION", "PASSWORD", "PRIVATE_KEY", "SECRET"}
        )
    )

    def __init__(self) -> None:
        _forms()
        _named()  # compiled now, so that no call waits for it

    def find(self, piece: Piece) -> tuple[Finding, ...]:
        """Secrets of the piece, by start."""
        text = piece.text if piece.text.isascii() else _LONE.sub("\ufffd", piece.text)
        found: dict[int, tuple[int, str, float]] = {}
        for start, end, kind, score in _all(text):
            if start not in found or found[start][2] < score:
                found[start] = (end, kind, score)
        return tuple(
            Finding(detector=self.name, kind=kind, start=start, end=end, score=score)
            for start, (end, kind, score) in sorted(found.items())
        )

    def unsettled(self, text: str) -> int:
        """The first position at which what begins there may change by what follows `text`."""
        first = len(text)
        tail = _TAIL.search(text, max(0, first - SPAN))
        if tail is not None:
            first = min(first, tail.start())
        marker = _MARKER_OPEN.search(text, max(0, len(text) - 80))
        if marker is not None:
            first = min(first, marker.start())
        for match in _MARKER.finditer(text, max(0, len(text) - SPAN)):
            _end, open_ = _key_end(text, match)
            if open_:
                first = min(first, match.start())
        return first


def _all(text: str) -> Iterator[tuple[int, int, str, float]]:
    """(start, end, kind, score), in no order."""
    low = text.lower()
    for form, pattern, right in _forms():
        if any(sign in low for sign in form.signs):
            yield from _by_form(text, form, pattern, right)
    for named, names, pattern in _named():
        if any(name in low for name in named.names):
            yield from _by_name(text, named, names, pattern)
    if "private key" in low:
        yield from _keys(text)
    if "auth" in low or "api-" in low or "token" in low:
        yield from _worth(_HEADER.finditer(text), "AUTHORIZATION", 0.9, least=2.4)
    if "curl" in low:
        yield from _worth(_USER.finditer(text), "PASSWORD", 0.9, least=2)
    yield from _by_word(text)


def _by_form(
    text: str, form: Form, pattern: Any, right: re.Pattern[str] | None
) -> Iterator[tuple[int, int, str, float]]:
    for match in pattern.finditer(text):
        start, end = match.span(match.re.groups)
        end = min(end, start + SPAN)
        value = text[start:end]
        if right is not None and right.match(text, match.end()):
            continue
        if form.digit and not any(map(str.isdigit, value)):
            continue
        if bits(value) >= form.bits and not stands_in(value):
            yield start, end, form.kind, 1.0


def _by_name(
    text: str, named: Named, names: re.Pattern[str], pattern: re.Pattern[str]
) -> Iterator[tuple[int, int, str, float]]:
    for name in names.finditer(text):
        if not _apart(text, name):
            continue
        match = pattern.match(text, name.end())
        if match is not None and bits(match.group(1)) >= named.bits and not stands_in(match.group(1)):
            yield match.start(1), match.end(1), named.kind, 0.95


def _by_word(text: str) -> Iterator[tuple[int, int, str, float]]:
    """Values assigned to what is called a secret, where they read like chance."""
    for word in _GENERIC.finditer(text):
        between = _between().match(text, word.end()) if _apart(text, word) else None
        if between is None or _reference(text, word, between):
            continue
        match = _VALUE.match(text, between.end())
        if match is not None and _chance(match.group()):
            yield match.start(), match.end(), "SECRET", 0.7
    for word in _PASSWORD.finditer(text):
        match = _SAID.match(text, word.end())
        if match is None:
            continue
        value = match.group(1).rstrip(".,;!?)")
        mixed = any(map(str.isdigit, value)) and any(map(str.isalpha, value))
        if mixed and len(value) >= 6 and "(" not in value and "[" not in value and not stands_in(value):
            yield match.start(1), match.start(1) + len(value), "PASSWORD", 0.7


def _worth(
    matches: Iterable[re.Match[str]], kind: str, score: float, *, least: float
) -> Iterator[tuple[int, int, str, float]]:
    for match in matches:
        value = match.group(1)
        if bits(value) >= least and not stands_in(value) and (kind == "PASSWORD" or any(map(str.isdigit, value))):
            yield match.start(1), match.end(1), kind, score


def _keys(text: str) -> Iterator[tuple[int, int, str, float]]:
    for match in _MARKER.finditer(text):
        end, _open = _key_end(text, match)
        if end > match.end():
            yield match.start(), end, "PRIVATE_KEY", 1.0


def _key_end(text: str, marker: re.Match[str]) -> tuple[int, bool]:
    """Where the key behind an opening marker ends (at the marker's own end where none follows), and whether more text
    could move that. Read line by line, within SPAN.
    """
    limit = min(len(text), marker.start() + SPAN)
    at, letters = marker.end(), 0
    while at < limit:
        fill = _FILL.match(text, at, limit)
        line = _LINE.match(text, fill.end() if fill else at, limit)
        if line is None:
            if fill and fill.end() == limit:
                return (at if letters >= 16 else marker.end()), limit < marker.start() + SPAN
            break
        if ":" not in line.group():
            letters += len(line.group())
            if letters < 16 and line.end() < limit:
                return marker.end(), False
        at = line.end()
    if letters < 16:
        return marker.end(), at >= limit
    closing = _MARKER_END.match(text, at)
    if closing is not None:
        return min(closing.end(), marker.start() + SPAN), False
    return at, at >= limit < marker.start() + SPAN or _closes_later(text, at)


def _closes_later(text: str, at: int) -> bool:
    """Could the rest of the text be the beginning of a closing marker?"""
    rest = text[at:].lstrip("\\nr\"',+ \t\r\n")
    return len(rest) < 80 and ("-----END".startswith(rest[:8]) if len(rest) < 8 else rest.startswith("-----END"))


def _reference(text: str, word: re.Match[str], between: re.Match[str]) -> bool:
    """Does the name say that the value is not the secret itself: an id, a name, a url, a version, something public?"""
    around = text[max(0, word.start() - 12) : between.end()].lower()
    return _NOT_IT.search(around) is not None


_NOT_IT = re.compile(
    r"public|csrf|xsrf|vault|keystore|[_\-. ]?(?:id|ids|name|url|uri|path|file|type|version|length|size|selector|ref|"
    r"arn|count|expir\w*|store|hash|digest|algorithm)\b|(?:id|name|size|length)[\"'\s]{0,3}[=:]"
)


def _chance(value: str) -> bool:
    """Does it read like letters drawn by chance: figures and letters, high entropy, no words or paths?"""
    if stands_in(value) or not any(map(str.isdigit, value)) or not any(map(str.isalpha, value)):
        return False
    if value.lower().startswith(_prefixes()):
        return False  # a vendor's form, misshapen
    least = 3.0 if _HEX_ONLY.fullmatch(value) else 3.5
    if bits(value) < least or value.count(".") > 2 or "//" in value or value.count("/") > 3 + len(value) // 16:
        return False
    longest = max(map(len, re.split(r"[^A-Za-z]+", value)), default=0)
    digits = sum(map(str.isdigit, value))
    return digits >= 2 and (longest < 12 or bits(value) > 4.2)


def _apart(text: str, name: re.Match[str]) -> bool:
    """Does the name stand as a word, by signs, a change of case, or one of the words that follow such names?"""
    start, end = name.span()
    if start and text[start - 1].isalpha() and not (text[start].isupper() and text[start - 1].islower()):
        return False
    return not text[end : end + 1].islower() or _GOES_ON.match(text, end) is not None


_GOES_ON = re.compile(r"s?(?:api|app|key|token|secret|client|access|auth|pass|pw|id|\b)", re.IGNORECASE)
_HEX_ONLY = re.compile(r"(?:[0-9a-fA-F]{32,}|[0-9a-fA-F\-]{36})")


@cache
def _prefixes() -> tuple[str, ...]:
    return tuple(sorted({sign for form in FORMS for sign in form.signs if len(sign) >= 4 and sign[-1] not in "=/"}))


def bits(value: str) -> float:
    """Shannon entropy of the value's characters, in bits a character."""
    size = len(value)
    return -sum(count / size * math.log2(count / size) for count in Counter(value).values()) if size else 0.0


def stands_in(value: str) -> bool:
    """Does the value stand where a secret would: an example, a blank, a reference, a key that vendors published?"""
    if value.lower() in _STANDARD or _BLANKS.search(value):
        return True
    return hashlib.sha256(value.encode("utf-8", "replace")).hexdigest()[:16] in PUBLISHED


@cache
def _between() -> re.Pattern[str]:
    return re.compile(_BETWEEN, re.ASCII)


@cache
def _forms() -> tuple[tuple[Form, Any, re.Pattern[str] | None], ...]:
    """Forms with their pattern in RE2, and what may not follow a match."""
    import re2

    return tuple(
        (
            form,
            re2.compile(_led(form)),
            re.compile(f"[{form.letters}]", re.ASCII) if form.letters else None,
        )
        for form in FORMS
    )


def _led(form: Form) -> str:
    """The pattern behind a character that is none of the secret's own. The last group is the secret."""
    secret = form.pattern if _GROUP.search(form.pattern) else f"({form.pattern})"
    flags = "(?i)" if secret.startswith(("(?i)", "((?i)")) else ""
    secret = secret.replace("(?i)", "", 1)
    return f"{flags}(?:^|[^{form.letters}]){secret}" if form.letters else flags + secret


_GROUP = re.compile(r"(?<!\\)\((?!\?)")


@cache
def _named() -> tuple[tuple[Named, re.Pattern[str], re.Pattern[str]], ...]:
    return tuple(
        (
            named,
            re.compile("|".join(map(re.escape, named.names)), re.IGNORECASE | re.ASCII),
            re.compile(_BETWEEN + f"({named.pattern})(?![\\w\\-+/=])", re.ASCII),
        )
        for named in NAMED
    )
