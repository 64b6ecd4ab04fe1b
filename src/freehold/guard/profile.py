"""A profile compiled: which detectors look at what, and what each finding leads to.

A `Guard` is immutable and shared by calls. Its digest changes when its rules or a detector's version change.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import msgspec

from freehold.guard.apply import ALTERING
from freehold.guard.detectors.registry import load
from freehold.guard.errors import BadProfile
from freehold.guard.types import Detector, Direction, Finding, Profile, Rule, Source

_HINT = (
    "see what there is: freehold guard list; `custom` needs patterns or words of yours in the profile's `custom`, "
    "`names` needs pip install 'freehold[names]'"
)


@dataclass(frozen=True)
class Guard:
    """One compiled profile."""

    profile: Profile
    detectors: Mapping[str, Detector]
    digest: str
    """SHA-256 in hex of the rules and the versions of their detectors: what a receipt says was scanned for."""

    @cached_property
    def looks_in(self) -> bool:
        """Does any rule look at what goes to a model?"""
        return bool(self.watching("in"))

    @cached_property
    def looks_out(self) -> bool:
        """Does any rule look at what comes back?"""
        return bool(self.watching("out"))

    def watching(self, direction: Direction, source: Source | None = None) -> tuple[Detector, ...]:
        """Detectors with a rule other than `pass` for that direction (and source), in the order of the rules."""
        names = dict.fromkeys(
            rule.detector for rule in self.profile.rules if rule.action != "pass" and _applies(rule, direction, source)
        )
        return tuple(self.detectors[name] for name in names)

    def rule(self, found: Finding, direction: Direction, source: Source) -> Rule | None:
        """The first rule that fits; None where nothing is to be done."""
        for rule in self.profile.rules:
            if rule.detector != found.detector or not _applies(rule, direction, source):
                continue
            if rule.kinds and found.kind not in rule.kinds:
                continue
            return None if rule.action == "pass" or found.score < rule.at_least else rule
        return None

    def alters(self, detector: str, direction: Direction, source: Source) -> bool:
        """May a finding of that detector change the text, or end it?"""
        return any(
            rule.detector == detector and rule.action in ALTERING and _applies(rule, direction, source)
            for rule in self.profile.rules
        )


def compile_profile(profile: Profile, detectors: Mapping[str, Detector] | None = None) -> Guard:
    """Ready for use. Without `detectors`, those of the registry that its rules name.

    Raises BadProfile for a detector or kind that does not exist, and for a pattern that cannot be compiled.
    """
    names = sorted({rule.detector for rule in profile.rules})
    known = dict(load(names, profile) if detectors is None else detectors)
    for at, rule in enumerate(profile.rules):
        where = f"rules.{at}"
        if rule.detector not in known:
            raise BadProfile(
                f"profile {profile.name!r}: there is no detector {rule.detector!r}", hint=_HINT, param=where
            )
        kinds = getattr(known[rule.detector], "kinds", ())
        unknown = [one for one in rule.kinds if kinds and one not in kinds]
        if unknown:
            listed = ", ".join(kinds)
            raise BadProfile(
                f"profile {profile.name!r}: {rule.detector!r} finds no {unknown[0]!r}",
                hint=f"it finds {listed}",
                param=where,
            )
        if rule.action == "raise" and rule.label is None:
            raise BadProfile(f"profile {profile.name!r}: a rule that raises the label needs one", param=where)
    used = {name: known[name] for name in names}
    versions = [(name, str(getattr(one, "version", "1"))) for name, one in used.items()]
    digest = hashlib.sha256(msgspec.json.encode([profile_facts(profile), versions])).hexdigest()
    return Guard(profile=profile, detectors=used, digest=digest)


def profile_facts(profile: Profile) -> dict[str, object]:
    """A profile as plain values in a fixed order."""
    facts: dict[str, object] = {"name": profile.name, "on_failure": profile.on_failure}
    facts["rules"] = [
        [
            rule.detector,
            sorted(rule.kinds),
            sorted(rule.directions),
            sorted(rule.sources),
            rule.action,
            str(rule.label) if rule.label else "",
            rule.at_least,
        ]
        for rule in profile.rules
    ]
    if profile.schema != "pass":
        facts["schema"] = profile.schema
    facts["custom"] = [[one.name, one.pattern, list(one.words)] for one in profile.custom]
    return facts


def _applies(rule: Rule, direction: Direction, source: Source | None) -> bool:
    return direction in rule.directions and (source is None or not rule.sources or source in rule.sources)
