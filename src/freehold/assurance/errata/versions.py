"""Ranges of versions in `vers` notation (https://github.com/package-url/vers-spec): is a version within?

Invariant: what cannot be compared gives None, which callers tell as unknown; it is never taken for outside.
"""

from __future__ import annotations

import re
from itertools import pairwise

import msgspec
from packaging.version import InvalidVersion, Version

_RANGE = re.compile(r"vers:([a-z][a-z0-9.+-]*)/(.+)\Z")
_CONSTRAINT = re.compile(r"(>=|<=|!=|>|<|=)?\s*([^\s<>=!|*]+)\Z")
COMPARABLE = frozenset({"generic", "github", "pypi", "semver"})
"""Schemes whose versions order as PEP 440 has it, or nearly: what does not parse is unknown."""


class Constraint(msgspec.Struct, frozen=True):
    """One comparison with one version."""

    sign: str
    version: Version


def within(versions: str, version: str) -> bool | None:
    """Is `version` in the range? None where either cannot be read. An empty range holds every version."""
    if not versions:
        return True
    found = _RANGE.match(versions)
    if found is None or found[1] not in COMPARABLE:
        return None
    if found[2].strip() == "*":
        return True
    try:
        constraints, here = _constraints(found[2]), Version(version)
    except (InvalidVersion, ValueError):
        return None
    return _holds(constraints, here)


def _constraints(text: str) -> list[Constraint]:
    found = []
    for part in text.split("|"):
        match = _CONSTRAINT.match(part.strip())
        if match is None:
            raise ValueError(f"{part!r:.60} is no constraint")
        found.append(Constraint(match[1] or "=", Version(match[2])))
    return sorted(found, key=lambda one: one.version)


def _holds(constraints: list[Constraint], here: Version) -> bool:
    """The containment of the specification: exact versions first, then neighbours in order."""
    for one in constraints:
        if one.version == here:
            return one.sign in ("=", ">=", "<=")
    ranges = [one for one in constraints if one.sign not in ("=", "!=")]
    if not ranges:
        return any(one.sign == "!=" for one in constraints) and all(one.sign == "!=" for one in constraints)
    first, last = ranges[0], ranges[-1]
    if first.sign in ("<", "<=") and here < first.version:
        return True
    if last.sign in (">", ">=") and here > last.version:
        return True
    return any(
        low.sign in (">", ">=") and high.sign in ("<", "<=") and low.version < here < high.version
        for low, high in pairwise(ranges)
    )
