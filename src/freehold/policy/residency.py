"""Regions: names, what lies in what, and where a target stands as far as anybody may rely on it. Pure.

A region is a country (`DE`), a part of one (`DE-BE`), a union (`EU`, `EEA`) or any name of the owner's own
(`eu-central-1`). What is not known to lie within another does not. Source of the members: the treaties, 2026-11.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

EU = frozenset(
    "AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IT LT LU LV MT NL PL PT RO SE SI SK".split()  # noqa: SIM905
)
"""The 27 members of the European Union, by ISO 3166-1."""
UNIONS: tuple[tuple[str, frozenset[str]], ...] = (
    ("EEA", EU | {"EU", "IS", "LI", "NO"}),
    ("EU", EU),
)
NOWHERE = frozenset({"", "GLOBAL", "UNKNOWN"})
"""Regions that say nothing about a place."""
LOCAL = "LOCAL"
"""Where the embedded models run: this machine, wherever it stands."""
_PART = re.compile(r"([A-Z]{2})-[A-Z0-9]{1,3}\Z")
"""ISO 3166-2. Clouds' own names (`eu-west-2` is London) are longer, and lie in nothing but themselves."""


def normal(region: str) -> str:
    """A region's name as it is compared."""
    return region.strip().upper()


def within(region: str, wanted: str) -> bool:
    """Is `region` the same as `wanted`, or known to lie in it? A region that says nothing lies nowhere."""
    inner, outer = normal(region), normal(wanted)
    if inner in NOWHERE:
        return False
    if inner == outer:
        return True
    part = _PART.match(inner)
    if part:
        return within(part.group(1), outer)
    return inner in dict(UNIONS).get(outer, frozenset())


def within_any(region: str, wanted: Iterable[str]) -> bool:
    """Does it lie in one of them?"""
    return any(within(region, one) for one in wanted)
