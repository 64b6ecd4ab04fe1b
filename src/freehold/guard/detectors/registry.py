"""Every detector by name. One entry a line; each is built where it is first needed, so that heavy data loads late."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from freehold.guard.types import Detector, Profile


def _custom(profile: Profile) -> Detector | None:
    from freehold.guard.detectors.custom import custom

    return custom(profile.custom)


def _indirect(profile: Profile) -> Detector:
    from freehold.guard.detectors.indirect import Indirect

    return Indirect()


def _injection(profile: Profile) -> Detector:
    from freehold.guard.detectors.injection import Injection

    return Injection()


def _moderation(profile: Profile) -> Detector:
    from freehold.guard.detectors.moderation import Moderation

    return Moderation()


def _names(profile: Profile) -> Detector | None:
    from freehold.guard.detectors.names import Names, installed

    return Names() if installed() else None


def _pii(profile: Profile) -> Detector:
    from freehold.guard.detectors.pii import pii

    return pii()


def _refusal(profile: Profile) -> Detector:
    from freehold.guard.detectors.refusal import Refusal

    return Refusal()


def _regulated(profile: Profile) -> Detector:
    from freehold.guard.detectors.regulated import Regulated

    return Regulated()


def _secrets(profile: Profile) -> Detector:
    from freehold.guard.detectors.secrets import Secrets

    return Secrets()


def _topics(profile: Profile) -> Detector | None:
    from freehold.guard.detectors.topics import topics

    return topics(profile.custom)


MAKERS: tuple[tuple[str, Callable[[Profile], Detector | None]], ...] = (
    ("custom", _custom),
    ("indirect", _indirect),
    ("injection", _injection),
    ("moderation", _moderation),
    ("names", _names),
    ("pii", _pii),
    ("refusal", _refusal),
    ("regulated", _regulated),
    ("secrets", _secrets),
    ("topics", _topics),
)
"""Name and maker, sorted by name. A maker gets the profile, for detectors that the owner's words configure, and
answers None where those words are not there."""


def load(names: Iterable[str], profile: Profile) -> Mapping[str, Detector]:
    """The named detectors that exist."""
    wanted = set(names)
    made = ((name, make(profile)) for name, make in MAKERS if name in wanted)
    return {name: one for name, one in made if one is not None}
