"""Templates as a tree: requests are parted by their most frequent gram, then each part by what is frequent within it.

A part is left whole where what is frequent in it is data that fills the template's holes (retrieved passages,
examples, names) rather than a few further templates. Pure; independent of the order of the records.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
import numpy.typing as npt

from freehold.workflows.clusters import LEAST_GROUP, LEAST_PART, WEAK_GRAMS, Cell
from freehold.workflows.templates import Mined

Ints = npt.NDArray[np.int64]

CORE_SHARE = 0.5
"""A gram is of a part's core where that share of its requests hold it."""
_BASE_SHARE = 0.9
_MOST_TASKS = 12
_MOST_SYSTEMS = 64
"""So many templates may stand under one, in the users' turns or in the system's; more of them are data."""
_COVER = 0.8
_OVERLAP = 1.4
"""Tasks exclude each other: where a request holds more of the parts' grams than that, they are passages or examples."""
_DEPTH = 6


class Index(msgspec.Struct, frozen=True):
    """Which grams each cell holds: `held[starts[c]:starts[c + 1]]` are the columns of cell `c`."""

    starts: Ints
    held: Ints
    weight: npt.NDArray[np.float64]
    grams: npt.NDArray[np.uint64]

    @staticmethod
    def of(mined: Mined, cells: Sequence[Cell]) -> Index:
        """Of the cells of what was mined."""
        signatures = [mined.signatures[one.signature] for one in cells]
        lengths = np.array([len(one) for one in signatures], np.int64)
        every = np.concatenate(signatures) if signatures else np.empty(0, np.uint64)
        grams, held = np.unique(every, return_inverse=True)
        starts = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
        return Index(starts, held.astype(np.int64), np.array([one.count for one in cells], np.float64), grams)

    def counts(self, members: Ints) -> npt.NDArray[np.float64]:
        """How many requests of these cells hold each gram."""
        columns, owners = self.columns(members)
        return np.bincount(columns, weights=self.weight[owners], minlength=len(self.grams)).astype(np.float64)

    def columns(self, members: Ints) -> tuple[Ints, Ints]:
        """All grams of these cells, and the cell of each."""
        lengths = self.starts[members + 1] - self.starts[members]
        owners = np.repeat(members, lengths)
        offsets = np.arange(len(owners)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        return self.held[self.starts[owners] + offsets], owners

    def holding(self, members: Ints, gram: int) -> npt.NDArray[np.bool_]:
        """Which of these cells hold a gram."""
        columns, owners = self.columns(members)
        return np.isin(members, owners[columns == gram])


def leaves(index: Index, members: Ints, depth: int = 0) -> list[Ints]:
    """Part cells by template."""
    total = float(index.weight[members].sum())
    least = max(LEAST_GROUP, LEAST_PART * total) if depth else LEAST_GROUP
    if total < 2 * least or depth == _DEPTH:
        return [members]
    counts = index.counts(members)
    base = counts >= _BASE_SHARE * total
    bounded = int(base.sum()) > WEAK_GRAMS
    parts, rest = _parts(index, members, base, least)
    if not parts:
        return [members]
    if bounded and _is_data(index, parts, rest, total):
        return [members]
    found = []
    for _, part in parts:
        found += leaves(index, part, depth + 1)
    return [*found, rest] if len(rest) else found


def _parts(
    index: Index, members: Ints, base: npt.NDArray[np.bool_], least: float
) -> tuple[list[tuple[int, Ints]], Ints]:
    """The most frequent gram's cells, then of the rest again, until nothing frequent is left."""
    found = []
    rest = members
    while len(rest):
        counts = np.where(base, 0, index.counts(rest))
        gram = int(counts.argmax()) if len(counts) else 0
        if not len(counts) or counts[gram] < least:
            break
        mine = index.holding(rest, gram)
        found.append((gram, rest[mine]))
        rest = rest[~mine]
    return found, rest


def _is_data(index: Index, parts: Sequence[tuple[int, Ints]], rest: Ints, total: float) -> bool:
    """True where the parts are what fills one template's holes."""
    sizes = [float(index.weight[one].sum()) for _, one in parts]
    covered = sum(sizes)
    kinds = [int(index.grams[gram]) & 1 for gram, _ in parts]
    most = _MOST_SYSTEMS if sum(kinds) * 2 > len(kinds) else _MOST_TASKS
    if sum(sizes[:most]) < _COVER * covered:
        return True
    together = np.concatenate([one for _, one in parts])
    counts = index.counts(together)
    return float(sum(counts[gram] for gram, _ in parts)) > _OVERLAP * covered
