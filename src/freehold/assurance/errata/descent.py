"""What models come from as things an advisory may be about: bases that are not here any more, sources, parts of merges.

Invariant: every ancestor is one, however little is known of it, so that what harms it reaches what was made of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from freehold.assurance.errata.matching import Thing
from freehold.registry.papers.lineage import Ancestor


def with_ancestors(things: Sequence[Thing], lines: Mapping[str, tuple[Ancestor, ...]]) -> tuple[Thing, ...]:
    """The things, models resting on their ancestors too, and the ancestors that are not here.

    `lines` are the store's, by model (`papers.binding.lines`).
    """
    bases: dict[str, tuple[str, ...]] = {}
    gone: dict[str, Thing] = {}
    for model, ancestors in lines.items():
        here = {one.name for one in ancestors if one.here}
        # What is reached through a model of the store is reached by that model's own line.
        bases[model] = tuple(_name(one) for one in ancestors if one.via[-2] not in here)
        gone.update({_name(one): _thing(one) for one in ancestors if not one.here})
    known = (
        msgspec.structs.replace(one, bases=tuple(dict.fromkeys((*one.bases, *bases.get(one.name, ())))))
        for one in things
    )
    return (*known, *gone.values())


def _thing(one: Ancestor) -> Thing:
    """By a hub's name where it has one, else by its digest alone; its version nobody knows."""
    owner, _, rest = one.name.partition("/")
    named = bool(rest) and "/" not in rest and " " not in one.name
    purl = f"pkg:huggingface/{owner}/{rest}" if named else ""
    return Thing(name=_name(one), subject="model", purl=purl, digests=one.digests, licence=one.licence)


def _name(one: Ancestor) -> str:
    """Of one that is here its name in the store; of others with the bytes, since names are no more than names."""
    if one.here:
        return one.name
    return f"{one.name} ({one.digests[0][:16]})" if one.digests else f"{one.name} (not here)"
