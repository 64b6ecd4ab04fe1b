"""Holds the beginning of an answer until it shows whether the model refuses; then lets it go, or says so.

Only the first alternative is looked at, and only its beginning: who has begun to answer is not refusing.
"""

from __future__ import annotations

from collections.abc import Callable

from freehold.gateway.errors import ModelRefused
from freehold.gateway.messages import Event, Grown, Opened, Refusal, Stopped, Text, ToolCall

FIRST = 280
"""Characters that tell: refusals of the development data say so in their first two sentences."""
_STOPS = frozenset({"refusal", "content_filter"})


class Hold:
    """One answer's beginning."""

    def __init__(self, refused: Callable[[str], bool], target: str) -> None:
        self._refused = refused
        self._target = target
        self._kept: list[Event] = []
        self._texts: set[int] = set()
        self._text = ""
        self._over = False

    def feed(self, events: list[Event]) -> list[Event]:
        """What may go on: nothing until it is decided. Raises ModelRefused."""
        if self._over:
            return events
        self._kept += events
        for event in events:
            if self._decided(event):
                self._over = True
                break
        if not self._over:
            return []
        kept, self._kept = self._kept, []
        return kept

    def _decided(self, event: Event) -> bool:
        match event:
            case Opened(choice=0, part=Refusal()):
                raise self._refusal()
            case Opened(choice=0, part=ToolCall()):
                return True
            case Opened(choice=0, part=Text()):
                self._texts.add(event.block)
            case Grown(choice=0) if event.block in self._texts:
                self._text += event.text
                if len(self._text) >= FIRST:
                    return self._judged()
            case Stopped(choice=0):
                if event.stop in _STOPS:
                    raise self._refusal()
                return self._judged()
        return False

    def _judged(self) -> bool:
        if self._text.strip() and self._refused(self._text[:FIRST]):
            raise self._refusal()
        return True

    def _refusal(self) -> ModelRefused:
        return ModelRefused(f"{self._target} refused", status=200, retryable=False)
