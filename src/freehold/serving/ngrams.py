"""Hashed n-grams of a text: words, pairs of words and runs of characters, as 32-bit numbers with their counts.

The same text gives the same numbers on every machine and in every version that shares `SCHEME`; a model names the
scheme it was trained with, so a change here needs a new one.
"""

from __future__ import annotations

import re
from zlib import crc32

import msgspec
import numpy as np
import numpy.typing as npt

SCHEME = "ngrams-1"

Hashes = npt.NDArray[np.uint32]
Floats = npt.NDArray[np.float32]

_WORD = re.compile(r"\w+")
_DIGIT = re.compile(r"\d")
_MULTIPLIER = np.uint32(0x9E3779B1)
"""Knuth's multiplicative hash: 2^32 over the golden ratio, odd."""
_LONGEST = 20_000
"""Characters read of one text: what comes after rarely decides, and time must be bounded."""


class Reading(msgspec.Struct, frozen=True):
    """Which n-grams are taken: word runs up to `words`, character runs of `shortest` to `longest`."""

    words: int = 2
    shortest: int = 3
    longest: int = 5


def ngrams(text: str, reading: Reading) -> tuple[Hashes, Floats]:
    """The distinct hashes, ascending, with how often each occurs. Case is folded and each digit counts as 0."""
    found = _WORD.findall(_DIGIT.sub("0", text[:_LONGEST].casefold()))
    if not found:
        return np.empty(0, np.uint32), np.empty(0, np.float32)
    single = np.fromiter((crc32(word.encode("utf-8", "surrogatepass")) for word in found), np.uint32, len(found))
    parts = [single]
    run = single
    for length in range(2, reading.words + 1):
        if len(found) < length:
            break
        run = run[:-1] * _MULTIPLIER + single[length - 1 :]
        parts.append(_mixed(run, length))
    codes = np.frombuffer(f" {' '.join(found)} ".encode("utf-32-le", "surrogatepass"), np.uint32)
    parts.extend(_characters(codes, reading))
    return _counted(np.concatenate(parts))


def _characters(codes: Hashes, reading: Reading) -> list[Hashes]:
    parts: list[Hashes] = []
    run = codes
    for length in range(2, min(reading.longest, len(codes)) + 1):
        run = run[:-1] * _MULTIPLIER + codes[length - 1 :]
        if length >= reading.shortest:
            parts.append(_mixed(run, length + 64))
    return parts


def _mixed(hashes: Hashes, salt: int) -> Hashes:
    """Spread the low bits, so that runs of different kinds do not meet (the finaliser of MurmurHash3)."""
    mixed = hashes ^ np.uint32(salt * 0x85EBCA6B & 0xFFFFFFFF)
    mixed = (mixed ^ (mixed >> np.uint32(16))) * np.uint32(0x85EBCA6B)
    return mixed ^ (mixed >> np.uint32(13))


def _counted(hashes: Hashes) -> tuple[Hashes, Floats]:
    hashes.sort()
    first = np.flatnonzero(np.concatenate(([True], hashes[1:] != hashes[:-1])))
    counts = np.diff(np.append(first, len(hashes))).astype(np.float32)
    return hashes[first], counts
