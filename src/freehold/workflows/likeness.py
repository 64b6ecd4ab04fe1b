"""How like two groups are: by template, by what users say outside it, by what was answered and in what form.

Pure. From a sample of each group, hashed features summed in two halves, so that a likeness can be set against how
like a group is to itself (Spearman's correction for attenuation, 1904).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from zlib import crc32

import msgspec
import numpy as np
import numpy.typing as npt

from freehold.gateway.prompt import Prompt
from freehold.gateway.shingles import WORDS_A_GRAM, Hashes, gram_hashes, masked_words, user_words
from freehold.workflows.shapes import KINDS, Said

Floats = npt.NDArray[np.float64]

TOPICS = 2048
_NGRAM = 4
_MOST_WORDS = 120
_LENGTHS = 14
_MARKS = ".,:;!?'\"()[]{}*#`-|<>/=_\n\\"
_SHORT_WORDS = 128
_WORD = re.compile(r"\w+")
GENERIC = re.compile(
    r"helpful(, \w+)*,?( and)? (\w+ )?(ai )?assistant|you are (chatgpt|claude|an ai)\b|large language model",
    re.IGNORECASE,
)
"""System prompts that come with playgrounds and examples. They count only where no template of the users' is found."""
_FORM = len(KINDS) + _LENGTHS + len(_MARKS) + 1 + _SHORT_WORDS
_PARTS = (
    slice(0, len(KINDS)),
    slice(len(KINDS), len(KINDS) + _LENGTHS),
    slice(len(KINDS) + _LENGTHS, len(KINDS) + _LENGTHS + len(_MARKS) + 1),
    slice(_FORM - _SHORT_WORDS, _FORM),
)


class Example(msgspec.Struct, frozen=True):
    """One sampled call."""

    prompt: Prompt
    said: Said


class Core(msgspec.Struct, frozen=True):
    """A group's template: the grams that most of its requests hold, and of the user's in how many requests each is."""

    system: Hashes
    user: Hashes
    held: Floats

    def __len__(self) -> int:
        return len(self.system) + len(self.user)


class Features(msgspec.Struct, frozen=True):
    """Sums over a sample: each of `asked` and `said` has a row for each half of it."""

    count: int
    asked: Floats
    said: Floats
    form: Floats
    bare: int
    """How many of the sample have no system prompt, or one that says no more than that there is an assistant."""


def features(examples: Sequence[Example], template: frozenset[int]) -> Features:
    """Features of a group's sample. `template` holds the frequent user grams, whose words are not looked at."""
    asked, said = np.zeros((2, TOPICS)), np.zeros((2, TOPICS))
    form = np.zeros(_FORM)
    bare = 0
    for number, one in enumerate(examples):
        half = number % 2
        asked[half] += topic(free_words(one.prompt, template))
        said[half] += topic(_WORD.findall(one.said.text[:1200].lower())[:_MOST_WORDS])
        form += form_of(one.said)
        bare += not one.prompt.system.strip() or GENERIC.search(one.prompt.system[:300]) is not None
    return Features(len(examples), asked, said, form, bare)


def free_words(prompt: Prompt, template: frozenset[int]) -> list[str]:
    """What the users' turns say beside the template: words that no frequent gram covers."""
    found: list[str] = []
    for part in user_words(prompt.first, prompt.last):
        seen = masked_words(part)
        covered = [False] * len(seen)
        for place, gram in enumerate(gram_hashes(part, system=False).tolist()):
            if gram in template:
                covered[place : place + WORDS_A_GRAM] = [True] * len(covered[place : place + WORDS_A_GRAM])
        found += [word for word, hidden in zip(seen, covered, strict=True) if not hidden]
    return found[:_MOST_WORDS]


def topic(found: Sequence[str]) -> Floats:
    """Hashed words and character 4-grams within words: log counts, unit length."""
    counts: Counter[int] = Counter()
    for word in found:
        counts[crc32(word.encode("utf-8", "surrogatepass")) % TOPICS] += 1
        padded = f"^{word}$"
        for place in range(len(padded) - _NGRAM + 1):
            counts[crc32(padded[place : place + _NGRAM].encode("utf-8", "surrogatepass")) % TOPICS] += 1
    vector = np.zeros(TOPICS)
    if counts:
        vector[list(counts)] = np.log1p(np.array(list(counts.values()), float))
        vector /= np.linalg.norm(vector)
    return vector


def form_of(said: Said) -> Floats:
    """An answer's form, whatever it is about: four distributions (kind, length, marks, short words)."""
    found = np.zeros(_FORM)
    found[KINDS.index(said.kind)] = 1
    text = said.text[:1200]
    found[_PARTS[1]][min(len(said.text).bit_length(), _LENGTHS - 1)] = 1
    marks = found[_PARTS[2]]
    marks[-1] = 3
    for one, place in zip(_MARKS, range(len(_MARKS)), strict=True):
        marks[place] = text.count(one)
    marks /= marks.sum()
    short = found[_PARTS[3]]
    for word in _WORD.findall(text.lower()):
        if len(word) <= 3 and word.isalpha():
            short[crc32(word.encode()) % _SHORT_WORDS] += 1
    if short.any():
        short /= short.sum()
    return found


def joined(first: Features, second: Features) -> Features:
    """The features of both together."""
    return Features(
        first.count + second.count,
        first.asked + second.asked,
        first.said + second.said,
        first.form + second.form,
        first.bare + second.bare,
    )


def parts_of_form() -> tuple[slice, ...]:
    """Where the four distributions of a form lie: kind, length, marks, short words."""
    return _PARTS
