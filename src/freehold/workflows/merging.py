"""Which groups are one workflow: versions of a prompt, several callers of one task, chat without a task.

Pure. Groups are joined one pair at a time, the strongest evidence first, and every threshold stands in `Bounds`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import msgspec
import numpy as np
import numpy.typing as npt

from freehold.gateway.prompt import Prompt
from freehold.workflows.clusters import WEAK_GRAMS, set_likeness
from freehold.workflows.evidence import Flags, Forms, Templates, Topics
from freehold.workflows.likeness import Core, Features, Floats, joined
from freehold.workflows.shapes import JSON, SHORT

MOST_CORES = 12
MOST_PROMPTS = 40


class Bounds(msgspec.Struct, frozen=True, kw_only=True):
    """Thresholds of the evidence, each in [0, 1]."""

    template: float = 0.5
    """Groups with templates so alike are one workflow unless their answers differ in form."""
    whole: float = 0.8
    backing: float = 0.5
    """Templates less alike than `whole`, as under one company's preamble, need questions or answers so alike."""
    form: float = 0.8
    """Least likeness of the answers' forms of one workflow where the template is no more than enough alike."""
    trade: float = 1.35
    """Least sum of both: the more alike the template, the less the answers' forms must be."""
    topic: float = 0.65
    """Least likeness of the questions, where templates differ but labels or JSON keys are the same."""
    free: float = 0.8
    """Least likeness of questions, of answers, and of their form, where templates differ and text answers."""
    labels: float = 0.5
    keys: float = 0.5
    sure: float = 0.8
    """Labels or keys so alike outweigh the answers' form."""


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """One candidate workflow. Kinds, labels and keys are counted over all of its requests, features over a sample."""

    members: tuple[int, ...]
    """Numbers of the groups it was joined from."""
    count: int
    cores: tuple[Core, ...]
    """Templates of the groups it was joined from, the largest group's first, at most `MOST_CORES`."""
    tools: tuple[str, ...]
    keys: tuple[str, ...]
    weak: bool
    features: Features
    kinds: Counter[str]
    labels: Counter[str]
    """Short answers that many requests got."""
    members_of_json: Counter[str]
    """Top-level keys of the JSON answered."""
    prompts: tuple[Prompt, ...] = ()
    """Some, for people and for a name."""

    @property
    def label_set(self) -> tuple[str, ...]:
        """The labels, where most of the short answers come from a closed set."""
        closed = sum(self.labels.values()) >= 0.6 * self.kinds[SHORT] > 0
        return tuple(sorted(self.labels)) if closed else ()

    @property
    def key_set(self) -> tuple[str, ...]:
        """Keys in at least half of the JSON answers."""
        return tuple(sorted(key for key, held in self.members_of_json.items() if 2 * held >= self.kinds[JSON]))

    def mostly(self, kind: str) -> bool:
        """True where at least half of what was answered is of a kind."""
        return self.kinds[kind] > 0 and 2 * self.kinds[kind] >= sum(self.kinds.values()) - self.kinds["none"]


class Pairs:
    """The evidence about every pair of groups, kept up as groups are joined."""

    def __init__(self, groups: Sequence[Group], bounds: Bounds) -> None:
        self.groups = list(groups)
        self._bounds = bounds
        features = [one.features for one in groups]
        counts = [one.count for one in features]
        self._templates = Templates([one.cores[0] for one in groups], bounds.form)
        self._asked = Topics([one.asked for one in features], counts)
        self._said = Topics([one.said for one in features], counts)
        self._forms = Forms(features)

    def verdicts(self, of: npt.NDArray[np.int64]) -> Floats:
        """How strongly each of these groups and every group are one workflow; 0 where they are not."""
        bounds, template = self._bounds, self._templates.likeness[of]
        asked, said, form = self._asked.likeness(of), self._said.likeness(of), self._forms.likeness(of)
        possible, surely, names = self._interfaces(of)
        weak = np.array([one.weak for one in self.groups])
        tools = np.array([bool(one.tools) for one in self.groups])
        slight = np.array([_slight(one) for one in self.groups])
        both_weak = weak[of][:, None] & weak[None, :] & ~tools[None, :]
        formed = form >= bounds.form
        enough = surely | (form >= np.minimum(bounds.form, bounds.trade - template))
        backed = (template >= bounds.whole) | surely | (np.maximum(asked, said) >= bounds.backing)
        same = (template >= bounds.template) & enough & backed
        free = np.minimum(np.minimum(asked, said), form)
        chat = np.minimum(said, form)
        rules = (
            (~both_weak & same, template),
            (~both_weak & (formed | surely) & self._filled(of), np.maximum(form, bounds.form)),
            (~both_weak & formed & tools[None, :] & (slight[of][:, None] | slight[None, :]), form),
            (~both_weak & names & (asked >= bounds.topic), asked),
            (~both_weak & (free >= bounds.free), free),
            (both_weak & (chat >= bounds.free), chat),
            (both_weak & formed & surely, form),
        )
        found = np.zeros_like(form)
        for holds, strength in rules:
            found = np.maximum(found, np.where(holds, strength, 0))
        return np.where(possible, found, 0)

    def join(self, into: int, gone: int) -> None:
        """Make two groups one."""
        for one in (self._templates, self._asked, self._said, self._forms):
            one.pool(into, gone)
        self.groups[into] = join(self.groups[into], self.groups[gone])

    def _filled(self, of: npt.NDArray[np.int64]) -> Flags:
        """A system prompt that says enough is shared, and users of the larger group follow no template."""
        counts = np.array([one.count for one in self.groups])
        larger = counts[of][:, None] >= counts[None, :]
        found: Flags = np.where(larger, self._templates.plain[of], self._templates.plain[:, of].T)
        return found

    def _interfaces(self, of: npt.NDArray[np.int64]) -> tuple[Flags, Flags, Flags]:
        """Which pairs may be one at all, which surely answer with the same names, and which answer with names."""
        shape = (len(of), len(self.groups))
        possible, surely, names = np.zeros(shape, bool), np.zeros(shape, bool), np.zeros(shape, bool)
        kinds: dict[tuple[object, ...], list[int]] = {}
        for number, one in enumerate(self.groups):
            kinds.setdefault(interface(one), []).append(number)
        for row, number in enumerate(of.tolist()):
            mine = self.groups[number]
            for columns in kinds.values():
                its = self.groups[columns[0]]
                alike = names_alike(mine, its, self._bounds)
                possible[row, columns] = alike >= 0 and same_interface(mine, its, self._bounds)
                surely[row, columns] = alike >= self._bounds.sure and alike <= 1
                names[row, columns] = alike <= 1
        return possible, surely, names


def interface(one: Group) -> tuple[object, ...]:
    """What `names_alike` and `same_interface` look at."""
    return one.tools, one.keys, one.mostly(SHORT), one.mostly(JSON), one.label_set, one.key_set


def names_alike(first: Group, second: Group, bounds: Bounds) -> float:
    """Likeness of the labels or JSON keys answered with; -1 where they forbid one workflow, 2 where there are none."""
    found = 2.0
    if first.mostly(SHORT) != second.mostly(SHORT) and (first.label_set or second.label_set):
        return -1.0
    if first.mostly(SHORT) and second.mostly(SHORT):
        one, two = set(first.label_set), set(second.label_set)
        found = len(one & two) / min(len(one), len(two)) if one and two else 2.0
        if found < bounds.labels:
            return -1.0
    if first.mostly(JSON) != second.mostly(JSON):
        return -1.0
    if first.mostly(JSON):
        found = set_likeness(first.key_set, second.key_set)
        if found < bounds.keys:
            return -1.0
    return found


def same_interface(first: Group, second: Group, bounds: Bounds) -> bool:
    """True where both offer like tools and ask for a like schema."""
    if bool(first.tools) != bool(second.tools) or bool(first.keys) != bool(second.keys):
        return False
    schema = 1.0 if ("*",) in (first.keys, second.keys) else set_likeness(first.keys, second.keys)
    return set_likeness(first.tools, second.tools) >= bounds.keys and schema >= bounds.keys


def merged(groups: Sequence[Group], bounds: Bounds) -> list[Group]:
    """Join until no pair is left whose evidence suffices."""
    ordered = sorted(groups, key=lambda one: (-one.count, one.members))
    if not ordered:
        return []
    pairs = Pairs(ordered, bounds)
    strength = np.tril(pairs.verdicts(np.arange(len(ordered))), -1)
    gone = np.zeros(len(ordered), bool)
    while True:
        i, j = divmod(int(strength.argmax()), len(ordered))
        if strength[i, j] <= 0:
            return [one for one, dead in zip(pairs.groups, gone, strict=True) if not dead]
        pairs.join(j, i)
        gone[i] = True
        row = np.where(gone, 0, pairs.verdicts(np.array([j]))[0])
        strength[i, :] = strength[:, i] = 0
        strength[j, :j] = row[:j]
        strength[j + 1 :, j] = row[j + 1 :]


def join(first: Group, second: Group) -> Group:
    """Both as one."""
    large, small = (first, second) if first.count >= second.count else (second, first)
    return Group(
        members=tuple(sorted(first.members + second.members)),
        count=first.count + second.count,
        cores=(*large.cores, *small.cores)[:MOST_CORES],
        tools=large.tools,
        keys=large.keys,
        weak=first.weak and second.weak,
        features=joined(first.features, second.features),
        kinds=first.kinds + second.kinds,
        labels=first.labels + second.labels,
        members_of_json=first.members_of_json + second.members_of_json,
        prompts=(*large.prompts, *small.prompts)[:MOST_PROMPTS],
    )


def _slight(one: Group) -> bool:
    return max(len(one.cores[0].system), len(one.cores[0].user)) <= WEAK_GRAMS
