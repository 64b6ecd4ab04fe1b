"""Gemini's countTokens. It costs nothing and answers with one number; only its own dialect carries it."""

from __future__ import annotations

import msgspec
from msgspec import Raw

from freehold.core.errors import UpstreamLied
from freehold.gateway.dialects import gemini_path
from freehold.gateway.dialects.gemini_alone import GeminiAlone
from freehold.gateway.json_read import Count, from_caller, from_target
from freehold.gateway.ports import InPath, Peek
from freehold.ledger.meter import Usage


class _Glance(msgspec.Struct):
    model: str


class _Whole(msgspec.Struct):
    total: Count | None = msgspec.field(default=None, name="totalTokens")
    error: Raw = Raw(b"null")


_glance = msgspec.json.Decoder(_Glance)
_whole = msgspec.json.Decoder(_Whole)


class GeminiCountTokens(GeminiAlone):
    """The dialect `gemini_count_tokens`."""

    name = "gemini_count_tokens"
    in_path: InPath | None = gemini_path.OneVerb("countTokens")

    def peek(self, body: bytes) -> Peek:
        """What routing needs: there is no output to reserve for."""
        return Peek(model=from_caller(_glance, body).model, max_output=0)

    def with_model(self, body: bytes, peek: Peek, model: str, *, add_usage: bool) -> bytes:
        """The body for a target that speaks the same dialect; a request inside it names the model again."""
        return gemini_path.renamed(gemini_path.taken_off(body, peek.model, stream=False), model)

    def usage(self, body: bytes) -> Usage | None:
        """Nothing was used: counting is free."""
        seen = from_target(_whole, body)
        if bytes(seen.error) != b"null":
            raise UpstreamLied("the target answered 200 with an error inside")
        if seen.total is None:
            raise UpstreamLied("the target's answer holds no count")
        return Usage()

    def estimate(self, body: bytes) -> bytes | None:
        """A token for every four bytes of the request: a rule of thumb for English, whose JSON makes it a high one."""
        return msgspec.json.encode({"totalTokens": max(len(body) // 4, 1)})
