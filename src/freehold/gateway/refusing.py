"""Holds the beginning of an answer until it shows whether the model refuses; then lets it go, or says so.

Only the first alternative is looked at. Who has begun to answer is not refusing, nor is who goes on for long.
"""

from __future__ import annotations

from collections.abc import Callable

from freehold.gateway.errors import ModelRefused
from freehold.gateway.messages import Event, Grown, Opened, Refusal, Stopped, Text, ToolCall

FIRST = 160
"""Characters that tell who has begun to answer: a refusal says so in its first sentence."""
MOST = 900
"""A refusal is short: what is longer helps with something after all."""
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
                before, self._text = len(self._text), self._text + event.text
                if before < FIRST <= len(self._text):
                    return not self._refuses()
                return len(self._text) > MOST
            case Stopped(choice=0):
                if event.stop in _STOPS:
                    raise self._refusal()
                if self._refuses():
                    raise self._refusal()
                return True
        return False

    def _refuses(self) -> bool:
        return bool(self._text.strip()) and self._refused(self._text)

    def _refusal(self) -> ModelRefused:
        return ModelRefused(f"{self._target} refused", status=200, retryable=False)
