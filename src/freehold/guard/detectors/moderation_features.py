"""A text as a sparse vector for the moderation pre-filter: hashed words, pairs, word pieces, and pairs of matters.

The same text gives the same vector on every machine: CRC-32 of what each feature is called, a fixed number of places.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

PLACES = 1 << 16
"""Weights of the model."""
VERSION = 1
"""Of what a vector says; a model fits one version."""

_TOKEN = re.compile(r"[^\W_]+(?:['\u2019][^\W_]+)*|[.!?\"]")
_LEET = str.maketrans("013457@$", "oieastas")
_APART = re.compile(r"\b(\w)(?:[ .*_-](?=\w\b))")
_DISGUISED = re.compile(r"(?<=[a-z])[013457@$](?=[a-z])|\b[013457@$](?=[a-z]{2})")
_LONGEST = 14
_MOST = 400
"""Words looked at; the guard's windows hold fewer."""

MATTERS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("group", ("asian", "arab", "atheist", "autis", "bisexual", "black", "blind", "buddhis", "catholic", "christian",
               "deaf", "disab", "elderly", "ethnic", "feminis", "foreigner", "gay", "gays", "girl", "gyps", "handicap",
               "hindu", "homosexual", "immigrant", "indian", "indigenous", "islam", "jew", "jewish", "latin", "lesbian",
               "mexican", "migrant", "minorit", "mormon", "muslim", "natives", "nonbinary", "people", "pole", "queer",
               "race", "refugee", "religion", "roma", "russian", "sikh", "transgender", "trans", "transsexual",
               "turk", "veteran", "white", "woman", "women", "frauen", "ausl\u00e4nder", "fl\u00fcchtling", "juden",
               "femmes", "juifs", "musulman", "immigr\u00e9", "mujeres", "jud\u00edos", "inmigrante", "donne")),
    ("low", ("animal", "ape", "bug", "cancer", "cockroach", "criminal", "dirt", "disease", "disgust", "dumb", "evil",
             "filth", "freak", "garbage", "gross", "horrible", "idiot", "inferior", "insect", "monkey", "monster",
             "moron", "parasite", "pathetic", "pest", "pig", "plague", "primitive", "rat", "rats", "revolt",
             "savage", "scum", "shit", "sick", "stupid", "subhuman", "trash", "ugly", "vermin", "vile", "worm",
             "worthless", "abschaum", "ungeziefer", "dreck", "racaille", "escoria", "feccia")),
    ("hate", ("despise", "detest", "hate", "hates", "loath", "hasse", "hassen", "d\u00e9teste", "odio")),
    ("harm", ("annihilat", "attack", "beat", "behead", "burn", "burnt", "crush", "deport", "destroy", "die", "drown",
              "eliminat", "eradicat", "execut", "exterminat", "gas", "gassed", "hang", "hunt", "hurt", "kill", "lynch",
              "murder", "punch", "punish", "rape", "shoot", "shot", "slaughter", "smash", "stab", "starve", "suffer",
              "torture", "wipe", "umbringen", "t\u00f6ten", "tuer", "matar", "uccidere")),
    ("bar", ("allowed", "ban", "banned", "belong", "deserve", "expel", "rid", "rights", "shouldn't", "should",
             "must", "send", "deserves", "ought", "stop", "never", "keep")),
    ("good", ("admire", "amazing", "beautiful", "equal", "fantastic", "great", "kind", "love", "loved", "respect",
              "support", "value", "wonderful", "proud", "welcome", "help", "nice")),
    ("not", ("no", "not", "never", "isn't", "aren't", "don't", "doesn't", "nobody", "none", "can't", "cannot", "nicht",
             "pas", "kein")),
    ("against", ("bigot", "condemn", "discriminat", "hateful", "intoleran", "misogyn", "prejudice", "racis", "sexis",
                 "unacceptable", "wrong", "saying", "says", "said", "telling", "statement", "stereotyp", "phobic")),
)  # fmt: skip
"""Matters by the beginnings of words (three letters and less: whole words). Not a list of bad words: each is harmless
alone, and what counts is which of them meet."""


_BY_WORD: tuple[tuple[str, tuple[str, ...]], ...] = tuple(
    (beginning, tuple(name for name, all_of in MATTERS if beginning in all_of))
    for beginning in sorted({one for _, all_of in MATTERS for one in all_of})
)


class Vectors:
    """Makes vectors; words that come again within one text are not taken apart again."""

    def __init__(self) -> None:
        self._known = dict(_BY_WORD)
        self._pieces: dict[str, tuple[tuple[int, float], ...]] = {}

    def of(self, text: str) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
        """Places and values, of length one (L2); empty where there is no word."""
        tokens = words(text)[:_MOST]
        found: dict[int, float] = {}
        matters: list[tuple[int, str]] = []
        for at, (one, other) in enumerate(zip(tokens, [*tokens[1:], "$"], strict=False)):
            pieces = self._pieces.get(one)
            if pieces is None:
                pieces = self._pieces[one] = tuple((_place(name), weight) for name, weight in _apart(one))
            for place, weight in pieces:
                if weight > found.get(place, 0.0):
                    found[place] = weight
            place = _place(f"p {one} {other}")
            found[place] = max(found.get(place, 0.0), 0.7)
            matters += [(at, name) for name in about(one, self._known)]
        for name, weight in _meetings(matters):
            place = _place(name)
            found[place] = max(found.get(place, 0.0), weight)
        scale = math.sqrt(sum(one * one for one in found.values())) or 1.0
        return np.array([*found], dtype=np.intp), np.array([*found.values()], dtype=np.float64) / scale


def vector(text: str) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """The vector of one text."""
    return Vectors().of(text)


def _place(name: str) -> int:
    return crc32(name.encode("utf-8", "replace")) % PLACES


def _apart(word: str) -> Iterator[tuple[str, float]]:
    yield f"w {word}", 1.0
    padded = f"^{word}$"
    for size in (3, 4):
        for begin in range(len(padded) - size + 1):
            yield f"c {padded[begin : begin + size]}", 0.35


def _meetings(matters: Sequence[tuple[int, str]]) -> Iterator[tuple[str, float]]:
    """Matters, and which of them meet within eight words."""
    for index, (at, name) in enumerate(matters):
        yield f"m {name}", 1.0
        for where, other in matters[index + 1 : index + 7]:
            if where - at > 8:
                break
            yield f"n {name} {other}", 1.5
            yield f"n {name} {other} {'near' if where - at < 4 else 'far'}", 0.7


def words(text: str) -> list[str]:
    """Small letters, disguises of letters undone, letters set apart joined."""
    plain = unicodedata.normalize("NFKC", text).lower().replace("\u2019", "'")
    plain = _APART.sub(r"\1", plain)
    plain = _DISGUISED.sub(lambda one: one[0].translate(_LEET), plain)
    return _TOKEN.findall(plain)


def about(word: str, known: Mapping[str, tuple[str, ...]]) -> list[str]:
    """The matters a word belongs to: whole, or by a beginning of four letters and more."""
    found = list(known.get(word, ()))
    for size in range(4, min(len(word), _LONGEST) + 1):
        found += [name for name in known.get(word[:size], ()) if name not in found]
    return found
