"""What a plan assumes where nothing was measured: a low, a base and a high value each, with source and date.

Every one can be overridden, and a plan lists those it used, with whose they are.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import msgspec

from freehold.planner.errors import BadAssumption
from freehold.planner.facts import rows

Three = tuple[float, float, float]
"""Low, base and high."""
OWN = "freehold.toml"


class Assumption(msgspec.Struct, frozen=True):
    """A triangular distribution over [low, high] with its mode at base, in `unit`."""

    name: str
    unit: str
    low: float
    base: float
    high: float
    source: str
    as_of: str

    @property
    def certain(self) -> bool:
        """One value alone."""
        return self.low == self.high


def assumptions(overrides: Mapping[str, Three] | None = None, as_of: str = "") -> dict[str, Assumption]:
    """All of them by name, with the caller's own in place. Raises BadAssumption, naming the one at fault."""
    found = {
        row["name"]: Assumption(
            row["name"],
            row["unit"],
            float(row["low"]),
            float(row["base"]),
            float(row["high"]),
            row["source"],
            row["as_of"],
        )
        for row in rows("assumptions")
    }
    for name, three in sorted((overrides or {}).items()):
        family, slash, item = name.partition("/")
        like = found.get(name) or (_like(found, family) if slash and item else None)
        if like is None:
            raise BadAssumption(f"there is no assumption {name!r}", hint=f"there are {', '.join(found)}", param=name)
        found[name] = _checked(Assumption(name, like.unit, *three, OWN, as_of))
    return dict(sorted(found.items()))


def _like(found: Mapping[str, Assumption], family: str) -> Assumption | None:
    return next((one for name, one in found.items() if name.startswith(f"{family}/")), None)


def _checked(one: Assumption) -> Assumption:
    three = (one.low, one.base, one.high)
    if not all(math.isfinite(value) for value in three) or not one.low <= one.base <= one.high:
        raise BadAssumption(f"{one.name} is {three}: not low, base and high in this order", param=one.name)
    least = -1.0 if one.unit == "share a year" else 0.0
    if one.low < least:
        raise BadAssumption(f"{one.name} falls to {one.low:g}; it cannot lie below {least:g}", param=one.name)
    return one
