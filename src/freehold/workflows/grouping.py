"""From records to workflows: mine templates, group, sample, merge, and let the small groups join the nearest.

Pure but for reading the source. The same records give the same groups in whatever order they come.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

import msgspec
import numpy as np
import numpy.typing as npt

from freehold.gateway.prompt import prompt_of
from freehold.jobs.pool import Pool
from freehold.workflows import merging, trees
from freehold.workflows.clusters import (
    LEAST_GROUP,
    WEAK_GRAMS,
    Cell,
    Ints,
    Leaders,
    cells_of,
    parted,
    size_of,
    split_roles,
)
from freehold.workflows.likeness import Core, Example, features
from freehold.workflows.merging import Bounds, Group
from freehold.workflows.shapes import JSON, SHORT, TEXT, said_of
from freehold.workflows.templates import Beat, Mined, Source, mine

MOST_EXAMPLES = 200
MOST_IN_ALL = 12_000
LEAST_EXAMPLES = 24


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """What was found: `label` gives each record's group in `groups`."""

    mined: Mined
    cells: tuple[Cell, ...]
    cell: Ints
    label: Ints
    groups: tuple[Group, ...]
    parts: tuple[tuple[int, ...], ...]
    """Cells of the groups that were joined: `groups[g].members` are places in here."""
    loose: tuple[bool, ...]
    """Of each group: chat without a task."""


def group(
    source: Source,
    bounds: Bounds | None = None,
    beat: Beat = lambda _what, _done: None,
    pool: Pool | None = None,
) -> Found:
    """Find the workflows in a source; texts are read by `pool`."""
    bounds = bounds or Bounds()
    mined = mine(source, beat, pool)
    cells, cell = cells_of(mined)
    raw = _raw(mined, cells)
    beat("groups", len(raw))
    least = max(LEAST_GROUP, mined.needed // 4)
    solid = [one for one in raw if size_of(one, cells) >= least] or raw
    sampled = _sampled(source, mined, cell, solid)
    held = held_by(mined, cells)
    made = [_group(number, one, Sample(mined, cells, cell, held), sampled[number]) for number, one in enumerate(solid)]
    joined = merging.merged(made, bounds)
    beat("merged", len(joined))
    of_cell = np.full(len(cells), -1, np.int32)
    for number, one in enumerate(joined):
        for member in one.members:
            of_cell[solid[member]] = number
    _adopt(of_cell, mined, cells, joined, solid)
    cores = _joint_cores(of_cell, mined, cells, held, len(joined))
    return Found(
        mined=mined,
        cells=tuple(cells),
        cell=cell,
        label=of_cell[cell] if len(cells) else np.empty(0, np.int32),
        groups=tuple(joined),
        parts=tuple(tuple(one) for one in solid),
        loose=tuple(exploratory(one, core) for one, core in zip(joined, cores, strict=True)),
    )


def _raw(mined: Mined, cells: Sequence[Cell]) -> list[list[int]]:
    """Groups of cells: one template, one shape."""
    index = trees.Index.of(mined, cells)
    found: list[list[int]] = []
    for one in trees.leaves(index, np.arange(len(cells))) if len(cells) else []:
        core = index.counts(one) >= trees.CORE_SHARE * index.weight[one].sum()
        found += parted(one.tolist(), cells, mined.looks, weak=int(core.sum()) <= WEAK_GRAMS)
    return found


def _sampled(source: Source, mined: Mined, cell: Ints, groups: Sequence[Sequence[int]]) -> list[list[Example]]:
    """Some records of each group: those whose ids sort first by their last bytes, which follow no time."""
    of_cell = np.full(int(cell.max()) + 1 if len(cell) else 0, -1)
    for number, members in enumerate(groups):
        of_cell[members] = number
    label = of_cell[cell]
    ids = np.frombuffer(mined.ids, ">u8").reshape(-1, 2)
    order = np.lexsort((ids[:, 0], mixed(ids[:, 1]), label))
    most = max(LEAST_EXAMPLES, min(MOST_EXAMPLES, MOST_IN_ALL // max(len(groups), 1)))
    starts = np.searchsorted(label[order], np.arange(len(groups) + 1))
    wanted = {}
    for number in range(len(groups)):
        for record in order[starts[number] : min(starts[number] + most, starts[number + 1])]:
            wanted[mined.id(int(record))] = number
    found: list[dict[bytes, Example]] = [{} for _ in groups]
    for record in source.some(wanted):
        found[wanted[record.id]][record.id] = Example(prompt_of(record.request), said_of(record.response))
    return [[one[key] for key in wanted if key in one] for one in found]


def mixed(ids: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Bits in no order: ids of one process count upwards."""
    mixed = ids.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    return mixed ^ (mixed >> np.uint64(29))


class Sample(msgspec.Struct, frozen=True):
    """What groups are described from."""

    mined: Mined
    cells: Sequence[Cell]
    cell: Ints
    held: dict[int, int]
    """How many requests hold each frequent gram."""


def held_by(mined: Mined, cells: Sequence[Cell]) -> dict[int, int]:
    """How many requests hold each frequent gram."""
    found: dict[int, int] = defaultdict(int)
    for one in cells:
        for gram in mined.signatures[one.signature].tolist():
            found[gram] += one.count
    return found


def _group(number: int, members: Sequence[int], of: Sample, examples: list[Example]) -> Group:
    counts: dict[int, int] = defaultdict(int)
    total = 0
    for one in members:
        total += of.cells[one].count
        for gram in of.mined.signatures[of.cells[one].signature].tolist():
            counts[gram] += of.cells[one].count
    core = core_of([gram for gram, count in counts.items() if count >= trees.CORE_SHARE * total], of.held)
    looks = [(of.mined.looks[of.cells[one].look], of.cells[one].count) for one in members]
    main = of.mined.looks[max((of.cells[one] for one in members), key=lambda one: (one.count, -one.look)).look]
    return Group(
        members=(number,),
        count=total,
        cores=(core,),
        tools=main.tools,
        keys=main.keys,
        weak=len(core) <= WEAK_GRAMS,
        features=features(examples, frozenset(gram for gram in counts if not gram & 1)),
        kinds=_counter((look.kind, count) for look, count in looks),
        labels=_counter((name, count) for look, count in looks if look.kind == SHORT for name in look.names),
        members_of_json=_counter((name, count) for look, count in looks if look.kind == JSON for name in look.names),
        prompts=tuple(one.prompt for one in examples[: merging.MOST_PROMPTS]),
    )


def _counter(pairs: Iterable[tuple[str, int]]) -> Counter[str]:
    found: Counter[str] = Counter()
    for name, count in pairs:
        found[name] += count
    return found


def core_of(grams: Sequence[int], held: dict[int, int]) -> Core:
    """A template from its grams."""
    system, user = split_roles(np.array(sorted(grams), np.uint64))
    return Core(system, user, np.array([held[one] for one in user.tolist()], np.float64))


def _joint_cores(
    of_cell: Ints, mined: Mined, cells: Sequence[Cell], held: dict[int, int], count: int
) -> tuple[Core, ...]:
    index = trees.Index.of(mined, cells)
    found = []
    for number in range(count):
        members = np.flatnonzero(of_cell == number)
        most = index.counts(members) >= trees.CORE_SHARE * index.weight[members].sum()
        found.append(core_of(index.grams[most].tolist(), held))
    return tuple(found)


def exploratory(one: Group, core: Core) -> bool:
    """True of chat without a task: text answers, no tools, no system prompt that says more, no template of users'."""
    bare = 2 * one.features.bare >= one.features.count
    return one.mostly(TEXT) and not one.tools and not len(core.user) and bare


def _adopt(
    of_cell: Ints, mined: Mined, cells: Sequence[Cell], groups: Sequence[Group], solid: Sequence[Sequence[int]]
) -> None:
    """Give each cell of a small group to the nearest group that offers tools as it does, else to the nearest."""
    systems, users, owner = Leaders(1.0), Leaders(1.0), []
    for number, one in enumerate(groups):
        for member in one.members:
            heaviest = sorted(solid[member], key=lambda cell: (-cells[cell].count, cell))[:8]
            for each in sorted({cells[cell].signature for cell in heaviest}):
                system, user = split_roles(mined.signatures[each])
                systems.add(system)
                users.add(user)
                owner.append(number)
    if not owner:
        return
    owners = np.array(owner)
    tools = np.array([bool(groups[one].tools) for one in owner])
    json = np.array([bool(groups[one].keys) for one in owner])
    sizes = np.array([groups[one].count for one in owner], float)
    for number in np.flatnonzero(of_cell < 0).tolist():
        look = mined.looks[cells[number].look]
        system, user = split_roles(mined.signatures[cells[number].signature])
        score = systems.likeness(system) + users.likeness(user) + sizes / sizes.sum() * 1e-3
        score += (tools == bool(look.tools)) + (json == bool(look.keys)) * 0.5
        of_cell[number] = owners[int(score.argmax())]
