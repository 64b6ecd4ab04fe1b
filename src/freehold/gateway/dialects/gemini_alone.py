"""Base of Google's dialects that stand alone: errors and headers in its form, nothing translated."""

from __future__ import annotations

from collections.abc import Sequence

from freehold.core.errors import FreeholdError
from freehold.gateway.dialects import gemini_wire as wire
from freehold.gateway.dialects.untranslated import Untranslated


class GeminiAlone(Untranslated):
    """What they share."""

    paths: tuple[str, ...] = ()
    upstream_path = ""
    stream_kind = b"text/event-stream"

    def error(self, error: FreeholdError, request_id: str) -> tuple[int, bytes]:
        """Status and body; the request id goes in a header."""
        return wire.error_body(error)

    def error_event(self, error: FreeholdError, request_id: str) -> bytes:
        """An error inside a stream that has begun."""
        return wire.error_event(error)

    def headers(
        self, request_id: str, limits: Sequence[tuple[str, int, int, float]], now: float
    ) -> list[tuple[bytes, bytes]]:
        """The request id."""
        return wire.headers(request_id)

    def limit_lines(self, limits: Sequence[tuple[str, int, int, float]], now: float) -> bytes:
        """Nothing: this API tells no limits in headers."""
        return b""
