"""A text as a sparse vector: words, pairs of words, beginnings of words, and what they are about, hashed.

The same text gives the same vector on every machine: CRC-32 of what each feature is called, a fixed number of places.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import cache
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from freehold.guard.detectors.injection_words import BEGINNINGS, STRINGS, WHOLE

PLACES = 1 << 18
"""Weights of the model."""
VERSION = 1
"""Of what a vector says; a model fits one version."""

_TOKEN = re.compile(r"[^\W\d_]+(?:['\u2019][^\W\d_]+)?|\d+|<\||\|>|\[/?[A-Za-z]{2,8}\]|[^\w\s]", re.UNICODE)
_NO_SPACES = re.compile("[\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
_LONGEST = 12
_NEAR = 9
"""Words between two that are seen together."""


def words(text: str) -> list[str]:
    """Lower case, no accents, figures as one sign; signs of interest are words of their own."""
    plain = unicodedata.normalize("NFKD", text.lower())
    if not plain.isascii():
        plain = "".join(c for c in plain if not "\u0300" <= c <= "\u036f")
        plain = unicodedata.normalize("NFC", plain)
    return ["0" if token.isdigit() else token for token in _TOKEN.findall(plain)]


@cache
def _classes() -> dict[str, str]:
    return {word: name for name, group in BEGINNINGS.items() for word in group}


def about(word: str) -> str:
    """The class of a word, by its longest listed beginning (of four letters or more, else whole); or ""."""
    classes = _classes()
    exact = classes.get(word)
    if exact is not None:
        return exact
    for size in range(min(len(word), _LONGEST), 3, -1):
        name = classes.get(word[:size])
        if name is not None and name not in WHOLE:
            return name
    return ""


def _concepts(tokens: list[str]) -> list[tuple[int, str]]:
    """(place, class) of the words that have one, in order."""
    found: list[tuple[int, str]] = []
    for place, token in enumerate(tokens):
        if _NO_SPACES.search(token) or token[0] > "\u0590":
            hits = sorted(
                (token.find(string), name) for name, group in STRINGS.items() for string in group if string in token
            )
            found += [(place, name) for _, name in hits]
        name = about(token)
        if name:
            found.append((place, name))
    return found


def _named(text: str) -> Iterator[tuple[str, float]]:
    """Each feature by name, with its weight before scaling."""
    tokens = words(text)
    last = "^"
    before = "^"
    for token in tokens:
        yield "w " + token, 1.0
        yield f"p {last} {token}", 0.8
        yield f"s {before} {token}", 0.4
        if len(token) > 3:
            padded = f"_{token}_"
            for at in range(len(padded) - 3):
                yield "c " + padded[at : at + 4], 0.35
            if _NO_SPACES.search(token):
                for at in range(len(token) - 1):
                    yield "z " + token[at : at + 2], 1.0
        before, last = last, token
    yield f"p {last} $", 0.8
    concepts = _concepts(tokens)
    for index, (place, name) in enumerate(concepts):
        yield "k " + name, 1.5
        for later, other in concepts[index + 1 : index + 7]:
            if later - place > _NEAR:
                break
            yield f"k {name}>{other}", 2.0
        if index + 2 < len(concepts) and concepts[index + 2][0] - place <= _NEAR + 3:
            yield f"k {name}>{concepts[index + 1][1]}>{concepts[index + 2][1]}", 2.0
    first = [name for place, name in concepts if place < 3]
    for name in first:
        yield "f " + name, 2.0


def vector(text: str) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """(places, values), places rising. Counts are damped by their square root; the length is 1."""
    sums: dict[int, float] = {}
    for name, weight in _named(text):
        place = crc32(name.encode("utf-8", "replace")) % PLACES
        sums[place] = sums.get(place, 0.0) + weight * weight
    places = np.array(sorted(sums), dtype=np.int64)
    values = np.sqrt(np.array([sums[place] for place in places.tolist()], dtype=np.float64))
    norm = float(np.sqrt((values * values).sum()))
    return places, values / norm if norm else values
