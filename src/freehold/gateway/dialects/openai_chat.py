"""OpenAI's chat completions: https://developers.openai.com/api/reference (chat), read in the SDK's types, 3.54."""

from __future__ import annotations

from collections.abc import Sequence

from freehold.core.errors import FreeholdError, UpstreamLied
from freehold.gateway import json_splice
from freehold.gateway.dialects import openai_chat_answer, openai_chat_encode
from freehold.gateway.dialects import openai_wire as wire
from freehold.gateway.dialects.openai_chat_decode import request_of
from freehold.gateway.dialects.openai_chat_glance import ABSENT, NULL, glance, whole
from freehold.gateway.dialects.openai_chat_stream import Decoder
from freehold.gateway.dialects.openai_chat_strip import UsageStripper
from freehold.gateway.dialects.openai_chat_write import Encoder
from freehold.gateway.dialects.openai_meter import Meter
from freehold.gateway.json_read import from_caller, from_target
from freehold.gateway.messages import Answer, Request
from freehold.gateway.ports import InPath, Peek
from freehold.ledger.meter import Usage

_NONE = (b"", b"null", b"[]")


class OpenAiChat:
    """The dialect `openai_chat`."""

    name = "openai_chat"
    paths: tuple[str, ...] = ("/v1/chat/completions",)
    upstream_path = "/chat/completions"
    in_path: InPath | None = None
    stream_kind = b"text/event-stream"

    def peek(self, body: bytes) -> Peek:
        """What routing needs of a request."""
        seen = from_caller(glance, body)
        stream = seen.stream is True
        options, metadata, form = seen.stream_options, seen.metadata, seen.response_format
        return Peek(
            model=seen.model,
            stream=stream,
            max_output=seen.max_tokens if seen.max_completion_tokens is None else seen.max_completion_tokens,
            choices=1 if seen.n is None else seen.n,
            wants_usage=not stream or (options is not None and options.include_usage is True),
            workflow="" if metadata is None else metadata.workflow or "",
            conversation=seen.prompt_cache_key or seen.user or "",
            tools=seen.tools is not ABSENT and bytes(seen.tools) not in _NONE,
            structured=form is not None and form.type.startswith("json"),
        )

    def with_model(self, body: bytes, peek: Peek, model: str, *, add_usage: bool) -> bytes:
        """The body for a target that speaks the same dialect."""
        body = json_splice.with_model(body, peek.model, model)
        return json_splice.with_usage_asked(body) if add_usage else body

    def usage(self, body: bytes) -> Usage | None:
        """Usage out of a whole answer."""
        seen = from_target(whole, body)
        if seen.error is not NULL and bytes(seen.error) != b"null":
            raise UpstreamLied("the target answered 200 with an error inside")
        if not bytes(seen.choices).startswith(b"["):
            raise UpstreamLied("the target's answer holds no choices")
        return None if seen.usage is None else wire.usage_of(seen.usage)

    def decode_request(self, body: bytes) -> Request:
        """The neutral form."""
        return request_of(body)

    def encode_request(self, request: Request, model: str) -> tuple[bytes, tuple[str, ...]]:
        """The body for a target. A stream's usage is asked for where `request.wants_usage` says so."""
        return openai_chat_encode.body_of(request, model)

    def decode_answer(self, body: bytes) -> Answer:
        """The neutral form."""
        return openai_chat_answer.answer_of(body)

    def encode_answer(self, answer: Answer, *, created: int = 0) -> tuple[bytes, tuple[str, ...]]:
        """The body for a caller."""
        return openai_chat_answer.body_of(answer, created)

    def stream_decoder(self) -> Decoder:
        """A decoder for one stream."""
        return Decoder()

    def stream_encoder(self, request: Peek, *, created: int = 0) -> Encoder:
        """An encoder for one stream."""
        return Encoder(wants_usage=request.wants_usage, created=created)

    def stream_meter(self) -> Meter:
        """A meter for one relayed stream."""
        return Meter()

    def stream_stripper(self) -> UsageStripper:
        """A stripper for one relayed stream."""
        return UsageStripper()

    def estimate(self, body: bytes) -> bytes | None:
        """None: an answer cannot be guessed."""
        return None

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
