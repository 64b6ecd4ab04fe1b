"""OpenAI's image generation: https://developers.openai.com/api/reference (images), read in the SDK's types, 3.54."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Raw

from freehold.core.errors import UpstreamLied
from freehold.gateway.dialects.relayed import Relayed
from freehold.gateway.dialects.relayed_meter import LastEvent, Spent, usage_of
from freehold.gateway.json_read import from_caller, from_target
from freehold.gateway.ports import Peek
from freehold.ledger.meter import Usage

IMAGE_TOKENS = 16_384
"""Reserved for a picture that is sold by tokens: above twice OpenAI's most (6,240 for 1024x1536 at high quality)."""
_ENDS = frozenset({"image_generation.completed"})


class _Glance(msgspec.Struct):
    model: str
    prompt: Raw
    n: Annotated[int, msgspec.Meta(ge=1, le=128)] | None = None
    stream: bool | None = None
    user: str | None = None


class _Whole(msgspec.Struct):
    data: list[Raw] | None = None
    usage: Spent | None = None
    error: Raw = Raw(b"null")


_glance = msgspec.json.Decoder(_Glance)
_whole = msgspec.json.Decoder(_Whole)


class OpenAiImages(Relayed):
    """The dialect `openai_images`: what is written comes back as pictures."""

    name = "openai_images"
    paths: tuple[str, ...] = ("/v1/images/generations",)
    upstream_path = "/images/generations"

    def peek(self, body: bytes) -> Peek:
        """What routing needs."""
        seen = from_caller(_glance, body)
        many = seen.n or 1
        return Peek(
            model=seen.model,
            stream=seen.stream is True,
            max_output=IMAGE_TOKENS,
            choices=many,
            conversation=seen.user or "",
            units=many,
            unit="image",
        )

    def usage(self, body: bytes) -> Usage | None:
        """Tokens as told, and the pictures counted."""
        seen = from_target(_whole, body)
        if bytes(seen.error) != b"null":
            raise UpstreamLied("the target answered 200 with an error inside")
        if seen.data is None:
            raise UpstreamLied("the target's answer holds no images")
        return msgspec.structs.replace(usage_of(seen.usage), units=len(seen.data), unit="image")

    def stream_meter(self) -> LastEvent:
        """A meter for one relayed stream."""
        return LastEvent(_ENDS)
