"""How sensitive content is: a level and a set of regimes, a lattice whose join only moves up.

The level `unknown` (a failed detector, no default) is the top. Regimes that are known stay known beside it, so that a
failure never loosens what a regime asks for.
"""

from __future__ import annotations

import re
from enum import IntEnum

import msgspec

from freehold.core.errors import BadRequest


class Level(IntEnum):
    """The levels, lowest first."""

    PUBLIC = 0
    INTERNAL = 1
    CONFIDENTIAL = 2
    RESTRICTED = 3
    UNKNOWN = 4


_REGIME = re.compile(r"[A-Z][A-Z0-9_]{0,31}\Z")


class Label(msgspec.Struct, frozen=True):
    """A level and the regimes that apply; text form `confidential:GDPR,HIPAA`."""

    level: Level = Level.UNKNOWN
    regimes: frozenset[str] = frozenset()

    def join(self, other: Label) -> Label:
        """The least label that is at least both."""
        return Label(max(self.level, other.level), self.regimes | other.regimes)

    def within(self, clearance: Label) -> bool:
        """True where content with this label may go to something cleared for `clearance`; `unknown` is everything."""
        if clearance.level == Level.UNKNOWN:
            return True
        return self.level <= clearance.level and self.regimes <= clearance.regimes

    def __str__(self) -> str:
        name = self.level.name.lower()
        return f"{name}:{','.join(sorted(self.regimes))}" if self.regimes else name


UNKNOWN = Label(Level.UNKNOWN)
PUBLIC = Label(Level.PUBLIC)


def parse_label(text: str) -> Label:
    """Read `level` or `level:REGIME,REGIME`. Raises BadRequest for anything else."""
    level, _, regimes = text.strip().partition(":")
    try:
        found = Level[level.strip().upper()]
    except KeyError:
        levels = ", ".join(one.name.lower() for one in Level)
        raise BadRequest(f"{level!r} is no label level", hint=f"use one of {levels}", param="label") from None
    names = [one.strip().upper() for one in regimes.split(",") if one.strip()]
    for one in names:
        if not _REGIME.match(one):
            raise BadRequest(f"{one!r} is no regime name", hint="use capitals, digits and _", param="label")
    return Label(found, frozenset(names))
