"""A journal of one call that writes nothing down: what a call that is only gone through would have said."""

from __future__ import annotations

from collections.abc import Callable

from freehold.ledger.frames import Close, Frame, Refused
from freehold.ledger.journal import Journal, Then


class Notebook(Journal):
    """Frames of one call that are written nowhere yet. `ended` is called with the frame that ends it."""

    def __init__(self, ended: Callable[[], None]) -> None:
        self.strict = True
        self.broken = False
        self.frames: list[Frame] = []
        self._ended = ended

    def add(self, frame: Frame, then: Then | None = None, *, exact: bool = False) -> None:
        """Keep it, and go on at once."""
        self.frames.append(frame)
        if then is not None:
            then(None)
        if isinstance(frame, Close | Refused):
            self._ended()

    def flush(self) -> None:
        """Nothing waits."""
