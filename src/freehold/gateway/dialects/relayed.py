"""Base of OpenAI's dialects that are relayed, never translated: model in the body, errors and limits as OpenAI's."""

from __future__ import annotations

from collections.abc import Sequence

from freehold.core.errors import FreeholdError
from freehold.gateway import json_splice
from freehold.gateway.dialects import openai_wire as wire
from freehold.gateway.dialects.untranslated import Untranslated
from freehold.gateway.ports import InPath, Peek


class Relayed(Untranslated):
    """All that such a dialect does not say of itself."""

    in_path: InPath | None = None
    stream_kind = b"text/event-stream"

    def with_model(self, body: bytes, peek: Peek, model: str, *, add_usage: bool) -> bytes:
        """The body for a target that speaks the same dialect."""
        return json_splice.with_model(body, peek.model, model)

    def error(self, error: FreeholdError, request_id: str) -> tuple[int, bytes]:
        """Status and body; the request id goes in a header."""
        return wire.error_body(error)

    def error_event(self, error: FreeholdError, request_id: str) -> bytes:
        """An error inside a stream that has begun."""
        return wire.error_event(error)

    def headers(
        self, request_id: str, limits: Sequence[tuple[str, int, int, float]], now: float
    ) -> list[tuple[bytes, bytes]]:
        """`x-request-id` and `x-ratelimit-*`."""
        return wire.headers(request_id, limits)

    def limit_lines(self, limits: Sequence[tuple[str, int, int, float]], now: float) -> bytes:
        """`x-ratelimit-*`, ready for a response head."""
        return wire.limit_lines(limits)
