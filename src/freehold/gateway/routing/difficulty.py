"""How much worse an owned model's answer to a prompt will be: hashed words and word pairs, measures of form, two heads.

Invariant: a pure function of the prompt's text and of parameters that travel as one value; it never sees an answer.
"""

from __future__ import annotations

import re
import sys
from array import array
from collections import Counter
from math import exp, log, log1p, sqrt
from operator import mul
from zlib import crc32

import msgspec

WORDS, PAIRS = 1 << 15, 1 << 16
"""Width of the two hashed vectors."""
MEASURES = 13
"""How many measures of form there are."""
HEAD, TAIL = 800, 400
"""Characters read of a long prompt, from its beginning and its end: what bounds the time."""
_WORD = re.compile(rb"[a-z0-9_\x80-\xff]+|[^\sa-z0-9_\x80-\xff]")
_NUMBER = re.compile(rb"[0-9]+")
_CAPITALS = bytes(range(ord("A"), ord("Z") + 1))
_MARKUP = b"$\\{}[]<>=+*/^_|"
_FARTHEST = 30.0
"""Log odds beyond this are this."""


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """Log odds that one model answers well, as a line through the features. Tables are little-endian float32."""

    words: bytes
    """Weight times rarity of each hashed word."""
    pairs: bytes
    measures: tuple[float, ...]
    bias: float


class Parameters(msgspec.Struct, frozen=True, kw_only=True):
    """A fitted router, portable: msgpack of this is `Composite.weights` (about 1.2 MB)."""

    owned: Head
    frontier: Head
    word_rarity: bytes
    """Squared inverse document frequency of each hashed word, for the length of the vector."""
    pair_rarity: bytes
    slope: float = 1.0
    """Calibration: log odds of "the owned model is worse" = slope * score + intercept."""
    intercept: float = 0.0


class Text(msgspec.Struct, frozen=True):
    """What is seen of a prompt: counts of hashed words and pairs, and measures of form."""

    words: Counter[int]
    pairs: Counter[int]
    measures: tuple[float, ...]


def read(prompt: str) -> Text:
    """The features of a prompt. Letters beyond ASCII count as letters, whatever the script."""
    text = prompt if len(prompt) <= HEAD + TAIL else f"{prompt[:HEAD]}\n{prompt[-TAIL:]}"
    words = _WORD.findall(text.lower().encode("utf-8", "replace"))
    hashes = list(map(crc32, words))
    return Text(
        Counter([one & (WORDS - 1) for one in hashes]),
        Counter([one & (PAIRS - 1) for one in map(crc32, words[1:], hashes)]),
        _measures(len(prompt), text.encode("utf-8", "replace"), len(words)),
    )


def _measures(length: int, text: bytes, words: int) -> tuple[float, ...]:
    """Characters of the whole prompt; words, numbers, lines, markup, capitals and marks in what is read of it."""
    numbers = _NUMBER.findall(text)
    return (
        log1p(length),
        log1p(words),
        log1p(len(numbers)),
        log1p(text.count(b"\n")),
        log1p(len(text) - len(text.translate(None, _MARKUP))),
        log1p(text.count(b".")),
        log1p(len(text) - len(text.translate(None, _CAPITALS))),
        len(text) / (words + 1.0),
        float(min(max(map(len, numbers), default=0), 12)),
        float(b"?" in text),
        float(not text.isascii()),
        log1p(text.count(b"%")),
        log1p(text.count(b",")),
    )


class Scorer:
    """Parameters laid out for speed. Raises ValueError for tables of the wrong size."""

    __slots__ = ("_calibration", "_heads", "_pair_rarity", "_word_rarity")

    def __init__(self, parameters: Parameters) -> None:
        self._word_rarity = _table(parameters.word_rarity, WORDS)
        self._pair_rarity = _table(parameters.pair_rarity, PAIRS)
        heads = (parameters.frontier, parameters.owned)
        if any(len(one.measures) != MEASURES for one in heads):
            raise ValueError(f"a head has not {MEASURES} measures")
        self._heads = tuple(
            (_table(one.words, WORDS), _table(one.pairs, PAIRS), one.measures, one.bias) for one in heads
        )
        self._calibration = (parameters.slope, parameters.intercept)

    @classmethod
    def loads(cls, weights: bytes) -> Scorer:
        """From `Composite.weights`. Raises msgspec.DecodeError or ValueError for bytes that are none."""
        return cls(msgspec.msgpack.decode(weights, type=Parameters))

    def difficulty(self, prompt: str) -> float:
        """Probability, in [0, 1], that the owned model's answer is worse than the frontier's."""
        slope, intercept = self._calibration
        return _chance(slope * self.score_of(read(prompt)) + intercept)

    def score_of(self, text: Text) -> float:
        """What the frontier is expected to score above the owned model, in [-1, 1]: higher is harder.

        A difference of two chances and not one line, because it is not monotone: on what is easy for both, and on
        what is too hard for both, there is nothing to gain.
        """
        words, pairs = list(text.words), list(text.pairs)
        more_words, more_pairs = _repeated(text.words), _repeated(text.pairs)
        word_length = _length(words, more_words, self._word_rarity)
        pair_length = _length(pairs, more_pairs, self._pair_rarity)
        frontier, owned = (
            _chance(
                bias
                + _inner(words, more_words, of_words) / word_length
                + _inner(pairs, more_pairs, of_pairs) / pair_length
                + sum(map(mul, of_measures, text.measures))
            )
            for of_words, of_pairs, of_measures, bias in self._heads
        )
        return frontier - owned


def dumps(parameters: Parameters) -> bytes:
    """For `Composite.weights`."""
    return msgspec.msgpack.encode(parameters)


def _table(raw: bytes, width: int) -> array[float]:
    if len(raw) != 4 * width:
        raise ValueError(f"a table of {len(raw)} bytes where {4 * width} were due")
    table = array("f", raw)
    if sys.byteorder == "big":
        table.byteswap()
    return table


def _chance(odds: float) -> float:
    return 1.0 / (1.0 + exp(-max(-_FARTHEST, min(_FARTHEST, odds))))


def _repeated(counts: Counter[int]) -> list[tuple[int, float]]:
    """What occurs more than once, with ln count; most does not."""
    return [(key, log(count)) for key, count in counts.items() if count > 1]


def _inner(keys: list[int], more: list[tuple[int, float]], weights: array[float]) -> float:
    """Sum of `(1 + ln count) weight`."""
    return sum(map(weights.__getitem__, keys)) + sum([by * weights[key] for key, by in more])


def _length(keys: list[int], more: list[tuple[int, float]], rarity: array[float]) -> float:
    """Euclidean length of the tf-idf vector; 1 for an empty one."""
    squares = sum(map(rarity.__getitem__, keys)) + sum([(by * by + 2.0 * by) * rarity[key] for key, by in more])
    return sqrt(squares) or 1.0
