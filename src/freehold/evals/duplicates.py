"""Near-duplicates among texts: MinHash over word shingles, banded, and groups of what is alike.

Memory is bounded: two numbers a text and band are kept, no text. Same texts, same groups, whatever ran before.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from hashlib import blake2b

import numpy as np
import numpy.typing as npt

BANDS, ROWS = 16, 6
"""A pair of texts whose shingles overlap by J lands in one band with probability 1 - (1 - J^6)^16: .94 at J = .8,
.22 at .5 (Leskovec, Rajaraman and Ullman, "Mining of massive datasets", 3.4)."""
SHINGLE = 3
_WORD = re.compile(r"[^\W\d_]+|\d+", re.UNICODE)
_LONGEST = 4000
"""Words of a text that are looked at, from both ends."""
_PRIME = np.uint64((1 << 61) - 1)


class Groups:
    """Union of things found alike; `of(a) == of(b)` tells whether two are."""

    def __init__(self) -> None:
        self._parent: list[int] = []

    def add(self) -> int:
        """A new thing, in a group of its own; its number."""
        self._parent.append(len(self._parent))
        return len(self._parent) - 1

    def of(self, one: int) -> int:
        """The group of a thing: its first member's number."""
        while self._parent[one] != one:
            self._parent[one] = self._parent[self._parent[one]]
            one = self._parent[one]
        return one

    def join(self, one: int, other: int) -> None:
        """Make two groups one."""
        a, b = self.of(one), self.of(other)
        self._parent[max(a, b)] = min(a, b)


def groups(texts: Iterable[str], shared: int = 0) -> list[int]:
    """The group of each text. `shared` words at the start of every text, such as a template's, are left out.

    Digits are masked: texts that differ by numbers alone are alike.
    """
    found = Groups()
    seen: dict[bytes, int] = {}
    multipliers, offsets = _family()
    for text in texts:
        number = found.add()
        for key in keys(text, multipliers, offsets, shared):
            other = seen.setdefault(key, number)
            if other != number:
                found.join(number, other)
    return [found.of(one) for one in range(len(found._parent))]  # noqa: SLF001  # its own list


def keys(text: str, multipliers: npt.NDArray[np.uint64], offsets: npt.NDArray[np.uint64], shared: int) -> list[bytes]:
    """One key a band; texts with a key in common are alike. A short text has the one key of its own words."""
    words = ["0" if one[0].isdigit() else one for one in _WORD.findall(text.casefold())][shared:]
    if len(words) > _LONGEST:
        words = words[: _LONGEST // 2] + words[-_LONGEST // 2 :]
    if len(words) < SHINGLE + 2:
        return [b"s" + " ".join(words).encode()] if words else [b"t" + text.strip().casefold().encode()]
    shingles = {" ".join(words[at : at + SHINGLE]) for at in range(len(words) - SHINGLE + 1)}
    hashes = np.array([_hash(one) for one in shingles], dtype=np.uint64)
    signature = ((hashes[:, None] * multipliers + offsets) % _PRIME).min(axis=0)
    return [bytes([band]) + signature[band * ROWS : (band + 1) * ROWS].tobytes() for band in range(BANDS)]


def _family() -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint64]]:
    """Always the same hash functions: groups are a function of the texts."""
    random = np.random.default_rng(20_250_901)
    size = BANDS * ROWS
    return (random.integers(1, 1 << 61, size, dtype=np.uint64) | np.uint64(1)), random.integers(
        0, 1 << 61, size, dtype=np.uint64
    )


def _hash(text: str) -> int:
    return int.from_bytes(blake2b(text.encode("utf-8", "replace"), digest_size=8).digest(), "big")
