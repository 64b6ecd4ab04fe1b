"""What is stored of each workflow that was found: name, shape, weeks, maturity, samples. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import msgspec
import numpy as np
import numpy.typing as npt

from freehold.workflows.drift import weeks
from freehold.workflows.grouping import Found, mixed
from freehold.workflows.identities import Settled
from freehold.workflows.maturity import judge, measure
from freehold.workflows.naming import name_of, unique
from freehold.workflows.shapes import JSON, NONE, SHORT, TOOL
from freehold.workflows.templates import Look
from freehold.workflows.trees import Index
from freehold.workflows.types import Shape, Workflow

MOST_NAMES = 200
SAMPLES = 20
_CLOSED = 0.6
_COMMON = 0.5


def described(found: Found, settled: Settled, stored: Sequence[Workflow], now: float) -> list[Workflow]:
    """The workflows found, over what is stored of them; those not found again stay as they are."""
    known = {one.id: one for one in stored}
    taken = {one.name for one in stored}
    index = Index.of(found.mined, found.cells)
    mine = msgspec.structs.replace(
        found,
        label=settled.label.astype(np.int32),
        loose=tuple(found.loose[one] for one in settled.group),
    )
    result = []
    for number, id_ in enumerate(settled.ids):
        members = np.flatnonzero(settled.label == number)
        shape = shape_of(found, members)
        span = weeks(mine, index, number)
        before = known.get(id_)
        given = settled.names.get(id_, "")
        name = before.name if before else given
        if not name:
            group = found.groups[settled.group[number]]
            template = {gram for core in group.cores for role in (core.system, core.user) for gram in role.tolist()}
            name = name_of(group.prompts, template, shape, chat=mine.loose[number])
        result.append(
            Workflow(
                id=id_,
                name=name if before else unique(name, taken),
                named=bool(given) or (before is not None and before.named),
                renamed=before is not None and before.renamed,
                made_at=before.made_at if before else now,
                found_at=now,
                requests=len(members),
                shape=shape,
                maturity=judge(measure(mine, number, shape, span)),
                weeks=span,
                samples=_samples(found, members),
            )
        )
        taken.add(result[-1].name)
    result += [msgspec.structs.replace(known[one], into=owner) for one, owner in sorted(settled.gone.items())]
    return result


def shape_of(found: Found, members: npt.NDArray[np.int64]) -> Shape:
    """The commonest shape of these records' answers."""
    looks: Counter[Look] = Counter()
    for look, count in zip(*np.unique(found.mined.look[members], return_counts=True), strict=True):
        looks[found.mined.looks[int(look)]] += int(count)
    kinds: Counter[str] = Counter()
    for look, count in looks.items():
        kinds[look.kind] += count
    answered = sum(kinds.values()) - kinds[NONE]
    kind = max(sorted(kinds), key=lambda one: (one != NONE, kinds[one]), default=NONE)
    names: Counter[str] = Counter()
    for look, count in looks.items():
        if look.kind == kind:
            names.update(dict.fromkeys(look.names, count))
    share = kinds[kind] / answered if answered else 0.0
    if kind == SHORT and sum(names.values()) >= _CLOSED * kinds[kind]:
        kind = "label"
        names = Counter({name.removeprefix("= "): count for name, count in names.items()})
    elif kind == JSON:
        names = Counter({name: count for name, count in names.items() if count >= _COMMON * kinds[JSON]})
    elif kind != TOOL:
        names = Counter()
    main = max(looks, key=lambda one: (looks[one], one), default=Look((), (), NONE, ()))
    often = sorted(sorted(names), key=lambda one: -names[one])[:MOST_NAMES]
    return Shape(kind=kind, share=round(share, 4), names=tuple(often), tools=main.tools, keys=main.keys)


def _samples(found: Found, members: npt.NDArray[np.int64]) -> tuple[bytes, ...]:
    ids = np.frombuffer(found.mined.ids, ">u8").reshape(-1, 2)[members, 1]
    return tuple(found.mined.id(int(one)) for one in members[np.argsort(mixed(ids), kind="stable")[:SAMPLES]])
