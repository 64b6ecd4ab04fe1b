"""OpenAI's embeddings. There is nothing to translate it to: a target of another dialect is refused."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec import Raw

from freehold.core.errors import FreeholdError, UpstreamLied
from freehold.gateway import json_splice
from freehold.gateway.dialects import openai_wire as wire
from freehold.gateway.dialects.untranslated import Untranslated
from freehold.gateway.json_read import from_caller, from_target
from freehold.gateway.ports import InPath, Peek
from freehold.ledger.meter import Usage


class _Glance(msgspec.Struct):
    model: str
    input: Raw
    user: str | None = None


class _Whole(msgspec.Struct):
    data: Raw = Raw(b"")
    usage: wire.Counts | None = None
    error: Raw = Raw(b"null")


_glance = msgspec.json.Decoder(_Glance)
_whole = msgspec.json.Decoder(_Whole)


class OpenAiEmbeddings(Untranslated):
    """The dialect `openai_embeddings`."""

    name = "openai_embeddings"
    paths: tuple[str, ...] = ("/v1/embeddings",)
    upstream_path = "/embeddings"
    in_path: InPath | None = None
    stream_kind = b"text/event-stream"

    def peek(self, body: bytes) -> Peek:
        """What routing needs: there is no output to reserve for."""
        seen = from_caller(_glance, body)
        return Peek(model=seen.model, max_output=0, conversation=seen.user or "")

    def with_model(self, body: bytes, peek: Peek, model: str, *, add_usage: bool) -> bytes:
        """The body for a target that speaks the same dialect."""
        return json_splice.with_model(body, peek.model, model)

    def usage(self, body: bytes) -> Usage | None:
        """Usage out of a whole answer."""
        seen = from_target(_whole, body)
        if bytes(seen.error) != b"null":
            raise UpstreamLied("the target answered 200 with an error inside")
        if not bytes(seen.data).startswith(b"["):
            raise UpstreamLied("the target's answer holds no embeddings")
        return None if seen.usage is None else wire.usage_of(seen.usage)

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
