"""OpenAI's images, made and changed: https://developers.openai.com/api/reference (images), the SDK's types, 3.54."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Raw

from freehold.core.errors import BadRequest, UpstreamLied
from freehold.gateway.dialects.relayed import Relayed
from freehold.gateway.dialects.relayed_meter import Meter, Spent, usage_of
from freehold.gateway.forms import Form, with_field
from freehold.gateway.json_read import from_caller, from_target
from freehold.gateway.ports import Peek
from freehold.ledger.meter import Usage

IMAGE_TOKENS = 16_384
"""Reserved for a picture that is sold by tokens: above twice OpenAI's most (6,240 for 1024x1536 at high quality)."""
_ENDS = frozenset({"image_edit.completed", "image_generation.completed"})
MOST_IMAGES = 128
_FILES = frozenset({"image", "image[]", "mask"})


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

    def stream_meter(self) -> Meter:
        """A meter for one relayed stream."""
        return Meter(_ENDS)


class OpenAiImageEdits(OpenAiImages):
    """The dialect `openai_image_edits`: a form with pictures and what is to become of them."""

    name = "openai_image_edits"
    paths: tuple[str, ...] = ("/v1/images/edits",)
    upstream_path = "/images/edits"

    def peek(self, body: bytes) -> Peek:
        """What routing needs. Raises BadRequest for a form that is not plain, or without a model or a picture."""
        form = Form(body)
        model, many = form.one("model"), form.one("n").strip() or "1"
        if not model:
            raise BadRequest("missing required field 'model'", param="model")
        if not many.isascii() or not many.isdecimal() or not 1 <= int(many[:4]) <= MOST_IMAGES:
            raise BadRequest(f"expected a number from 1 to {MOST_IMAGES} at 'n'", param="n")
        files = form.files(_FILES)
        if not files:
            raise BadRequest("the form holds no picture", param="image")
        return Peek(
            model=model,
            stream=form.flag("stream"),
            max_output=IMAGE_TOKENS,
            choices=int(many),
            conversation=form.one("user"),
            given=IMAGE_TOKENS * len(files) + form.told,
            units=int(many),
            unit="image",
        )

    def with_model(self, body: bytes, peek: Peek, model: str, *, add_usage: bool) -> bytes:
        """The form for a target that speaks the same dialect."""
        return with_field(body, "model", model)
