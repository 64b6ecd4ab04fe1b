"""Near-duplicates among texts: MinHash over word shingles, banded, and groups of what is alike.

Memory is bounded: a number for each text and band, a fixed table of counts, no text. Same texts, same groups.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from hashlib import blake2b

import numpy as np
import numpy.typing as npt

BANDS, ROWS = 16, 6
"""A pair of texts whose shingles overlap by J lands in one band with probability 1 - (1 - J^6)^16: .99 at J = .8,
.22 at .5 (Leskovec, Rajaraman and Ullman, "Mining of massive datasets", 3.4)."""
SHINGLE = 3
COMMON = 0.1
"""A shingle of more than this share of the distinct texts is their template, and does not tell which are alike."""
LEAST_COMMON, FEW = 8, 20
"""Of fewer than 2 FEW texts, half must have it, and LEAST_COMMON at least."""
_WORD = re.compile(r"[^\W\d_]+|\d+", re.UNICODE)
_LONGEST = 4000
"""Words of a text that are looked at, from both ends."""
_COUNTERS = 1 << 20
_PRIME = np.uint64((1 << 61) - 1)
_Hashes = npt.NDArray[np.uint64]


class _Groups:
    """Union of things found alike."""

    def __init__(self, size: int) -> None:
        self._parent = list(range(size))

    def of(self, one: int) -> int:
        """The first member of a thing's group."""
        while self._parent[one] != one:
            self._parent[one] = self._parent[self._parent[one]]
            one = self._parent[one]
        return one

    def join(self, one: int, other: int) -> None:
        """Make two groups one."""
        a, b = self.of(one), self.of(other)
        self._parent[max(a, b)] = min(a, b)


def groups(texts: Sequence[str]) -> list[int]:
    """The group of each text: the position of its first member. Digits are masked, case does not count."""
    found, seen = _Groups(len(texts)), dict[bytes, int]()
    rare = _Rare(texts)
    multipliers, offsets = _family()
    for number, text in enumerate(texts):
        words = _words(text)
        for key in _keys(words, rare(_shingles(words)), multipliers, offsets):
            other = seen.setdefault(key, number)
            if other != number:
                found.join(number, other)
    return [found.of(one) for one in range(len(texts))]


def _words(text: str) -> list[str]:
    words = ["0" if one[0].isdigit() else one for one in _WORD.findall(text.casefold())]
    return words if len(words) <= _LONGEST else words[: _LONGEST // 2] + words[-_LONGEST // 2 :]


def _shingles(words: list[str]) -> _Hashes:
    grams = {" ".join(words[at : at + SHINGLE]) for at in range(len(words) - SHINGLE + 1)}
    return np.fromiter((_hash(one) for one in sorted(grams)), dtype=np.uint64, count=len(grams))


class _Rare:
    """Leaves out the shingles of the texts' common template. Counters may collide: then a rare one counts as common."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._counts = np.zeros(_COUNTERS, dtype=np.uint32)
        distinct: set[bytes] = set()  # what is asked word for word again and again is no template
        for text in texts:
            words = _words(text)
            key = _whole(words)
            if key not in distinct:
                distinct.add(key)
                self._counts[_shingles(words) % np.uint64(_COUNTERS)] += 1
        count = len(distinct)
        self._most = max(COMMON * count, min(FEW, max(LEAST_COMMON, count / 2)))

    def __call__(self, shingles: _Hashes) -> _Hashes:
        """Those that are not of the template."""
        common: npt.NDArray[np.bool_] = self._counts[shingles % np.uint64(_COUNTERS)] > self._most
        return shingles[~common]


def _keys(words: list[str], shingles: _Hashes, multipliers: _Hashes, offsets: _Hashes) -> Iterator[bytes]:
    """Texts with a key in common are alike: one key for all its words, and one a band."""
    yield _whole(words)
    if shingles.size < SHINGLE:
        return
    signature = ((shingles[:, None] * multipliers + offsets) % _PRIME).min(axis=0)
    for band in range(BANDS):
        yield bytes([band]) + blake2b(signature[band * ROWS : (band + 1) * ROWS].tobytes(), digest_size=12).digest()


def _whole(words: list[str]) -> bytes:
    return b"w" + blake2b(" ".join(words).encode("utf-8", "replace"), digest_size=12).digest()


def _family() -> tuple[_Hashes, _Hashes]:
    """Always the same hash functions: groups are a function of the texts."""
    random = np.random.default_rng(20_250_901)
    high = 1 << 61
    odd = random.integers(1, high, BANDS * ROWS, dtype=np.uint64) | np.uint64(1)
    return odd, random.integers(0, high, BANDS * ROWS, dtype=np.uint64)


def _hash(text: str) -> int:
    return int.from_bytes(blake2b(text.encode("utf-8", "replace"), digest_size=8).digest(), "big")
