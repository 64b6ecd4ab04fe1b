"""Texts written whole in a disguise of letters: shifted (ROT13 and kin), mirrored, reversed, leet, spaced out.

A disguise is undone only where that makes words of the text, told by a short list of the commonest ones; so plain
prose pays one look-up a word.
"""

# ruff: noqa: SIM905 - a list of words reads best as words

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from string import ascii_lowercase

COMMON = frozenset(
    """
the and you your that this with for are not have from was will what all can but they were there when which their our
how about would make like time just know people into could other than then only also after where most must should them
these some more out who why because does did has had her his she him its let now over such any before may been being
very please want need tell give show write read say says said here use used using work new first ignore previous
instructions instruction above below system prompt rules rule reveal secret secrets password forget everything disregard
follow following output print repeat without answer question questions explain help pretend act role never always user
assistant model response respond message messages text words word data information safety filter filters policy
guidelines hidden override bypass key code send list plan best good difference between example create describe find
die der das und ist nicht ein eine ich sie wir den dem mit auf für les des une est que pour dans pas vous los las por
una con como para del ignoriere alle anweisungen ignora todas instrucciones toutes
""".split()
)
"""Words that give a language away: English mostly, some German, French and Spanish."""

_WORD = re.compile(r"[^\W\d_]{3,24}")
_LEET_WORD = re.compile(r"[A-Za-z0-9@$!|+(€]{2,}")
_LEET_PAIR = re.compile(r"[A-Za-z][0134578@$]|[0134578@$][A-Za-z]")
_LEET = str.maketrans("01345789@$!|+(€62", "oieastbgasiltcegz")
_ROT47 = {point: 33 + (point - 33 + 47) % 94 for point in range(33, 127)}
_SPACED = re.compile(r"(?<![^\W_])[^\W_](?:([ .\-_*|/~,])\1{0,5}[^\W_][!?',;:]?){4,}(?![^\W_])")


@cache
def _disguised() -> dict[str, tuple[str, ...]]:
    """How a common word reads in each disguise: word -> disguises. `3` to `23` are shifts back by that many."""
    ways: dict[str, list[str]] = {}
    for word in sorted(word for word in COMMON if word.isascii()):
        for name in (*map(str, range(1, 26)), "mirrored", "reversed"):
            disguise = undo(word, name) if not name.isdigit() else undo(word, str(26 - int(name)))
            if disguise not in COMMON:
                ways.setdefault(disguise, []).append(name)
    return {word: tuple(names) for word, names in ways.items()}


@cache
def _alphabet(name: str) -> dict[int, int]:
    if name == "mirrored":
        turned = ascii_lowercase[::-1]
    else:
        shift = -int(name) % 26
        turned = ascii_lowercase[shift:] + ascii_lowercase[:shift]
    return str.maketrans(ascii_lowercase + ascii_lowercase.upper(), turned + turned.upper())


def undo(text: str, name: str) -> str:
    """`text` without the disguise: a shift by so many letters, `mirrored` (a for z), `reversed`."""
    return text[::-1] if name == "reversed" else text.translate(_alphabet(name))


def disguises(text: str) -> Iterator[tuple[str, str]]:
    """(name, plain text) of each disguise that the whole text may be in, likeliest first, at most two.

    A wrapper in plain words ("decode this:") may stand around it, so plain words weigh a quarter.
    """
    votes: Counter[str] = Counter()
    known = _disguised()
    plain = 0
    words = set(_WORD.findall(text.lower()))
    for word in words:
        plain += len(word) if word in COMMON else 0
        for name in known.get(word, ()):
            votes[name] += len(word)
    for name, weight in sorted(votes.items(), key=lambda item: (-item[1], item[0]))[:2]:
        if weight >= max(7, plain // 4):
            yield name, undo(text, name)
    if not votes and not plain:
        yield from _stranger(text)


def _stranger(text: str) -> Iterator[tuple[str, str]]:
    """Disguises tried only on what holds no common word: ROT47 (signs shifted too) and pig Latin."""
    turned = text.translate(_ROT47)
    if sum(word in COMMON for word in _WORD.findall(turned.lower())) >= 2:
        yield "rot47", turned
    words = _WORD.findall(text)
    if len(words) >= 3 and sum(word.lower().endswith("ay") for word in words) * 5 >= len(words) * 4:
        yield "pig latin", _WORD.sub(lambda match: _pig(match.group().lower()), text)


def _pig(word: str) -> str:
    """`eviouspray` -> `previous`, `ignoreway` -> `ignore`."""
    stem = word.removesuffix("ay")
    ways = [stem[:-1]] if stem[-1:] in "wy" else []
    ways += [stem[-size:] + stem[:-size] for size in (1, 2, 3) if size < len(stem)]
    return next((way for way in ways if way in COMMON), ways[0] if ways else word)


def leet(text: str) -> str:
    """The text with figures and signs read as letters, where enough of its words are written so; else ""."""
    words = _LEET_WORD.findall(text)
    odd = sum(bool(_LEET_PAIR.search(word)) for word in words)
    if odd < 2 or odd * 5 < len(words):
        return ""
    return _LEET_WORD.sub(lambda match: match.group().translate(_LEET), text)


def spaced(text: str) -> Iterator[tuple[int, int, str]]:
    """(start, end, text) of each stretch of single letters set apart by spaces, wider gaps parting words; and of the
    whole text, where another sign sets letters apart, without that sign.
    """
    signs: set[str] = set()
    for match in _SPACED.finditer(text):
        sign = match.group(1)
        if sign == " ":
            words = match.group().split("  ")
            yield match.start(), match.end(), " ".join(word.replace(" ", "") for word in words if word)
        elif sign not in signs:
            signs.add(sign)
            yield 0, len(text), text.replace(sign, "")
