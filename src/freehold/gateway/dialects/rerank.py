"""Ranking documents by a query, in the shape that Cohere, Jina, vLLM and others share. Relayed.

Sources, read 2026-11-22: docs.cohere.com (v1 and v2 rerank), jina.ai/reranker, docs.vllm.ai (Re-rank API).
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Raw

from freehold.core.errors import BadRequest, FreeholdError, UpstreamLied
from freehold.gateway.dialects import openai_wire as wire
from freehold.gateway.dialects.relayed import Relayed
from freehold.gateway.dialects.relayed_meter import Spent, usage_of
from freehold.gateway.json_read import Count, from_caller, from_target
from freehold.gateway.ports import Peek
from freehold.ledger.meter import Usage

DOCUMENTS_A_SEARCH = 100
"""One search ranks up to so many documents; a longer one than 500 tokens counts as several (cohere.com/pricing)."""
TOKENS_A_DOCUMENT = 500


class _Glance(msgspec.Struct):
    model: str
    query: Raw
    documents: list[Raw]


class _Billed(msgspec.Struct):
    search_units: float | None = None
    input_tokens: float | None = None


class _Meta(msgspec.Struct):
    billed_units: _Billed | None = None


class _Whole(msgspec.Struct):
    results: list[Raw] | None = None
    data: list[Raw] | None = None
    meta: _Meta | None = None
    usage: Spent | None = None
    total_tokens: Count | None = None
    error: Raw = Raw(b"null")


_glance = msgspec.json.Decoder(_Glance)
_whole = msgspec.json.Decoder(_Whole)


class Rerank(Relayed):
    """The dialect `rerank`."""

    name = "rerank"
    paths: tuple[str, ...] = ("/rerank", "/v1/rerank", "/v2/rerank")
    upstream_path = "/rerank"

    def peek(self, body: bytes) -> Peek:
        """What routing needs: there is no output to reserve for."""
        seen = from_caller(_glance, body)
        if not seen.documents:
            raise BadRequest("expected at least one document at 'documents'", param="documents")
        chunks = len(seen.documents) + len(body) // TOKENS_A_DOCUMENT
        searches = -(-chunks // DOCUMENTS_A_SEARCH)
        # A vendor may read the query anew with each document.
        given = len(body) + len(bytes(seen.query)) * len(seen.documents)
        return Peek(model=seen.model, max_output=0, given=given, units=searches, unit="search")

    def usage(self, body: bytes) -> Usage | None:
        """Searches or tokens as told; what was asked for where neither is."""
        seen = from_target(_whole, body)
        if bytes(seen.error) != b"null":
            raise UpstreamLied("the target answered 200 with an error inside")
        if seen.results is None and seen.data is None:
            raise UpstreamLied("the target's answer holds no results")
        billed = None if seen.meta is None else seen.meta.billed_units
        if billed is not None:
            searches = _whole_number(billed.search_units)
            return Usage(_whole_number(billed.input_tokens), units=searches, unit="search" if searches else "")
        if seen.usage is None and seen.total_tokens is None:
            return None
        return usage_of(seen.usage or Spent(total_tokens=seen.total_tokens))

    def error(self, error: FreeholdError, request_id: str) -> tuple[int, bytes]:
        """As OpenAI's, with the message at the top too, where Cohere's clients look for it."""
        status, _ = wire.error_body(error)
        told: dict[str, Any] = wire.error_object(error)
        return status, msgspec.json.encode({"message": told["message"], "error": told})


def _whole_number(value: float | None) -> int:
    return min(-int(-value // 1), 1 << 53) if value is not None and value > 0 else 0
