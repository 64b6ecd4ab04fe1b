"""Templates as they are stored and published: what nearly all requests of each part of a workflow hold. Pure."""

from __future__ import annotations

import hashlib

import msgspec
import numpy as np

from freehold.gateway.assign import Template
from freehold.gateway.shingles import Hashes
from freehold.workflows.clusters import split_roles
from freehold.workflows.grouping import Found
from freehold.workflows.trees import Index

HELD_BY = 0.8
"""A gram is of a stored template where that share of the part's requests hold it: what fills holes stays out."""
MOST_TEMPLATES = 32
_SAME = 0.8


def part_outlines(found: Found) -> list[Template]:
    """The template of each part."""
    index = Index.of(found.mined, found.cells)
    return [_outline(index, found, np.array(part, np.int64)) for part in found.parts]


def outlines(found: Found) -> list[tuple[Template, ...]]:
    """Templates of each group, the most used first; those that say the same are one."""
    described = part_outlines(found)
    result = []
    for group in found.groups:
        mine = sorted((described[one] for one in group.members), key=lambda one: (-one.count, digest(one)))
        kept: list[Template] = []
        for one in mine:
            same = next((place for place, each in enumerate(kept) if likeness(one, each) >= _SAME), None)
            if same is not None:
                both = kept[same].count + one.count
                kept[same] = msgspec.structs.replace(kept[same], count=both)
            elif len(kept) < MOST_TEMPLATES:
                kept.append(one)
        result.append(tuple(kept))
    return result


def _outline(index: Index, found: Found, part: np.ndarray[tuple[int], np.dtype[np.int64]]) -> Template:
    total = float(index.weight[part].sum())
    system, user = split_roles(index.grams[index.counts(part) >= HELD_BY * total])
    cells = [found.cells[one] for one in part.tolist()]
    main = found.mined.looks[max(cells, key=lambda one: (one.count, -one.look)).look]
    return Template(
        workflow="", system=packed(system), user=packed(user), tools=main.tools, keys=main.keys, count=int(total)
    )


def packed(grams: Hashes) -> bytes:
    """Hashes as they are stored."""
    return np.sort(grams).astype("<u8").tobytes()


def digest(one: Template) -> bytes:
    """16 bytes that name a template, whosesoever it is."""
    content = msgspec.msgpack.encode((one.system, one.user, one.tools, one.keys))
    return hashlib.blake2b(content, digest_size=16).digest()


def likeness(first: Template, second: Template) -> float:
    """Lesser Jaccard likeness of the two roles; 0 where they want other tools or another schema."""
    if first.tools != second.tools or first.keys != second.keys:
        return 0.0
    return min(_jaccard(first.system, second.system), _jaccard(first.user, second.user))


def _jaccard(first: bytes, second: bytes) -> float:
    one, two = np.frombuffer(first, "<u8"), np.frombuffer(second, "<u8")
    if not len(one) and not len(two):
        return 1.0
    both = len(np.intersect1d(one, two))
    return both / (len(one) + len(two) - both)
