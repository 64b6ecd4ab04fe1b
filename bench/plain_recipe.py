"""The plain recipe, to be measured against: leaders by Jaccard over frequent 5-grams, then merging by topic.

Frequent is what at least 20 requests and 0.2 % of them hold. Groups under 15 join the nearest by template.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np

from bench.messy_logs import Call
from freehold.gateway.prompt import prompt_of
from freehold.gateway.shingles import gram_hashes, words
from freehold.workflows.likeness import topic
from freehold.workflows.shapes import said_of


class _Source(Protocol):
    def records(self) -> Iterator[Call]: ...


def plain(source: _Source) -> list[int]:
    """A group for each request."""
    sets, shapes, tails = [], [], []
    for one in source.records():
        prompt, said = prompt_of(one.request), said_of(one.response)
        user = words(prompt.last, 100_000)
        grams = {("s", int(one)) for one in gram_hashes(words(prompt.system, 400), system=True)}
        grams |= {("u", int(one)) for one in gram_hashes(user[:120], system=False)}
        grams |= {("u", int(one)) for one in gram_hashes(user[-40:], system=False)}
        sets.append(grams)
        shapes.append((bool(prompt.tools), said.names if said.kind == "json" else ()))
        tails.append(np.concatenate([topic(user[-40:]), topic(words(said.text, 120))]))
    held = Counter(gram for one in sets for gram in one)
    needed = max(20, 0.002 * len(sets))
    frequent = [frozenset(gram for gram in one if held[gram] >= needed) for one in sets]
    label = _adopted(_led(frequent, shapes), frequent)
    return _merged(label, shapes, np.array(tails))


def _led(frequent: list[frozenset[Any]], shapes: list[Any]) -> list[int]:
    leaders: list[frozenset[Any]] = []
    known: dict[frozenset[Any], int] = {}
    groups: dict[tuple[int, Any], int] = {}
    label = []
    for one, shape in zip(frequent, shapes, strict=True):
        if one not in known:
            likeness = [len(one & each) / max(len(one | each), 1) if one or each else 1.0 for each in leaders]
            best = int(np.argmax(likeness)) if leaders else -1
            if best < 0 or likeness[best] < 0.5:
                leaders.append(one)
                best = len(leaders) - 1
            known[one] = best
        label.append(groups.setdefault((known[one], shape), len(groups)))
    return label


def _adopted(label: list[int], frequent: list[frozenset[Any]]) -> list[int]:
    sizes = Counter(label)
    cores: dict[int, frozenset[Any]] = {}
    for one, grams in zip(label, frequent, strict=True):
        if sizes[one] >= 15:
            cores.setdefault(one, grams)
    if not cores:
        return label
    names = list(cores)
    found = []
    for one, grams in zip(label, frequent, strict=True):
        if one in cores:
            found.append(one)
            continue
        likeness = [len(grams & cores[each]) / max(len(grams | cores[each]), 1) for each in names]
        found.append(names[int(np.argmax(likeness))])
    return found


def _merged(label: list[int], shapes: list[Any], tails: np.ndarray[Any, Any]) -> list[int]:
    draw = np.random.default_rng(0)
    first = tails @ draw.standard_normal((tails.shape[1], 48))
    base, _ = np.linalg.qr(tails.T @ first)
    small = (tails - tails.mean(axis=0)) @ base
    members: dict[int, list[int]] = defaultdict(list)
    for number, one in enumerate(label):
        members[one].append(number)
    names = sorted(members)
    centre = np.array([small[members[one]].mean(axis=0) for one in names])
    centre /= np.maximum(np.linalg.norm(centre, axis=1, keepdims=True), 1e-9)
    shape = [Counter(shapes[each] for each in members[one]).most_common(1)[0][0] for one in names]
    root = list(range(len(names)))
    for i in range(len(names)):
        for j in range(i):
            if shape[i] == shape[j] and centre[i] @ centre[j] > 0.65:
                old, new = root[i], root[j]
                root = [new if one == old else one for one in root]
    of = {one: root[number] for number, one in enumerate(names)}
    return [of[one] for one in label]
