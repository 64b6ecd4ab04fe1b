"""The fitted constants as they come with the package: `data/constants.json`, written by `bench.speed_constants`."""

from __future__ import annotations

from functools import cache
from importlib import resources

import msgspec

from freehold.planner.ranges import Known
from freehold.planner.roofline import Constants


class Fitted(msgspec.Struct, frozen=True, kw_only=True):
    """What the points say, with where they come from."""

    as_of: str
    sources: dict[str, int]
    """Points by source."""
    known: Known
    """From all of them."""
    without: dict[str, Known] = {}
    """From all but this source: what is known of tables that are not seen."""

    @property
    def source(self) -> str:
        """One line for reports."""
        return f"roofline fitted to {sum(self.sources.values())} published points ({', '.join(sorted(self.sources))})"


@cache
def fitted() -> Fitted:
    """All of the file."""
    raw = resources.files("freehold.planner").joinpath("data", "constants.json").read_bytes()
    return msgspec.json.decode(raw, type=Fitted)


def constants() -> Constants:
    """Fitted to all points."""
    return fitted().known.constants
