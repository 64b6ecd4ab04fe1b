"""Blocks that grow side by side (calls of some vendors do), told one after the other: for dialects that know no other
way. What belongs to a later block waits until the one in front is closed.
"""

from __future__ import annotations

from freehold.gateway.messages import Closed, Grown, Opened

OfBlock = Opened | Grown | Closed


class InTurn:
    """The blocks of one choice."""

    __slots__ = ("_front", "_waiting")

    def __init__(self) -> None:
        self._front: int | None = None
        """The block being told."""
        self._waiting: dict[int, list[OfBlock]] = {}
        """Blocks that opened while another was in front, with their events so far, in order."""

    def take(self, event: OfBlock) -> list[OfBlock]:
        """What is to be told now that this came, in order."""
        if event.block != self._front and not (self._front is None and isinstance(event, Opened)):
            self._waiting.setdefault(event.block, []).append(event)
            return []
        told = self._told([event])
        while self._front is None and self._waiting:
            told += self._told(self._waiting.pop(next(iter(self._waiting))))
        return told

    def _told(self, events: list[OfBlock]) -> list[OfBlock]:
        for event in events:
            if isinstance(event, Opened):
                self._front = event.block
            elif isinstance(event, Closed):
                self._front = None
        return events
