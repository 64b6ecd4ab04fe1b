"""Gemini's embedContent and batchEmbedContents. There is nothing to translate them to: other targets are refused."""

from __future__ import annotations

import msgspec
from msgspec import Raw

from freehold.core.errors import UpstreamLied
from freehold.gateway.dialects import gemini_path
from freehold.gateway.dialects import gemini_wire as wire
from freehold.gateway.dialects.gemini_alone import GeminiAlone
from freehold.gateway.json_read import from_caller, from_target
from freehold.gateway.ports import InPath, Peek
from freehold.ledger.meter import Usage

_ABSENT = Raw(b"")


class _Glance(msgspec.Struct):
    model: str
    content: Raw = _ABSENT
    requests: Raw = _ABSENT


class _Whole(msgspec.Struct):
    embedding: Raw = _ABSENT
    embeddings: Raw = _ABSENT
    usage: wire.Counts | None = msgspec.field(default=None, name="usageMetadata")
    error: Raw = Raw(b"null")


_glance = msgspec.json.Decoder(_Glance)
_whole = msgspec.json.Decoder(_Whole)


class _Place(gemini_path.OneVerb):
    """A batch and a lone text have a verb each; the body shows which."""

    def upstream(self, model: str, peek: Peek) -> str:
        """The path after a target's base path."""
        return gemini_path.upstream_of(model, "batchEmbedContents" if peek.choices > 1 else "embedContent")


class GeminiEmbeddings(GeminiAlone):
    """The dialect `gemini_embeddings`."""

    name = "gemini_embeddings"
    in_path: InPath | None = _Place("embedContent", "batchEmbedContents")

    def peek(self, body: bytes) -> Peek:
        """What routing needs: there is no output to reserve for, and what is one of several shows which verb it is."""
        seen = from_caller(_glance, body)
        return Peek(model=seen.model, max_output=0, choices=2 if bytes(seen.requests) else 1)

    def with_model(self, body: bytes, peek: Peek, model: str, *, add_usage: bool) -> bytes:
        """The body for a target that speaks the same dialect; each request of a batch names the model again."""
        return gemini_path.renamed(gemini_path.taken_off(body, peek.model, stream=False), model)

    def usage(self, body: bytes) -> Usage | None:
        """Usage out of a whole answer, where the vendor tells it."""
        seen = from_target(_whole, body)
        if bytes(seen.error) != b"null":
            raise UpstreamLied("the target answered 200 with an error inside")
        if not (bytes(seen.embedding) or bytes(seen.embeddings)):
            raise UpstreamLied("the target's answer holds no embeddings")
        return None if seen.usage is None else wire.usage_of(seen.usage)
