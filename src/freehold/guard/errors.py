"""What the guard raises."""

from __future__ import annotations

from freehold.core.errors import BadConfig


class BadProfile(BadConfig):
    """A profile names a detector, a kind or a pattern that does not exist or cannot be used."""

    code = "FH-CFG-020"
    hint_text = "see what there is: freehold guard profiles"
