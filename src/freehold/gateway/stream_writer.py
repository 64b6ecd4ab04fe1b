"""The half of a stream's encoder that dialects share: event by event, and the names of what had no place. Sans-I/O."""

from __future__ import annotations

from collections.abc import Iterable

from freehold.gateway.json_fields import named
from freehold.gateway.messages import Event


class StreamWriter:
    """A dialect says in `_bytes` what an event is on the wire, and notes in `_dropped` what it cannot carry."""

    __slots__ = ("_dropped",)

    def __init__(self) -> None:
        self._dropped: list[str] = []

    @property
    def dropped(self) -> tuple[str, ...]:
        """Names of what could not be carried so far."""
        return named(self._dropped)

    def feed(self, events: Iterable[Event]) -> bytes:
        """The bytes for these events."""
        return b"".join([self._bytes(event) for event in events])

    def _bytes(self, event: Event) -> bytes:
        raise NotImplementedError
