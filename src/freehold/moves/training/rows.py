"""A sparse matrix of texts by n-grams, in numpy alone: its products with dense ones, and its Gram matrix."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from freehold.serving.linear import Indices
from freehold.serving.ngrams import Floats

_DENSE = 50
"""A column with more than one in so many of the rows goes through a dense product."""


class Rows:
    """`n` rows of `width` columns, float32, kept by rows and by columns."""

    def __init__(self, rows: Sequence[tuple[Indices, Floats]], width: int) -> None:
        self.n = len(rows)
        self.width = width
        counts = np.array([len(one[0]) for one in rows], np.int64)
        self._ends = np.concatenate(([0], np.cumsum(counts)))
        empty_i, empty_v = np.empty(0, np.int64), np.empty(0, np.float32)
        self._columns = np.concatenate([empty_i, *(one[0] for one in rows)]).astype(np.int32)
        self._values = np.concatenate([empty_v, *(one[1] for one in rows)]).astype(np.float32)
        order = np.argsort(self._columns, kind="stable")
        self._row_of = np.repeat(np.arange(self.n, dtype=np.int32), counts)[order]
        self._by_column = self._values[order]
        self._column_ends = np.concatenate(([0], np.cumsum(np.bincount(self._columns, minlength=width))))

    def times(self, weights: Floats) -> Floats:
        """This matrix [n, width] times dense weights [width, k]: [n, k]."""
        made = np.empty((self.n, weights.shape[1]), np.float32)
        ends = self._ends.tolist()
        for i in range(self.n):
            start, end = ends[i], ends[i + 1]
            np.dot(self._values[start:end], weights[self._columns[start:end]], out=made[i])
        return made

    def transposed_times(self, residuals: Floats) -> Floats:
        """Its transpose times dense residuals [n, k]: [width, k]."""
        made = np.empty((self.width, residuals.shape[1]), np.float32)
        ends = self._column_ends.tolist()
        for j in range(self.width):
            start, end = ends[j], ends[j + 1]
            np.dot(self._by_column[start:end], residuals[self._row_of[start:end]], out=made[j])
        return made

    def gram(self) -> Floats:
        """This matrix times its transpose, dense: [n, n]."""
        made = np.zeros((self.n, self.n), np.float32)
        counts = np.diff(self._column_ends)
        common = np.flatnonzero(counts > self.n // _DENSE)
        dense = np.zeros((self.n, len(common)), np.float32)
        ends = self._column_ends.tolist()
        for place, j in enumerate(common.tolist()):
            dense[self._row_of[ends[j] : ends[j + 1]], place] = self._by_column[ends[j] : ends[j + 1]]
        made += dense @ dense.T
        rare = np.flatnonzero((counts > 0) & (counts <= self.n // _DENSE))
        for count in np.unique(counts[rare]).tolist():  # columns of one count at a time: one addition for all of them
            chosen = rare[counts[rare] == count]
            at = self._column_ends[chosen][:, None] + np.arange(count)
            rows, values = self._row_of[at], self._by_column[at]
            places = rows[:, :, None].astype(np.int64) * self.n + rows[:, None, :]
            products = values[:, :, None] * values[:, None, :]
            np.add.at(made.reshape(-1), places.ravel(), products.ravel())
        return made
