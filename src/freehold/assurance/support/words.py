"""What of a text may go into a bundle: a word or a name that no secret could be, else only how long it was.

Invariant: what is let through holds nothing that the detector of secrets finds.
"""

from __future__ import annotations

import re
from functools import cache
from itertools import pairwise

from freehold.core.log import masked
from freehold.guard.detectors.secrets import Secrets
from freehold.guard.types import Piece

LONGEST = 48
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]*\Z")
_RUN = re.compile(r"[A-Za-z0-9]+")
_LONGEST_RUN = 20
"""Letters and digits in a row: names are made of parts, keys are not."""
_MIXED_RUN = 8
_MOST_TURNS = 1
"""From letters to digits or back in a mixed run: `release2024` has one, `4f9b2c81` more."""
_MOST_CASES = 3
"""Changes of case among letters: `CamelCaseName` has few."""
MASK = "***"


def word(text: str) -> str:
    """The text where it is a short name made of plain parts; else `(23 characters)`."""
    plain = len(text) <= LONGEST and (not text or _NAME.match(text) is not None)
    if plain and not any(_drawn(one) for one in _RUN.findall(text)) and clean(text) == text:
        return text
    return f"({len(text)} characters)"


def clean(text: str) -> str:
    """The text with what looks like a secret masked."""
    detector = _detector()
    for one in reversed(detector.find(Piece(text))):
        text = text[: one.start] + MASK + text[one.end :]
    return masked(text)


def _drawn(run: str) -> bool:
    """Does a run of letters and digits read as drawn by chance?"""
    if len(run) > _LONGEST_RUN:
        return True
    if len(run) < _MIXED_RUN:
        return False
    turns = sum(1 for one, other in pairwise(run) if one.isdigit() != other.isdigit())
    cases = sum(1 for one, other in pairwise(run) if one.islower() != other.islower() and other.isalpha())
    return turns > _MOST_TURNS or cases > _MOST_CASES


@cache
def _detector() -> Secrets:
    return Secrets()
