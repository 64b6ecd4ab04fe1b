"""Every detector by name. One entry a line; each is built where it is first needed, so that heavy data loads late."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from freehold.guard.types import Detector, Profile


def _pii(profile: Profile) -> Detector:
    from freehold.guard.detectors.pii import pii

    return pii()


def _regulated(profile: Profile) -> Detector:
    from freehold.guard.detectors.regulated import Regulated

    return Regulated()


MAKERS: tuple[tuple[str, Callable[[Profile], Detector]], ...] = (
    ("pii", _pii),
    ("regulated", _regulated),
)
"""Name and maker, sorted by name. A maker gets the profile, for detectors that the owner's words configure."""


def load(names: Iterable[str], profile: Profile) -> Mapping[str, Detector]:
    """The named detectors that exist."""
    wanted = set(names)
    return {name: make(profile) for name, make in MAKERS if name in wanted}
