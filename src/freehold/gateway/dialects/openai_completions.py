"""OpenAI's text completions, the older API that local engines and base models keep. Read in the SDK's types, 3.54."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Raw

from freehold.core.errors import UpstreamLied
from freehold.gateway import json_splice
from freehold.gateway.dialects import openai_completions_form as form
from freehold.gateway.dialects import openai_wire as wire
from freehold.gateway.dialects.openai_chat_strip import UsageStripper
from freehold.gateway.dialects.openai_completions_stream import Decoder, Encoder
from freehold.gateway.dialects.openai_meter import Meter
from freehold.gateway.dialects.relayed import Relayed
from freehold.gateway.json_read import Count, from_caller, from_target
from freehold.gateway.messages import Answer, Request
from freehold.gateway.ports import Peek, StreamDecoder, StreamEncoder, StreamMeter, StreamStripper
from freehold.ledger.meter import Usage


class _Options(msgspec.Struct):
    include_usage: bool | None = None


class _Glance(msgspec.Struct):
    model: str
    prompt: Raw = Raw(b"null")
    stream: bool | None = None
    max_tokens: Count | None = None
    n: Annotated[int, msgspec.Meta(ge=1, le=128)] | None = None
    best_of: Annotated[int, msgspec.Meta(ge=1, le=128)] | None = None
    echo: bool | None = None
    stream_options: _Options | None = None
    user: str | None = None


class _Whole(msgspec.Struct):
    choices: Raw = Raw(b"")
    usage: wire.Counts | None = None
    error: Raw = Raw(b"null")


_glance = msgspec.json.Decoder(_Glance)
_whole = msgspec.json.Decoder(_Whole)
_prompts = msgspec.json.Decoder(list[Raw])


class OpenAiCompletions(Relayed):
    """The dialect `openai_completions`."""

    name = form.NAME
    paths: tuple[str, ...] = ("/v1/completions",)
    upstream_path = "/completions"

    def peek(self, body: bytes) -> Peek:
        """What routing needs. Each prompt is answered, `best_of` times where that is more than `n`."""
        seen = from_caller(_glance, body)
        stream = seen.stream is True
        options = seen.stream_options
        return Peek(
            model=seen.model,
            stream=stream,
            max_output=seen.max_tokens,
            choices=max(seen.n or 1, seen.best_of or 1) * _many(seen.prompt),
            wants_usage=not stream or (options is not None and options.include_usage is True),
            conversation=seen.user or "",
        )

    def with_model(self, body: bytes, peek: Peek, model: str, *, add_usage: bool) -> bytes:
        """The body for a target that speaks the same dialect."""
        body = json_splice.with_model(body, peek.model, model)
        return json_splice.with_usage_asked(body) if add_usage else body

    def usage(self, body: bytes) -> Usage | None:
        """Usage out of a whole answer."""
        seen = from_target(_whole, body)
        if bytes(seen.error) != b"null":
            raise UpstreamLied("the target answered 200 with an error inside")
        if not bytes(seen.choices).startswith(b"["):
            raise UpstreamLied("the target's answer holds no choices")
        return None if seen.usage is None else wire.usage_of(seen.usage)

    def decode_request(self, body: bytes) -> Request:
        """The neutral form, for those who look at its texts."""
        return form.request_of(body)

    def encode_request(self, request: Request, model: str) -> tuple[bytes, tuple[str, ...]]:
        """The body for a target. Raises NotTranslatable for a conversation."""
        return form.body_of(request, model)

    def decode_answer(self, body: bytes) -> Answer:
        """The neutral form."""
        return form.answer_of(body)

    def encode_answer(self, answer: Answer, *, created: int = 0) -> tuple[bytes, tuple[str, ...]]:
        """The body for a caller."""
        return form.answer_body(answer, created)

    def stream_decoder(self) -> StreamDecoder:
        """A decoder for one stream."""
        return Decoder()

    def stream_encoder(self, request: Peek, *, created: int = 0) -> StreamEncoder:
        """An encoder for one stream."""
        return Encoder(wants_usage=request.wants_usage, created=created)

    def stream_meter(self) -> StreamMeter:
        """A meter for one relayed stream."""
        return Meter()

    def stream_stripper(self) -> StreamStripper:
        """A stripper for one relayed stream."""
        return UsageStripper()


def _many(prompt: Raw) -> int:
    """How many prompts these are: a list of texts, or of lists of tokens, has several."""
    if not bytes(prompt).startswith(b"["):
        return 1
    first = bytes(prompt)[1:].lstrip()[:1]
    return max(len(_prompts.decode(prompt)), 1) if first in (b'"', b"[") else 1
