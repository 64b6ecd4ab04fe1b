"""How like two groups are: by template, by what users say outside it, by what was answered and in what form.

Pure. From a sample of each group, hashed features summed in two halves, so that a likeness can be set against how
like a group is to itself (Spearman's correction for attenuation, 1904).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from zlib import crc32

import msgspec
import numpy as np
import numpy.typing as npt

from freehold.gateway.prompt import Prompt
from freehold.gateway.shingles import WORDS_A_GRAM, Hashes, gram_hashes, masked_words, user_words
from freehold.workflows.clusters import set_likeness
from freehold.workflows.shapes import JSON, KINDS, SHORT, TOOL, Said

Floats = npt.NDArray[np.float64]

TOPICS = 2048
_NGRAM = 4
_MOST_WORDS = 120
_LENGTHS = 14
_MARKS = ".,:;!?'\"()[]{}*#`-|<>/=_\n\\"
_SHORT_WORDS = 128
_WORD = re.compile(r"\w+")
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
    labels: Counter[str]
    keys: Counter[str]
    kinds: Counter[str]


def features(examples: Sequence[Example], template: frozenset[int]) -> Features:
    """Features of a group's sample. `template` holds the frequent user grams, whose words are not looked at."""
    asked, said = np.zeros((2, TOPICS)), np.zeros((2, TOPICS))
    form = np.zeros(_FORM)
    labels: Counter[str] = Counter()
    keys: Counter[str] = Counter()
    kinds: Counter[str] = Counter()
    for number, one in enumerate(examples):
        half = number % 2
        asked[half] += topic(free_words(one.prompt, template))
        said[half] += topic(_WORD.findall(one.said.text[:1200].lower())[:_MOST_WORDS])
        form += form_of(one.said)
        kinds[one.said.kind] += 1
        if one.said.kind == SHORT:
            labels[one.said.text.strip().lower()] += 1
        if one.said.kind == JSON:
            keys.update(one.said.names)
    return Features(len(examples), asked, said, form, labels, keys, kinds)


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
        first.labels + second.labels,
        first.keys + second.keys,
        first.kinds + second.kinds,
    )


def rarity(groups: Sequence[Features]) -> tuple[Floats, Floats]:
    """Weights of the topic features of questions and answers: what every group has says nothing."""
    found = []
    for name in ("asked", "said"):
        rows = np.array([getattr(one, name).sum(axis=0) / max(one.count, 1) for one in groups])
        share = rows.mean(axis=0) if len(rows) else np.zeros(TOPICS)
        found.append(1 / (share + 0.01))
    return found[0], found[1]


def topical(first: Floats, second: Floats, weight: Floats) -> float:
    """Likeness of two groups' topics, corrected for how noisy each is; 1 where both are empty, 0 where one is."""
    one, two = first.sum(axis=0), second.sum(axis=0)
    if not one.any() or not two.any():
        return 1.0 if one.any() == two.any() else 0.0
    itself = float((first[0] * weight) @ first[1]) * float((second[0] * weight) @ second[1])
    if itself <= 0:
        return float((one * weight) @ two) / float(np.sqrt(((one * weight) @ one) * ((two * weight) @ two)))
    return min(float((one * weight) @ two) / 4 / float(np.sqrt(itself)), 1.0)


def cohesion(one: Features) -> float:
    """How like two members are, of what was asked and of what was answered, whichever is more; 0 to 1."""
    half = max(one.count / 2, 1)
    return max(float(one.asked[0] @ one.asked[1]), float(one.said[0] @ one.said[1])) / half / half


def formal(first: Features, second: Features) -> float:
    """Likeness of the answers' forms, topic aside: the least Bhattacharyya coefficient (1943) of four distributions.

    Of tool calls only the kind counts: their arguments have the form that the tool wants.
    """
    found = 1.0
    calling = min(one.kinds[TOOL] / max(one.count, 1) for one in (first, second)) >= 0.5
    for part in _PARTS[:1] if calling else _PARTS:
        one, two = first.form[part], second.form[part]
        if one.any() and two.any():
            found = min(found, float(np.sqrt((one / one.sum()) * (two / two.sum())).sum()))
        elif one.any() != two.any():
            return 0.0
    return found


def same_labels(first: Features, second: Features) -> float | None:
    """Overlap of the label sets where both answer with labels, -1 where only one does, None where neither does."""
    return _sets(first, second, SHORT, closed_labels)


def same_keys(first: Features, second: Features) -> float | None:
    """Likeness of the JSON keys where both answer with JSON, -1 where only one does, None where neither does."""
    return _sets(first, second, JSON, common_keys)


def closed_labels(one: Features) -> tuple[str, ...]:
    """The labels of a group whose short answers come from a closed set; none where the set is open."""
    total = sum(one.labels.values())
    often = tuple(sorted(label for label, times in one.labels.items() if times > 1))
    return often if total and sum(one.labels[label] for label in often) >= 0.6 * total else ()


def common_keys(one: Features) -> tuple[str, ...]:
    """Keys in at least half of the JSON answers."""
    return tuple(sorted(key for key, times in one.keys.items() if 2 * times >= one.kinds[JSON]))


def _sets(first: Features, second: Features, kind: str, names: Callable[[Features], tuple[str, ...]]) -> float | None:
    share = [one.kinds[kind] / max(one.count, 1) >= 0.5 for one in (first, second)]
    if share[0] != share[1]:
        return -1.0
    if not share[0]:
        return None
    one, two = names(first), names(second)
    if kind == SHORT and one and two:
        return len(set(one) & set(two)) / min(len(one), len(two))
    return set_likeness(one, two)


def same_template(first: Core, second: Core) -> float:
    """The lesser likeness of two templates' roles. A user's gram counts by how many requests hold it.

    So names, passages and examples that fill a template's holes, each rarer than the template, do not hide it.
    """
    system = _smoothed(len(np.intersect1d(first.system, second.system)), len(first.system), len(second.system), 2.0)
    held = dict(zip(first.user.tolist(), first.held.tolist(), strict=True))
    theirs = dict(zip(second.user.tolist(), second.held.tolist(), strict=True))
    most = max([*held.values(), *theirs.values()], default=1.0)
    both = sum(count for gram, count in held.items() if gram in theirs)
    user = _smoothed(both / most, sum(held.values()) / most, sum(theirs.values()) / most, 4.0)
    return min(system, user)


def _smoothed(both: float, first: float, second: float, smooth: float) -> float:
    return (both + smooth) / (first + second - both + smooth)
