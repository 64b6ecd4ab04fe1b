"""Regulated classes of content: health, cards, people at work, inside information, classified, privileged and the like.

A sum of weighted cues, enough of which is a finding. It raises labels and never lowers one: what it does not recognise
is as sensitive as the key, the route and the caller said.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cached_property
from importlib.resources import files
from typing import Any

import msgspec

from freehold.core.errors import Internal
from freehold.core.label import Label, Level
from freehold.guard.normalise import views
from freehold.guard.types import Finding, Piece, Rule

LABELS: tuple[tuple[str, Label], ...] = (
    ("CLASSIFIED", Label(Level.RESTRICTED, frozenset({"CLASSIFIED"}))),
    ("EXPORT_CONTROL", Label(Level.RESTRICTED, frozenset({"EXPORT"}))),
    ("HR", Label(Level.CONFIDENTIAL, frozenset({"GDPR"}))),
    ("LEGAL_PRIVILEGED", Label(Level.RESTRICTED, frozenset({"PRIVILEGED"}))),
    ("MNPI", Label(Level.RESTRICTED, frozenset({"MNPI"}))),
    ("PCI", Label(Level.RESTRICTED, frozenset({"PCI"}))),
    ("PHI", Label(Level.RESTRICTED, frozenset({"HIPAA"}))),
    ("TRADE_SECRET", Label(Level.RESTRICTED)),
)
"""What each kind is raised to where the owner's rules do not say otherwise."""

RAISES = tuple(Rule(detector="regulated", kinds=(kind,), action="raise", label=label) for kind, label in LABELS)
"""Rules for a profile that raises every kind to its label, in both directions."""

_CARD = re.compile(r"(?<![0-9A-Za-z])[3-6][0-9](?:[ -]?[0-9]){11,17}(?![0-9A-Za-z])")
_ENOUGH = 0.6
"""Evidence that is a finding: at it 2 of 14,217 harmless development texts are one."""

_STEP = 700
"""Characters from one stretch that is weighed to the next; each is twice as long."""


class Cue(msgspec.Struct, frozen=True):
    """One row of evidence."""

    kind: str
    weight: float
    subject: bool
    """Does it say that somebody in particular is meant? Kinds that have such rows are found only where one is."""
    pattern: str


class Regulated:
    """Judges a text as one."""

    name = "regulated"
    version = "1"
    kinds = tuple(kind for kind, _ in LABELS)
    span = 0
    context = 0

    def find(self, piece: Piece) -> Sequence[Finding]:
        """One finding for each kind, over the whole text; a score of .5 is just enough evidence, 1 is never reached."""
        return [
            Finding(detector=self.name, kind=kind, start=0, end=len(piece.text), score=1 - 0.5 ** (weight / _ENOUGH))
            for kind, weight in sorted(self._heaviest(piece.text).items())
            if weight >= _ENOUGH
        ]

    def _heaviest(self, text: str) -> dict[str, float]:
        """Evidence for each kind in the stretch, of any reading, that has most of it: length alone is no evidence."""
        heaviest: dict[str, float] = {}
        for reading in (text, *(view.text for view in views(text))):
            for begin in range(0, max(1, len(reading) - _STEP), _STEP):
                for kind, weight in self.weigh(reading[begin : begin + 2 * _STEP]).items():
                    heaviest[kind] = max(weight, heaviest.get(kind, 0.0))
        return heaviest

    def weigh(self, text: str) -> dict[str, float]:
        """Evidence for each kind that has some; kinds that need a person have none without one."""
        matched = self._patterns.Match(text) or []
        if len(self._cues) not in matched:
            raise Internal("the patterns of regulated content could not be matched")  # RE2 ran out of memory
        found = [self._cues[at] for at in matched if at < len(self._cues)]
        weights: dict[str, float] = {}
        for cue in found:
            weights[cue.kind] = weights.get(cue.kind, 0.0) + cue.weight
        general = weights.pop("*", 0.0)
        weights = {kind: weight + general for kind, weight in weights.items()}
        if has_card(text):
            weights["PCI"] = weights.get("PCI", 0.0) + 1.0
        needy = {one.kind for one in self._cues if one.subject} - {one.kind for one in found if one.subject}
        return {kind: round(weight, 3) for kind, weight in weights.items() if kind not in needy}

    @cached_property
    def _cues(self) -> tuple[Cue, ...]:
        return read_cues()

    @cached_property
    def _patterns(self) -> Any:
        import re2

        options = re2.Options()
        options.never_capture = True
        options.max_mem = 64 << 20
        patterns = re2.Set.SearchSet(options)
        for cue in self._cues:
            patterns.Add(cue.pattern)
        patterns.Add("")  # always matches: without it, nothing was looked for
        patterns.Compile()
        return patterns


def read_cues() -> tuple[Cue, ...]:
    """The rows of `regulated.tsv`, in its order."""
    text = files("freehold.guard.detectors").joinpath("regulated.tsv").read_text("utf-8")
    rows = (line.split("\t") for line in text.splitlines() if line and not line.startswith("#"))
    return tuple(Cue(kind, float(weight), use == "subject", pattern) for kind, weight, use, pattern in rows)


def has_card(text: str) -> bool:
    """Is there a number that the card schemes could have issued: 13 to 19 digits that begin with 3 to 6, and pass the
    check of Luhn (ISO/IEC 7812-1, annex B)?
    """
    return any(_luhn(re.sub("[ -]", "", found[0])) for found in _CARD.finditer(text))


def _luhn(digits: str) -> bool:
    doubled = "0246813579"
    total = sum(int(doubled[int(one)] if at % 2 else one) for at, one in enumerate(reversed(digits)))
    return total % 10 == 0 and len(set(digits)) > 1
