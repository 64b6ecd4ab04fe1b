"""Which groups are one workflow: versions of a prompt, several callers of one task, chat without a task.

Pure. Groups are joined one pair at a time, the strongest evidence first, and every threshold stands in `Bounds`.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np

from freehold.workflows.clusters import WEAK_GRAMS, set_likeness
from freehold.workflows.likeness import (
    Core,
    Features,
    Floats,
    closed_labels,
    cohesion,
    formal,
    joined,
    rarity,
    same_keys,
    same_labels,
    same_template,
    topical,
)
from freehold.workflows.shapes import TEXT

MOST_CORES = 12


class Bounds(msgspec.Struct, frozen=True, kw_only=True):
    """Thresholds of the evidence, each in [0, 1]."""

    template: float = 0.5
    """Groups with templates so alike are one workflow unless their answers differ in form."""
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
    loose: float = 0.2
    """Most cohesion of chat without a task."""


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """One candidate workflow."""

    members: tuple[int, ...]
    """Numbers of the groups it was joined from."""
    count: int
    cores: tuple[Core, ...]
    """Templates of the groups it was joined from, the largest group's first, at most `MOST_CORES`."""
    """Grams that most of its requests hold."""
    tools: tuple[str, ...]
    keys: tuple[str, ...]
    weak: bool
    features: Features
    first: float
    last: float


class Evidence(msgspec.Struct, frozen=True):
    """What speaks for one workflow, and what `verdict` makes of it: the strength, 0 where it says no."""

    template: float
    asked: float
    said: float
    form: float
    labels: float | None
    keys: float | None
    verdict: float
    why: str


def evidence(first: Group, second: Group, weights: tuple[Floats, Floats], bounds: Bounds) -> Evidence:
    """Compare two groups."""
    one, two = first.features, second.features
    template = max(same_template(mine, its) for mine in first.cores for its in second.cores)
    labels, keys = same_labels(one, two), same_keys(one, two)
    form = formal(one, two)
    asked = topical(one.asked, two.asked, weights[0])
    said = topical(one.said, two.said, weights[1])
    verdict, why = 0.0, "nothing in common"
    if not _same_interface(first, second, bounds):
        why = "other tools or another schema"
    elif (labels is not None and labels < bounds.labels) or (keys is not None and keys < bounds.keys):
        why = "other labels or keys"
    elif first.weak and second.weak and not first.tools:
        if min(said, form) >= bounds.free:
            verdict, why = min(said, form), "neither has a task"
    elif template >= bounds.template:
        if form >= min(bounds.form, bounds.trade - template):
            verdict, why = template, "same template"
    elif (form >= bounds.form or _surely(labels, keys)) and _filled(first, second, bounds):
        verdict, why = form, "same system prompt, and what else is frequent is data"
    elif form >= bounds.form and first.tools and (_slight(first) or _slight(second)):
        verdict, why = form, "same tools, and no template speaks against it"
    elif (labels is not None or keys is not None) and asked >= bounds.topic:
        verdict, why = asked, "same answers to the same questions"
    elif min(asked, said, form) >= bounds.free:
        verdict, why = min(asked, said), "like answers to like questions"
    return Evidence(template, asked, said, form, labels, keys, verdict, why)


def _same_interface(first: Group, second: Group, bounds: Bounds) -> bool:
    if bool(first.tools) != bool(second.tools) or bool(first.keys) != bool(second.keys):
        return False
    tools = set_likeness(first.tools, second.tools)
    schema = 1.0 if ("*",) in (first.keys, second.keys) else set_likeness(first.keys, second.keys)
    return tools >= bounds.keys and schema >= bounds.keys


def _surely(labels: float | None, keys: float | None) -> bool:
    return max(-1.0 if labels is None else labels, -1.0 if keys is None else keys) >= 0.8


def _filled(first: Group, second: Group, bounds: Bounds) -> bool:
    """True where a system prompt that says enough is shared, and users of the larger group follow no template."""
    large, small = (first, second) if first.count >= second.count else (second, first)
    return any(
        min(len(mine.system), len(its.system)) > WEAK_GRAMS
        and len(mine.user) <= WEAK_GRAMS
        and same_template(bare(mine), bare(its)) >= bounds.form
        for mine in large.cores
        for its in small.cores
    )


def _slight(one: Group) -> bool:
    return max(len(one.cores[0].system), len(one.cores[0].user)) <= WEAK_GRAMS


def bare(core: Core) -> Core:
    """The system's part of a template."""
    return Core(core.system, core.user[:0], core.held[:0])


def _loose(one: Features, bounds: Bounds) -> bool:
    return not closed_labels(one) and cohesion(one) <= bounds.loose


def exploratory(one: Group, bounds: Bounds) -> bool:
    """True of chat without a task: no template to speak of, free text, and nothing that holds it together."""
    text = one.features.kinds[TEXT] >= 0.5 * one.features.count
    return one.weak and text and not one.tools and _loose(one.features, bounds)


def merged(groups: Sequence[Group], bounds: Bounds) -> list[Group]:
    """Join until no pair is left whose evidence suffices."""
    left = sorted(groups, key=lambda one: (-one.count, one.members))
    weights = rarity([one.features for one in left])
    strength = np.zeros((len(left), len(left)))
    for i in range(len(left)):
        for j in range(i):
            strength[i, j] = evidence(left[i], left[j], weights, bounds).verdict
    alive = list(range(len(left)))
    while strength.size:
        best = int(strength.argmax())
        i, j = divmod(best, len(left))
        if strength[i, j] <= 0:
            break
        left[j] = join(left[j], left[i])
        alive.remove(i)
        strength[i, :] = strength[:, i] = 0
        for k in alive:
            if k != j:
                high, low = max(j, k), min(j, k)
                strength[high, low] = evidence(left[high], left[low], weights, bounds).verdict
    return [left[one] for one in alive]


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
        first=min(first.first, second.first),
        last=max(first.last, second.last),
    )
