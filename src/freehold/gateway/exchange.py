"""One HTTP exchange with a target that is no call: under a permit of its own, through the egress like all.

Invariant: it ends once, with an answer that is whole or with an error.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from freehold.core.errors import FreeholdError, Internal, UpstreamTimeout
from freehold.core.permit import Permit
from freehold.gateway.routing.table import Stop
from freehold.gateway.upstream import WHOLE, Upstream

if TYPE_CHECKING:
    from freehold.gateway.plane import Plane

SECONDS = 300.0
"""Longest one may take: files are large."""

Heard = tuple[int, bytes]
"""Status and body."""


class Exchange:
    """A sender for the plane and a receiver for its connection."""

    def __init__(self, plane: Plane, stop: Stop, then: Callable[[Heard | FreeholdError], None]) -> None:
        self._plane = plane
        self._stop = stop
        self._then: Callable[[Heard | FreeholdError], None] | None = then
        self._upstream: Upstream | None = None

    def begin(self, permit: Permit, head: bytes) -> None:
        """Connect, send, and wait."""
        self._permit = permit
        self._head = head
        self._plane.later(SECONDS, self._late)
        self._plane.connect(self._stop, self, 0)

    def hung_up(self) -> None:
        """Nobody waits for it."""
        self._then = None
        if self._upstream is not None:
            self._upstream.abort()

    # For whoever connects

    def connected(self, upstream: Upstream, attempt: int) -> None:
        """Send, where it is still wanted."""
        if self._then is None:
            upstream.abort()
            return
        self._upstream = upstream
        try:
            upstream.request(self, self._permit, self._head, self._plane.now())
        except FreeholdError as error:
            self._end(error)

    def unreachable(self, error: FreeholdError, attempt: int) -> None:
        """No connection came about."""
        self._end(error)

    def crash(self, error: Exception) -> None:
        """A defect of ours."""
        self._plane.log_defect(error, "")
        self._end(Internal("an internal error; the operators have its trace"))

    # From the connection

    def answer_head(self, upstream: Upstream) -> int:
        """All of it, at once."""
        return WHOLE

    def answer_raw(self, raw: bytes, content: bytes, whole: bool) -> None:
        """Never asked for."""

    def answer_body(self, content: bytes) -> None:
        """Never asked for."""

    def answer_end(self) -> None:
        """Never asked for."""

    def answer_whole(self, body: bytes) -> None:
        """Here it is."""
        assert self._upstream is not None
        self._end((self._upstream.status, self._stop.without_secret(body)))

    def answer_failed(self, error: FreeholdError, stale: bool) -> None:
        """No answer will come."""
        self._end(error)

    def _late(self) -> None:
        self._end(UpstreamTimeout(f"{self._stop.name} did not answer in time"))

    def _end(self, found: Heard | FreeholdError) -> None:
        then, self._then = self._then, None
        upstream, self._upstream = self._upstream, None
        if upstream is not None:
            upstream.abort()
        if then is not None:
            then(found)
