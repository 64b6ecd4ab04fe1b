"""Which workflow each group is: what callers named, what people pinned, what it was before, else a new one. Pure.

The same records, stored workflows and pins lead to the same identities, and running again changes nothing.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

import msgspec
import numpy as np
import numpy.typing as npt

from freehold.gateway.assign import Template
from freehold.workflows.grouping import Found
from freehold.workflows.outlines import digest, likeness
from freehold.workflows.types import Workflow

NAMED_SHARE = 0.8
"""Calls that nobody named join the workflow that so large a share of their group's named calls name."""
SAME_TEMPLATE = 0.8
KIN_TEMPLATE = 0.5
"""Least likeness to a stored template where no record tells what a group was before."""

Labels = npt.NDArray[np.int64]


class Settled(msgspec.Struct, frozen=True, kw_only=True):
    """Identities: `ids[label[r]]` is the workflow of record `r`."""

    ids: tuple[str, ...]
    label: Labels
    group: tuple[int, ...]
    """Of each id, the group that holds most of its records."""
    names: dict[str, str]
    """Names that callers gave, by id."""
    templates: dict[bytes, Template]
    gone: dict[str, str]
    """Stored workflows that no record is of any more, and where most of theirs went."""


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """What is stored."""

    workflows: tuple[Workflow, ...] = ()
    templates: tuple[tuple[Template, bool], ...] = ()
    """Each with whether it is pinned: by a person, or by a move under way."""
    still: frozenset[str] = frozenset()
    """Workflows that go into no other."""

    def ends(self) -> dict[str, str]:
        """Id of every workflow, and of the one it leads to."""
        into = {one.id: one.into for one in self.workflows}
        found = {}
        for one in into:
            end = one
            while into.get(end):
                end = into[end]
            found[one] = end
        return found


def settle(found: Found, outlines: Sequence[Sequence[Template]], parts: Sequence[Template], known: Known) -> Settled:
    """Give every record an identity. `outlines` are the groups' templates, `parts` those of the groups' parts."""
    ends = known.ends()
    named = _named(found, known, ends)
    pinned = [_pinned(one, known, ends) for one in parts]
    of_group = _group_ids(found, outlines, known, (named, pinned))
    ids: dict[str, int] = {}
    of_cell = np.full(len(found.cells), -1, np.int64)
    for cell, group in zip(found.cell.tolist(), found.label.tolist(), strict=True):
        if of_cell[cell] < 0:
            of_cell[cell] = ids.setdefault(of_group[group], len(ids))
    for part, owner in zip(found.parts, pinned, strict=True):
        if owner:
            of_cell[list(part)] = ids.setdefault(owner, len(ids))
    label = of_cell[found.cell] if len(found.cell) else np.empty(0, np.int64)
    for place, owner in named.items():
        label[found.mined.named == place] = ids.setdefault(owner, len(ids))
    names = {owner: found.mined.names[place] for place, owner in named.items()}
    settled = _compact(found, label, tuple(ids), names, (parts, outlines))
    return msgspec.structs.replace(settled, gone=absorbed(found, settled, known))


def _compact(
    found: Found,
    label: Labels,
    ids: tuple[str, ...],
    names: dict[str, str],
    drawn: tuple[Sequence[Template], Sequence[Sequence[Template]]],
) -> Settled:
    """Leave out identities without records, in an order of their own; say whose each template is."""
    used = sorted(set(label.tolist()), key=lambda one: ids[one])
    place = np.full(len(ids), -1, np.int64)
    place[used] = np.arange(len(used))
    label = place[label] if len(label) else label
    group = tuple(int(np.bincount(found.label[label == one]).argmax()) for one in range(len(used)))
    kept = tuple(ids[one] for one in used)
    templates: dict[bytes, Template] = {}
    owners: dict[int, Counter[int]] = defaultdict(Counter)
    for cell, one in zip(found.cell.tolist(), label.tolist(), strict=True):
        owners[cell][one] += 1
    wanted = {digest(one) for each in drawn[1] for one in each}
    for part, outline in zip(found.parts, drawn[0], strict=True):
        held: Counter[int] = Counter()
        for cell in part:
            held.update(owners.get(cell, {}))
        if held and digest(outline) in wanted:
            owner = max(sorted(held), key=lambda one: held[one])
            templates.setdefault(digest(outline), msgspec.structs.replace(outline, workflow=kept[owner]))
    return Settled(
        ids=kept,
        label=label,
        group=group,
        names={one: name for one, name in names.items() if one in kept},
        templates=templates,
        gone={},
    )


def absorbed(found: Found, settled: Settled, known: Known) -> dict[str, str]:
    """Workflows that discovery found once and not again, and the one that has most of their records now."""
    result = {}
    for one in known.workflows:
        if one.into or one.named or one.id in known.still or one.id in settled.ids or one.id not in found.mined.names:
            continue
        mine = found.mined.before == found.mined.names.index(one.id)
        if mine.any():
            result[one.id] = settled.ids[int(np.bincount(settled.label[mine]).argmax())]
    return result


def _named(found: Found, known: Known, ends: Mapping[str, str]) -> dict[int, str]:
    """Ids of the names that callers gave, by their place in `mined.names`."""
    by_name = {one.name: ends[one.id] for one in known.workflows}
    given = set(np.unique(found.mined.named).tolist())
    result = {}
    for place, name in enumerate(found.mined.names):
        if name and place in given:
            fresh = id_of(f"name:{name}")
            result[place] = by_name.get(name) or ends.get(name) or ends.get(fresh, fresh)
    return result


def _pinned(part: Template, known: Known, ends: Mapping[str, str]) -> str:
    """Id of the workflow that a person gave this template to; empty for none."""
    alike = [
        (likeness(part, one), one.count, ends.get(one.workflow, one.workflow))
        for one, pinned in known.templates
        if pinned
    ]
    best = max(alike, default=(0.0, 0, ""))
    return best[2] if best[0] >= SAME_TEMPLATE else ""


def _group_ids(
    found: Found,
    outlines: Sequence[Sequence[Template]],
    known: Known,
    said: tuple[Mapping[int, str], Sequence[str]],
) -> list[str]:
    """The identity of each group's records that neither a caller nor a pin speaks for."""
    named, pinned = said
    ends = known.ends()
    result = [""] * len(found.groups)
    votes: list[tuple[float, str, int]] = []
    for number, group in enumerate(found.groups):
        mine = found.label == number
        callers = Counter(named[one] for one in found.mined.named[mine].tolist() if one in named)
        pins: Counter[str] = Counter()
        for part in group.members:
            if pinned[part]:
                pins[pinned[part]] += sum(found.cells[one].count for one in found.parts[part])
        top = _top(callers)
        if callers and callers[top] >= NAMED_SHARE * sum(callers.values()):
            result[number] = top
        elif pins:
            result[number] = _top(pins)
        else:
            before = _before(found, mine, ends)
            before = before or _kin(outlines[number], known, ends)
            votes += [(-count, owner, number) for owner, count in before.items()]
    spoken_for = set(result) | set(named.values())
    for _, owner, number in sorted(votes):
        if not result[number] and owner not in spoken_for:
            result[number] = owner
            spoken_for.add(owner)
    for number, one in enumerate(result):
        if not one:
            result[number] = _fresh(outlines[number], {*spoken_for, *ends})
            spoken_for.add(result[number])
    return result


def _top(counts: Counter[str]) -> str:
    return max(sorted(counts), key=lambda one: counts[one], default="")


def _before(found: Found, mine: npt.NDArray[np.bool_], ends: Mapping[str, str]) -> dict[str, float]:
    """What its records were assigned to before, and how many."""
    names, counts = np.unique(found.mined.before[mine], return_counts=True)
    result: dict[str, float] = defaultdict(float)
    for name, count in zip(names.tolist(), counts.tolist(), strict=True):
        owner = ends.get(found.mined.names[name], "")
        if owner:
            result[owner] += count
    return result


def _kin(outline: Sequence[Template], known: Known, ends: Mapping[str, str]) -> dict[str, float]:
    """Stored workflows with a template like one of these. Less than any record: their sum stays under one."""
    result: dict[str, float] = {}
    for mine in outline:
        for stored, _ in known.templates:
            alike = likeness(mine, stored)
            owner = ends.get(stored.workflow, "")
            if owner and alike >= KIN_TEMPLATE and (mine.system or mine.user):
                result[owner] = max(result.get(owner, 0.0), alike / 2)
    return result


def _fresh(outline: Sequence[Template], taken: set[str]) -> str:
    """A new id out of the template it was first found by."""
    main = digest(outline[0]).hex() if outline else "nothing"
    number = 0
    while (found := id_of(f"template:{main}:{number}")) in taken:
        number += 1
    return found


def id_of(what: str) -> str:
    """`wf_` and 12 hex digits."""
    return "wf_" + hashlib.blake2b(what.encode("utf-8", "surrogatepass"), digest_size=6).hexdigest()
