"""Prompts as sets of 64-bit hashes of word 5-grams, one set a role; what differs only in digits is the same.

Pure. Discovery mines these sets and the gateway matches against what was mined, so both must read a prompt alike.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from zlib import crc32

import msgspec
import numpy as np
import numpy.typing as npt

Hashes = npt.NDArray[np.uint64]

WORDS_A_GRAM = 5
SYSTEM_WORDS = 400
HEAD_WORDS = 200
TAIL_WORDS = 100
EDGE_WORDS = 3
_LETTERS_A_WORD = 24
"""Longest text looked at, per wanted word: what is cut off before it is split costs nothing."""

# Scripts that put no spaces between words are read letter by letter: kana, Han, Thai, Lao, Burmese, Khmer.
_UNSPACED = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"
_WORD = re.compile(f"[{_UNSPACED}]|[^\\W_{_UNSPACED}]+")
_MASKED = crc32(b"0")
_HEAD = crc32(b"head of the user's turns")
_TAIL = crc32(b"tail of the user's turns")
_EMPTY: Hashes = np.empty(0, np.uint64)

# Odd constants of MurmurHash3's and SplitMix64's finalisers (Appleby 2011; Steele, Lea and Flood 2014).
_STEPS = tuple(
    np.uint64(one)
    for one in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB, 0xFF51AFD7ED558CCD, 0xC4CEB9FE1A85EC53)
)
_ROLE_BIT = np.uint64(1)
_SHIFT = np.uint64(32)
_PLAIN_STEP = 0xD6E8FEB86659FD93
_ALL = (1 << 64) - 1


class Shingles(msgspec.Struct, frozen=True):
    """Distinct hashes of a prompt, sorted. Those of the system's role are odd, the user's are even."""

    system: Hashes
    user: Hashes


def words(text: str, most: int) -> list[str]:
    """The first `most` words, in lower case; digits are still in them."""
    return _WORD.findall(text[: most * _LETTERS_A_WORD].lower())[:most]


def last_words(text: str, most: int) -> list[str]:
    """The last `most` words."""
    return _WORD.findall(text[-most * _LETTERS_A_WORD :].lower())[-most:]


def user_words(first: str, last: str) -> list[list[str]]:
    """What is read of the users' turns: the whole where it is short, else the first one's head and the last's tail."""
    if first is last or first == last:
        found = words(first, HEAD_WORDS + TAIL_WORDS + 1)
        if len(found) <= HEAD_WORDS + TAIL_WORDS:
            return [found]
        return [found[:HEAD_WORDS], last_words(last, TAIL_WORDS)]
    return [words(first, HEAD_WORDS), last_words(last, TAIL_WORDS)]


def gram_hashes(found: list[str], *, system: bool) -> Hashes:
    """Hash of the gram that begins at each word, in order; runs of words with digits in them count as one word.

    A text shorter than a gram is one gram.
    """
    return _grams(_masked(found), system=system)


def masked_words(found: list[str]) -> list[str]:
    """The words that `gram_hashes` sees: each run of words with digits in them is one `0`."""
    kept: list[str] = []
    for one in found:
        if one.isalpha():
            kept.append(one)
        elif not kept or kept[-1] != "0":
            kept.append("0")
    return kept


def _masked(found: list[str]) -> list[int]:
    hashes = [crc32(one.encode("utf-8", "surrogatepass")) if one.isalpha() else _MASKED for one in found]
    if hashes.count(_MASKED) < 2:
        return hashes
    return [one for place, one in enumerate(hashes) if one != _MASKED or place == 0 or hashes[place - 1] != _MASKED]


def _grams(hashes: list[int], *, system: bool) -> Hashes:
    if not hashes:
        return _EMPTY
    if len(hashes) < WORDS_A_GRAM:
        hashes = hashes + [0] * (WORDS_A_GRAM - len(hashes))
    one = np.array(hashes, np.uint64)
    count = len(hashes) - WORDS_A_GRAM + 1
    found = one[:count] * _STEPS[0]
    for step in range(1, WORDS_A_GRAM):
        found += one[step : step + count] * _STEPS[step]
    found ^= found >> _SHIFT
    found *= _STEPS[1]
    found ^= found >> _SHIFT
    return (found | _ROLE_BIT) if system else (found & ~_ROLE_BIT)


class Shingler:
    """Makes shingles; remembers those of the last system prompts, which are mostly the same few."""

    __slots__ = ("_room", "_systems")

    def __init__(self, room: int = 512) -> None:
        self._room = room
        self._systems: OrderedDict[str, Hashes] = OrderedDict()

    def of(self, system: str, first: str, last: str) -> Shingles:
        """Shingles of a system prompt and of the first and last of the users' turns."""
        return Shingles(self.of_system(system), self.of_user(first, last))

    def of_system(self, system: str) -> Hashes:
        """Hashes of a system prompt."""
        if not system:
            return _EMPTY
        kept = self._systems.get(system)
        if kept is None:
            kept = np.unique(gram_hashes(words(system, SYSTEM_WORDS), system=True))
            self._systems[system] = kept
            if len(self._systems) > self._room:
                self._systems.popitem(last=False)
        return kept

    @staticmethod
    def of_user(first: str, last: str) -> Hashes:
        """Hashes of the users' turns."""
        parts = [_masked(one) for one in user_words(first, last)]
        found = [_grams(one, system=False) for one in parts]
        if parts[0]:
            found.append(_edges(parts[0][:EDGE_WORDS], parts[-1][-EDGE_WORDS:]))
        return np.unique(np.concatenate(found))


def _edges(head: list[int], tail: list[int]) -> Hashes:
    """Grams of the first two and three words and of the last three, for templates too short to hold a whole gram."""
    edges = [_edge(_HEAD, head[:2]), _edge(_HEAD, head), _edge(_TAIL, tail)]
    return np.array(edges, np.uint64) & ~_ROLE_BIT


def _edge(start: int, hashes: list[int]) -> int:
    found = start
    for one in hashes:
        found = (found ^ one) * _PLAIN_STEP & _ALL
        found ^= found >> 29
    return found
