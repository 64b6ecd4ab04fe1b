"""Named rights: what a key may do with its own content that no role allows. The names are a closed list.

Only an owner gives them, each gift is audited, and none is had by default.
"""

from __future__ import annotations

from freehold.core.errors import BadRequest

RIGHTS: tuple[tuple[str, str], ...] = (
    ("approve", "let a model call a tool after it read what may be an instruction from outside"),
    ("declassify", "lower a call's label below what it joined to; every use is audited"),
    ("override_label", "state a label below the key's default label; every use is audited"),
)
"""Name of each right and what it allows, in the order they are listed."""

NAMES = tuple(name for name, _ in RIGHTS)


def checked(rights: tuple[str, ...]) -> tuple[str, ...]:
    """The rights sorted, each once. Raises BadRequest for one that there is not."""
    unknown = sorted(set(rights) - set(NAMES))
    if unknown:
        hint = f"use some of {', '.join(NAMES)}"
        raise BadRequest(f"there is no right {', '.join(unknown)}", hint=hint, param="rights")
    return tuple(sorted(set(rights)))
