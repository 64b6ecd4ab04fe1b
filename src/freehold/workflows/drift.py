"""Drift: how like a workflow's templates are from one week to the next. Pure."""

from __future__ import annotations

import msgspec
import numpy as np
import numpy.typing as npt

from freehold.workflows.grouping import Found
from freehold.workflows.records import UNTIMED
from freehold.workflows.trees import Index

WEEK_SECONDS = 7 * 86400.0
MOST_WEEKS = 104
LEAST_CALLS = 10
"""Weeks with fewer calls are not compared."""


class Week(msgspec.Struct, frozen=True):
    """One week of one workflow, counted from its first call."""

    begins: float
    """Unix seconds."""
    calls: int
    likeness: float | None
    """To the week before that had calls enough: weighted Jaccard of the shares in which template grams were held."""


def weeks(found: Found, index: Index, group: int) -> tuple[Week, ...]:
    """The last `MOST_WEEKS` weeks of a group, from its first call to its last; untimed calls are in none."""
    mine = np.flatnonzero((found.label == group) & (found.mined.at >= UNTIMED))
    if not len(mine):
        return ()
    at = found.mined.at[mine]
    number = ((at - at.min()) // WEEK_SECONDS).astype(np.int64)
    result: list[Week] = []
    before: npt.NDArray[np.float64] | None = None
    last = int(number.max())
    for week in range(max(0, last + 1 - MOST_WEEKS), last + 1):
        members = mine[number == week]
        like = None
        if len(members) >= LEAST_CALLS:
            shares = _shares(found, index, members)
            like = None if before is None else weighted_jaccard(before, shares)
            before = shares
        result.append(Week(float(at.min()) + week * WEEK_SECONDS, len(members), like))
    return tuple(result)


def _shares(found: Found, index: Index, members: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    cells, counts = np.unique(found.cell[members], return_counts=True)
    lengths = np.diff(index.starts)[cells]
    columns, _ = index.columns(cells.astype(np.int64))
    held = np.bincount(columns, weights=np.repeat(counts, lengths), minlength=len(index.grams))
    shares: npt.NDArray[np.float64] = held / counts.sum()
    return shares


def weighted_jaccard(first: npt.NDArray[np.float64], second: npt.NDArray[np.float64]) -> float | None:
    """Sum of the lesser shares over the sum of the greater (Ruzicka 1958); None where nothing is held at all."""
    most = float(np.maximum(first, second).sum())
    return float(np.minimum(first, second).sum()) / most if most else None
