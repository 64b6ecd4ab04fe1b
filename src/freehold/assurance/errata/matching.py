"""Advisories against what is here, along the lineage: an adapter inherits what its base and its engine have.

Invariant: every thing that an advisory may be about gets a match; where versions cannot be compared it is `unknown`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from freehold.assurance.errata.types import Advisory, Affected, Match, Standing, Subject
from freehold.assurance.errata.versions import within

ORDER: tuple[Standing, ...] = ("affected", "unknown", "patched", "fixed", "not_affected")
"""From the most urgent on."""


NAMELESS = "its version is not known"
Patched = Mapping[str, tuple[str, str]]
"""Advisories with a virtual patch: its side, and what it does."""


class Thing(msgspec.Struct, frozen=True, kw_only=True):
    """Something here that an advisory may be about."""

    name: str
    subject: Subject
    purl: str = ""
    """Without a version."""
    version: str = ""
    """Empty where nobody knows."""
    digests: tuple[str, ...] = ()
    licence: str = ""
    held: tuple[str, ...] = ("gateway", "store")
    """Sides on which a virtual patch holds for it: an engine that loads what it likes is not held by our store."""
    bases: tuple[str, ...] = ()
    """Names of the things whose advisories it inherits: its base, the engine that serves it."""


def matched(advisories: Sequence[Advisory], things: Sequence[Thing], patched: Patched) -> tuple[Match, ...]:
    """Every match, the most urgent first. `patched`: advisories with a virtual patch, its side and what it does."""
    index = _Index(advisories)
    own = {one.name: tuple(_own(one, index, patched)) for one in things}
    bases = {one.name: one.bases for one in things}
    found = [each for matches in own.values() for each in matches]
    for one in things:
        found.extend(_inherited(one.name, own, bases))
    found.sort(key=lambda one: (ORDER.index(one.standing), one.what, one.advisory, len(one.via)))
    first: dict[tuple[str, str], Match] = {}
    for each in found:  # of an advisory's several ranges, or ways along the lineage, the worst counts
        first.setdefault((each.advisory, each.what), each)
    return tuple(first.values())


class _Index:
    """Advisories by what they can be known by."""

    def __init__(self, advisories: Iterable[Advisory]) -> None:
        self.by_purl: dict[str, list[tuple[Advisory, Affected]]] = defaultdict(list)
        self.by_digest: dict[str, list[tuple[Advisory, Affected]]] = defaultdict(list)
        self.by_licence: dict[str, list[tuple[Advisory, Affected]]] = defaultdict(list)
        for advisory in advisories:
            for one in advisory.affected:
                if one.digests:
                    for digest in one.digests:
                        self.by_digest[digest].append((advisory, one))
                elif one.purl:
                    self.by_purl[one.purl].append((advisory, one))
                else:
                    for licence in one.licences:
                        self.by_licence[licence].append((advisory, one))

    def about(self, thing: Thing) -> Iterable[tuple[Advisory, Affected]]:
        """Advisories that may be about it."""
        if thing.purl:
            yield from self.by_purl.get(thing.purl, ())
        for digest in thing.digests:
            yield from self.by_digest.get(digest, ())
        if thing.licence:
            yield from self.by_licence.get(thing.licence, ())


def _own(thing: Thing, index: _Index, patched: Patched) -> Iterable[Match]:
    for advisory, affected in index.about(thing):
        standing, reason = _standing(thing, affected)
        side, does = patched.get(advisory.id, ("", ""))
        if standing in ("affected", "unknown") and side in thing.held:
            standing, reason = "patched", f"{reason}; {does}"
        yield Match(
            advisory=advisory.id,
            what=thing.name,
            standing=standing,
            reason=reason,
            fix=_fix(advisory, affected, standing),
        )


def _standing(thing: Thing, affected: Affected) -> tuple[Standing, str]:
    if affected.purl and thing.purl != affected.purl:
        return "not_affected", "another package"
    if affected.licences and thing.licence not in affected.licences:
        return "not_affected", "another licence"
    if affected.digests:
        return "affected", "these very bytes"
    inside = within(affected.versions, thing.version)
    if inside is None:
        return (
            "unknown",
            f"{thing.version} cannot be compared with {affected.versions!r}" if thing.version else NAMELESS,
        )
    if inside:
        return "affected", f"{thing.version or 'any version'} is in {affected.versions or 'all versions'}"
    past = bool(affected.fixed) and within(f"vers:generic/>={affected.fixed}", thing.version) is True
    return ("fixed", f"fixed in {affected.fixed}") if past else ("not_affected", f"{thing.version} is not in the range")


def _fix(advisory: Advisory, affected: Affected, standing: Standing) -> str:
    if standing not in ("affected", "unknown", "patched"):
        return ""
    return f"take {affected.fixed} or newer" if affected.fixed else advisory.workaround or "no version fixes it yet"


def _inherited(
    name: str, own: Mapping[str, tuple[Match, ...]], bases: Mapping[str, tuple[str, ...]]
) -> Iterable[Match]:
    """What comes down to a thing from those it rests on, however far."""
    seen = {name}
    waiting: list[tuple[str, tuple[str, ...]]] = [(base, (base,)) for base in bases.get(name, ())]
    while waiting:
        base, way = waiting.pop()
        if base in seen:
            continue
        seen.add(base)
        for one in own.get(base, ()):
            if one.standing in ("affected", "unknown", "patched"):
                yield msgspec.structs.replace(one, what=name, via=way)
        waiting.extend((further, (*way, further)) for further in bases.get(base, ()))
