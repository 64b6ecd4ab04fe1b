"""Personal data by its form: patterns with check digits where there are some, words nearby where chance would do.

Scores: 0.9 and more where a check or a word confirms the form, 0.55 to 0.85 where the form is telling, below 0.5 (not
acted on unless a rule asks for it) where it is common among what is nobody's.
"""

from __future__ import annotations

from freehold.guard.detectors.patterns import Patterns
from freehold.guard.detectors.pii_contact import CONTACT
from freehold.guard.detectors.pii_ids import IDS
from freehold.guard.detectors.pii_money import MONEY
from freehold.guard.detectors.pii_people import PEOPLE
from freehold.guard.detectors.pii_places import PLACES


def pii() -> Patterns:
    """The detector `pii`."""
    return Patterns("pii", (*CONTACT, *MONEY, *IDS, *PLACES, *PEOPLE), context=96, version="1")
