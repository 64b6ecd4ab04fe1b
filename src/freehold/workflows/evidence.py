"""All pairs of groups compared at once: templates, topics, forms, interfaces, as square matrices.

Pure. A merged group keeps the strongest likeness any of its templates has; its topics and forms are pooled.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from freehold.workflows.clusters import WEAK_GRAMS
from freehold.workflows.likeness import TOPICS, Core, Features, Floats, parts_of_form
from freehold.workflows.shapes import KINDS, TOOL

Flags = npt.NDArray[np.bool_]

SMOOTH_SYSTEM = 2.0
SMOOTH_USER = 4.0
"""Grams that two templates are taken to share beside those seen, so that one stray phrase parts nobody."""


def template_likeness(cores: Sequence[Core]) -> tuple[Floats, Floats]:
    """Likeness of every two templates: the lesser of both roles, and that of the system's role alone.

    A user's gram counts by how many requests hold it: names, passages and examples that fill a template's holes, each
    rarer than the template, do not hide it.
    """
    system = _incidence([one.system for one in cores])
    both = system @ system.T
    sizes = system.sum(axis=1)
    first = _smoothed(both, sizes, SMOOTH_SYSTEM)
    user = _incidence([one.user for one in cores])
    held = np.zeros(user.shape[1])
    if user.shape[1]:
        columns = np.searchsorted(_every([one.user for one in cores]), np.concatenate([one.user for one in cores]))
        held[columns] = np.concatenate([one.held for one in cores])
    weighed = user * held
    most = weighed.max(axis=1, initial=1.0)
    scale = np.maximum(most[:, None], most[None, :])
    both = (weighed @ user.T) / scale
    sizes = weighed.sum(axis=1)
    second = (both + SMOOTH_USER) / (sizes[:, None] / scale + sizes[None, :] / scale - both + SMOOTH_USER)
    lesser: Floats = np.minimum(first, second)
    return lesser, first


def _every(sets: Sequence[npt.NDArray[np.uint64]]) -> npt.NDArray[np.uint64]:
    return np.unique(np.concatenate(sets)) if sets else np.empty(0, np.uint64)


def _incidence(sets: Sequence[npt.NDArray[np.uint64]]) -> Floats:
    every = _every(sets)
    found = np.zeros((len(sets), len(every)))
    for row, one in enumerate(sets):
        found[row, np.searchsorted(every, one)] = 1
    return found


def _smoothed(both: Floats, sizes: Floats, smooth: float) -> Floats:
    found: Floats = (both + smooth) / (sizes[:, None] + sizes[None, :] - both + smooth)
    return found


class Topics:
    """Topic features of groups, two halves each, under weights by which what every group says counts for nothing."""

    def __init__(self, halves: Sequence[Floats], counts: Sequence[int]) -> None:
        self._sums = np.array(halves).reshape(-1, 2, TOPICS)
        share = (self._sums.sum(axis=1) / np.maximum(np.array(counts, float), 1)[:, None]).mean(axis=0)
        self._weight = 1 / (share + 0.01)

    def likeness(self, of: npt.NDArray[np.int64]) -> Floats:
        """Of some groups to every group: corrected for how noisy each is; 1 where both are empty, 0 where one is."""
        whole = self._sums.sum(axis=1)
        cross = (whole[of] * self._weight) @ whole.T / 4
        itself = np.einsum("ij,ij->i", self._sums[:, 0] * self._weight, self._sums[:, 1])
        raw = np.einsum("ij,ij->i", whole * self._weight, whole) / 4
        norm = np.where(itself > 0, itself, raw)
        empty = norm <= 0
        found = cross / np.sqrt(np.maximum(norm[of][:, None] * norm[None, :], 1e-300))
        found = np.where(empty[of][:, None] | empty[None, :], empty[of][:, None] == empty[None, :], found)
        clipped: Floats = np.clip(found, 0.0, 1.0)
        return clipped

    def pool(self, into: int, gone: int) -> None:
        """Make two groups one."""
        self._sums[into] += self._sums[gone]


class Forms:
    """How answers look, whatever they are about."""

    def __init__(self, groups: Sequence[Features]) -> None:
        self._sums = np.array([one.form for one in groups])
        kind = KINDS.index(TOOL)
        self._calls = np.array([one.form[kind] for one in groups], float)
        self._counts = np.array([one.count for one in groups], float)

    def likeness(self, of: npt.NDArray[np.int64]) -> Floats:
        """The least Bhattacharyya coefficient (1943) of four distributions: kind, length, marks, short words.

        Of tool calls only the kind counts: their arguments have the form that the tool wants.
        """
        calling = self._calls >= 0.5 * np.maximum(self._counts, 1)
        both_call = calling[of][:, None] & calling[None, :]
        found = np.ones((len(of), len(self._sums)))
        for number, part in enumerate(parts_of_form()):
            sums = self._sums[:, part]
            totals = sums.sum(axis=1, keepdims=True)
            roots = np.sqrt(sums / np.maximum(totals, 1e-300))
            one = roots[of] @ roots.T
            there = totals[:, 0] > 0
            one = np.where(there[of][:, None] & there[None, :], one, there[of][:, None] == there[None, :])
            found = np.minimum(found, one if number == 0 else np.where(both_call, 1.0, one))
        return found

    def pool(self, into: int, gone: int) -> None:
        """Make two groups one."""
        for one in (self._sums, self._calls, self._counts):
            one[into] += one[gone]


class Templates:
    """Likeness of templates, and which share a system prompt that says enough."""

    def __init__(self, cores: Sequence[Core], alike: float) -> None:
        self.likeness, system = template_likeness(cores)
        strong = np.array([len(one.system) > WEAK_GRAMS for one in cores])
        plain = np.array([len(one.user) <= WEAK_GRAMS for one in cores])
        self.shared: Flags = (system >= alike) & strong[:, None] & strong[None, :]
        self.plain: Flags = self.shared & plain[:, None]
        """Those of a row's templates in which users follow none."""

    def pool(self, into: int, gone: int) -> None:
        """Make two groups one: what either shares with others, both do."""
        self.likeness[into] = np.maximum(self.likeness[into], self.likeness[gone])
        self.likeness[:, into] = self.likeness[into]
        for one in (self.shared, self.plain):
            one[into] |= one[gone]
            one[:, into] |= one[:, gone]
