"""Cells (one signature, one shape), parts of a template by tools and JSON keys, and an index of like templates.

Pure and independent of the order of the records.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

import msgspec
import numpy as np
import numpy.typing as npt

from freehold.gateway.shingles import Hashes
from freehold.workflows.shapes import JSON, SHORT
from freehold.workflows.templates import Look, Mined

WEAK_GRAMS = 6
"""A template of no more grams (10 words) may be a phrase that people use: it says little about the task."""
LEAST_GROUP = 15
LEAST_PART = 0.02
SET_LIKENESS = 0.5
"""Least Jaccard likeness of two sets of tools, or of JSON keys, that are one shape."""
_REGULAR = 0.8
_MOST_PARTS = 6

Ints = npt.NDArray[np.int32]


class Cell(msgspec.Struct, frozen=True):
    """Records with the same signature and the same look: the smallest thing that is moved about."""

    signature: int
    look: int
    count: int


def cells_of(mined: Mined) -> tuple[list[Cell], Ints]:
    """Distinct pairs of signature and look, and each record's."""
    looks = max(len(mined.looks), 1)
    pairs = mined.signature.astype(np.int64) * looks + mined.look
    distinct, which, counts = np.unique(pairs, return_inverse=True, return_counts=True)
    cells = [
        Cell(int(pair // looks), int(pair % looks), int(count)) for pair, count in zip(distinct, counts, strict=True)
    ]
    return cells, which.astype(np.int32)


class Leaders:
    """Leaders among the signatures of one role, and the inverted index that finds those alike."""

    def __init__(self, smooth: float) -> None:
        self._smooth = smooth
        self._holders: dict[int, list[int]] = defaultdict(list)
        self._sizes: list[int] = []

    def likeness(self, grams: Hashes) -> npt.NDArray[np.float64]:
        """Smoothed Jaccard likeness to every leader."""
        held = [self._holders[one] for one in grams.tolist() if one in self._holders]
        together = [number for one in held for number in one]
        shared = np.bincount(np.array(together, np.int64), minlength=len(self._sizes)) + self._smooth
        sizes = np.array(self._sizes, np.float64)
        found: npt.NDArray[np.float64] = shared / (len(grams) + sizes - shared + 2 * self._smooth)
        return found

    def add(self, grams: Hashes) -> int:
        """Make a signature a leader."""
        number = len(self._sizes)
        for gram in grams.tolist():
            self._holders[gram].append(number)
        self._sizes.append(len(grams))
        return number


def split_roles(signature: Hashes) -> tuple[Hashes, Hashes]:
    """The system's grams and the user's."""
    odd = (signature & np.uint64(1)).astype(bool)
    return signature[odd], signature[~odd]


def parted(members: list[int], cells: Sequence[Cell], looks: Sequence[Look], *, weak: bool) -> list[list[int]]:
    """One template's cells by shape: the tools offered, the schema asked for, and, where regular, the keys answered."""
    found = []
    for some in _by(members, cells, [one.tools for one in looks]):
        for part in _by(some, cells, [one.keys for one in looks]):
            found += _by_answer(part, cells, looks, weak=weak)
    return found


def _by(members: list[int], cells: Sequence[Cell], sets: Sequence[tuple[str, ...]]) -> list[list[int]]:
    """Parts with like sets; rare sets join the likest."""
    leader = like_sets((sets[cells[one].look], cells[one].count) for one in members)
    parts: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for one in members:
        parts[leader[sets[cells[one].look]]].append(one)
    return list(parts.values())


def like_sets(weighed: Iterable[tuple[tuple[str, ...], int]]) -> dict[tuple[str, ...], tuple[str, ...]]:
    """Each set's leader: the heaviest set whose Jaccard likeness is at least `SET_LIKENESS`."""
    weight: dict[tuple[str, ...], int] = defaultdict(int)
    for names, count in weighed:
        weight[names] += count
    leaders: list[tuple[str, ...]] = []
    found = {}
    for names in sorted(weight, key=lambda one: (-weight[one], one)):
        alike = [(set_likeness(names, one), -place) for place, one in enumerate(leaders[:64])]
        best = max(alike, default=(0.0, 0))
        if best[0] < SET_LIKENESS:
            leaders.append(names)
            found[names] = names
        else:
            found[names] = leaders[-best[1]]
    return found


def set_likeness(first: tuple[str, ...], second: tuple[str, ...]) -> float:
    """Jaccard likeness; two empty sets are the same."""
    if first == second:
        return 1.0
    one, two = set(first), set(second)
    return len(one & two) / len(one | two)


def _by_answer(part: list[int], cells: Sequence[Cell], looks: Sequence[Look], *, weak: bool) -> list[list[int]]:
    """By the keys of JSON answers where those are regular; where the template is weak also by whether labels answer."""
    least = max(LEAST_GROUP, LEAST_PART * size_of(part, cells))
    json = [one for one in part if looks[cells[one].look].kind == JSON]
    others = [one for one in part if looks[cells[one].look].kind != JSON]
    pieces = sorted(_by(json, cells, [one.names for one in looks]), key=lambda one: -size_of(one, cells))
    kept = [one for one in pieces if size_of(one, cells) >= least]
    strays = [one for piece in pieces[len(kept) :] for one in piece]
    regular = 0 < len(kept) <= _MOST_PARTS and size_of(strays, cells) <= (1 - _REGULAR) * size_of(json, cells)
    if not regular:
        kept, others = [], part
    elif weak:
        kept[0] = kept[0] + strays
    else:
        kept[0], others = kept[0] + strays + others, []
    short = [one for one in others if looks[cells[one].look].kind == SHORT]
    labelled = [one for one in short if looks[cells[one].look].names]
    closed = size_of(labelled, cells) >= max(least, _REGULAR * size_of(short, cells))
    if weak and closed and len(short) < len(others):
        kept.append(short)
        others = [one for one in others if looks[cells[one].look].kind != SHORT]
    return [*kept, others] if others else kept


def size_of(members: Iterable[int], cells: Sequence[Cell]) -> int:
    """Requests in some cells."""
    return sum(cells[one].count for one in members)
