"""Where the embedded models' weights are: as the file says, else beside the source, else in the user's cache.

Independent of the current folder, so that an instance starts from anywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import freehold
from freehold.serving.fetch import DEFAULT_CACHE, ready
from freehold.settings.environment import variable

CACHE_HOME = "XDG_CACHE_HOME"


def folders(configured: str) -> tuple[Path, ...]:
    """Where they may be, best first; the first is where `freehold models fetch` leaves them."""
    if configured:
        return (Path(configured),)
    source = Path(freehold.__file__).parents[2]
    checkout = (source / DEFAULT_CACHE,) if (source / "pyproject.toml").is_file() else ()
    cache = Path(variable(CACHE_HOME) or Path.home() / ".cache")
    return (*checkout, cache / "freehold" / "models")


def chosen(candidates: Sequence[Path]) -> Path:
    """The first that holds all of them; the first of all where none does."""
    return next((one for one in candidates if ready(one)), candidates[0])
