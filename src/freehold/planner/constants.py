"""The fitted constants as they come with the package: `data/constants.json`, written by `bench.speed_constants`."""

from __future__ import annotations

from importlib import resources

import msgspec

from freehold.planner.roofline import Constants


class Fitted(msgspec.Struct, frozen=True, kw_only=True):
    """Constants with where they come from."""

    as_of: str
    sources: dict[str, int]
    """Points by source."""
    constants: Constants
    without: dict[str, Constants] = {}
    """Fitted without these sources (names sorted, joined by `+`): what is known of a source that is not seen."""
    bands: dict[str, dict[str, float]] = {}
    """Logarithm of measured over estimated at the 10th, 50th and 90th percentile by regime, from sources not fitted."""


def fitted() -> Fitted:
    """All of the file."""
    raw = resources.files("freehold.planner").joinpath("data", "constants.json").read_bytes()
    return msgspec.json.decode(raw, type=Fitted)


def constants() -> Constants:
    """Fitted to all points."""
    return fitted().constants
