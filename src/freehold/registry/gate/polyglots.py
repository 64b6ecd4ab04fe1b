"""Files that are two things at once: whatever a file is by its start, no other reader may find its own format in it.

Invariant: asks every reader that decides by other bytes than the first ones.
"""

from __future__ import annotations

from collections.abc import Iterator

from freehold.registry.gate.types import Reason, Source


def others(source: Source, found: str) -> Iterator[Reason]:
    """Formats that `source` has besides `found`."""
    yield from ()
