"""What is read of a chat completion on its way through: few fields of the request, and the usage of the answer."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Raw

from freehold.gateway.dialects import openai_wire as wire
from freehold.gateway.json_read import Count

ABSENT, NULL = Raw(b""), Raw(b"null")


class _StreamOptions(msgspec.Struct):
    include_usage: bool | None = None


class _Kind(msgspec.Struct):
    type: str = ""


class _Metadata(msgspec.Struct):
    workflow: str | None = None


class Glance(msgspec.Struct):
    """A request; what is not named here is skipped."""

    model: str
    messages: Raw
    stream: bool | None = None
    max_tokens: Count | None = None
    max_completion_tokens: Count | None = None
    n: Annotated[int, msgspec.Meta(ge=1, le=128)] | None = None
    stream_options: _StreamOptions | None = None
    metadata: _Metadata | None = None
    user: str | None = None
    prompt_cache_key: str | None = None
    tools: Raw = ABSENT
    response_format: _Kind | None = None


class Whole(msgspec.Struct):
    """A whole answer."""

    choices: Raw = ABSENT
    usage: wire.Counts | None = None
    error: Raw = NULL


glance = msgspec.json.Decoder(Glance)
whole = msgspec.json.Decoder(Whole)
