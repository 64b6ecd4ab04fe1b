"""What one look of `freehold doctor` found."""

from __future__ import annotations

import msgspec


class Finding(msgspec.Struct, frozen=True):
    """What one look found: `ok`, `warn` or `fail`, in words, with the fix where one is needed."""

    state: str
    about: str
    message: str
    fix: str = ""
