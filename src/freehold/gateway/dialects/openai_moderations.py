"""OpenAI's moderations: which categories a text falls into. Relayed; nothing is sold by the token."""

from __future__ import annotations

import msgspec
from msgspec import Raw

from freehold.core.errors import UpstreamLied
from freehold.gateway.dialects.relayed import Relayed
from freehold.gateway.dialects.relayed_meter import Spent, usage_of
from freehold.gateway.json_read import from_caller, from_target
from freehold.gateway.ports import Peek
from freehold.ledger.meter import Usage


class _Glance(msgspec.Struct):
    model: str
    input: Raw


class _Whole(msgspec.Struct):
    results: list[Raw] | None = None
    usage: Spent | None = None
    error: Raw = Raw(b"null")


_glance = msgspec.json.Decoder(_Glance)
_whole = msgspec.json.Decoder(_Whole)


class OpenAiModerations(Relayed):
    """The dialect `openai_moderations`. Unlike OpenAI's own, it wants a `model`: that is the route."""

    name = "openai_moderations"
    paths: tuple[str, ...] = ("/v1/moderations",)
    upstream_path = "/moderations"

    def peek(self, body: bytes) -> Peek:
        """What routing needs: there is no output to reserve for."""
        return Peek(model=from_caller(_glance, body).model, max_output=0)

    def usage(self, body: bytes) -> Usage | None:
        """Tokens where the target tells some."""
        seen = from_target(_whole, body)
        if bytes(seen.error) != b"null":
            raise UpstreamLied("the target answered 200 with an error inside")
        if seen.results is None:
            raise UpstreamLied("the target's answer holds no results")
        return usage_of(seen.usage)
