"""What the guard raises."""

from __future__ import annotations

from freehold.core.errors import BadConfig


class BadProfile(BadConfig):
    """A profile names a detector, a kind or a pattern that does not exist or cannot be used."""

    code = "FH-CFG-030"
    hint_text = "see what there is: freehold guard profiles"


class BadPattern(BadProfile):
    """A pattern of the owner's is no regular expression of RE2, or may match more than 1,000 characters."""

    code = "FH-CFG-021"
    hint_text = "write it in RE2's syntax: no look-around, no back references, bounded repeats"
