"""Anthropic's token counting. It costs nothing and answers with one number; only its own dialect carries it."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec import Raw

from freehold.core.errors import FreeholdError, UpstreamLied
from freehold.gateway import json_splice
from freehold.gateway.dialects import anthropic_wire as wire
from freehold.gateway.dialects.untranslated import Untranslated
from freehold.gateway.json_read import Count, from_caller, from_target
from freehold.gateway.ports import InPath, Peek
from freehold.ledger.meter import Usage


class _Glance(msgspec.Struct):
    model: str
    messages: Raw


class _Whole(msgspec.Struct):
    input_tokens: Count | None = None
    error: Raw = Raw(b"null")


_glance = msgspec.json.Decoder(_Glance)
_whole = msgspec.json.Decoder(_Whole)


class AnthropicCountTokens(Untranslated):
    """The dialect `anthropic_count_tokens`."""

    name = "anthropic_count_tokens"
    paths: tuple[str, ...] = ("/v1/messages/count_tokens",)
    upstream_path = "/messages/count_tokens"
    in_path: InPath | None = None
    stream_kind = b"text/event-stream"

    def peek(self, body: bytes) -> Peek:
        """What routing needs: there is no output to reserve for."""
        return Peek(model=from_caller(_glance, body).model, max_output=0)

    def with_model(self, body: bytes, peek: Peek, model: str, *, add_usage: bool) -> bytes:
        """The body for a target that speaks the same dialect."""
        return json_splice.with_model(body, peek.model, model)

    def usage(self, body: bytes) -> Usage | None:
        """Nothing was used: counting is free."""
        seen = from_target(_whole, body)
        if bytes(seen.error) != b"null":
            raise UpstreamLied("the target answered 200 with an error inside")
        if seen.input_tokens is None:
            raise UpstreamLied("the target's answer holds no count")
        return Usage()

    def estimate(self, body: bytes) -> bytes | None:
        """A token for every four bytes of the request: a rule of thumb for English, whose JSON makes it a high one."""
        return msgspec.json.encode({"input_tokens": max(len(body) // 4, 1)})

    def error(self, error: FreeholdError, request_id: str) -> tuple[int, bytes]:
        """Status and body."""
        return wire.error_body(error, request_id)

    def error_event(self, error: FreeholdError, request_id: str) -> bytes:
        """An error inside a stream that has begun."""
        return wire.error_event(error, request_id)

    def headers(
        self, request_id: str, limits: Sequence[tuple[str, int, int, float]], now: float
    ) -> list[tuple[bytes, bytes]]:
        """`request-id` and `anthropic-ratelimit-*`."""
        return wire.headers(request_id, limits, now)

    def limit_lines(self, limits: Sequence[tuple[str, int, int, float]], now: float) -> bytes:
        """`anthropic-ratelimit-*`, ready for a response head."""
        return wire.limit_lines(limits, now)
