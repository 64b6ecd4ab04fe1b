"""Anthropic's messages: https://platform.claude.com/docs (Messages API), read in the SDK's types, 2.12."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec import Raw

from freehold.core.errors import FreeholdError, UpstreamLied
from freehold.gateway import json_splice
from freehold.gateway.dialects import anthropic_answer, anthropic_encode
from freehold.gateway.dialects import anthropic_wire as wire
from freehold.gateway.dialects.anthropic_decode import request_of
from freehold.gateway.dialects.anthropic_stream import Decoder
from freehold.gateway.dialects.anthropic_write import Encoder
from freehold.gateway.json_read import BROKEN, Count, from_caller, from_target
from freehold.gateway.messages import Answer, Request
from freehold.gateway.ports import InPath, Peek
from freehold.gateway.stream_edges import Edges
from freehold.ledger.meter import Usage

_NONE = (b"", b"null", b"[]")


class _Metadata(msgspec.Struct):
    user_id: str | None = None
    workflow: str | None = None


class _OutputConfig(msgspec.Struct):
    format: Raw = Raw(b"null")


class _Glance(msgspec.Struct):
    model: str
    messages: Raw
    max_tokens: Count
    stream: bool | None = None
    metadata: _Metadata | None = None
    tools: Raw = Raw(b"")
    output_config: _OutputConfig | None = None


class _Whole(msgspec.Struct):
    type: str = ""
    content: Raw = Raw(b"")
    usage: wire.Counts | None = None
    error: Raw = Raw(b"null")


class _Message(msgspec.Struct):
    usage: wire.Counts | None = None


class _Event(msgspec.Struct):
    type: str = ""
    message: _Message | None = None
    usage: wire.Counts | None = None


_glance = msgspec.json.Decoder(_Glance)
_whole = msgspec.json.Decoder(_Whole)
_event = msgspec.json.Decoder(_Event)


class AnthropicMessages:
    """The dialect `anthropic_messages`."""

    name = "anthropic_messages"
    paths: tuple[str, ...] = ("/v1/messages",)
    upstream_path = "/messages"
    in_path: InPath | None = None
    stream_kind = b"text/event-stream"

    def peek(self, body: bytes) -> Peek:
        """What routing needs of a request. Usage always stands in these streams."""
        seen = from_caller(_glance, body)
        metadata, config = seen.metadata, seen.output_config
        return Peek(
            model=seen.model,
            stream=seen.stream is True,
            max_output=seen.max_tokens,
            workflow="" if metadata is None else metadata.workflow or "",
            conversation="" if metadata is None else metadata.user_id or "",
            tools=bytes(seen.tools) not in _NONE,
            structured=config is not None and bytes(config.format) != b"null",
        )

    def with_model(self, body: bytes, peek: Peek, model: str, *, add_usage: bool) -> bytes:
        """The body for a target that speaks the same dialect."""
        return json_splice.with_model(body, peek.model, model)

    def usage(self, body: bytes) -> Usage | None:
        """Usage out of a whole answer."""
        seen = from_target(_whole, body)
        if seen.type == "error" or bytes(seen.error) != b"null":
            raise UpstreamLied("the target answered 200 with an error inside")
        if not bytes(seen.content).startswith(b"["):
            raise UpstreamLied("the target's answer holds no content")
        return None if seen.usage is None else wire.usage_of(seen.usage)

    def decode_request(self, body: bytes) -> Request:
        """The neutral form."""
        return request_of(body)

    def encode_request(self, request: Request, model: str) -> tuple[bytes, tuple[str, ...]]:
        """The body for a target."""
        return anthropic_encode.body_of(request, model)

    def decode_answer(self, body: bytes) -> Answer:
        """The neutral form."""
        return anthropic_answer.answer_of(body)

    def encode_answer(self, answer: Answer, *, created: int = 0) -> tuple[bytes, tuple[str, ...]]:
        """The body for a caller; this dialect tells no time."""
        return anthropic_answer.body_of(answer)

    def stream_decoder(self) -> Decoder:
        """A decoder for one stream."""
        return Decoder()

    def stream_encoder(self, request: Peek, *, created: int = 0) -> Encoder:
        """An encoder for one stream."""
        return Encoder()

    def stream_meter(self) -> Meter:
        """A meter for one relayed stream."""
        return Meter()

    def stream_stripper(self) -> None:
        """None: usage always stands in these streams."""

    def estimate(self, body: bytes) -> bytes | None:
        """None: an answer cannot be guessed."""
        return None

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


class Meter:
    """Usage and end mark off the edges of a relayed stream: input stands at its head, output at its tail."""

    __slots__ = ("_edges", "feed")

    def __init__(self) -> None:
        self._edges = Edges()
        self.feed = self._edges.feed

    def end(self) -> tuple[Usage | None, bool]:
        """Usage (estimated where the stream broke before its final count), and whether `message_stop` came."""
        first, last, complete, failed = self._start(), None, False, False
        for payload in reversed(self._edges.tail()):
            try:
                event = _event.decode(payload)
            except BROKEN:
                failed = True
                break
            complete = complete or event.type == "message_stop"
            failed = failed or event.type == "error"
            if event.type == "message_delta":
                last = event.usage
                break
        complete = complete and last is not None and not failed
        if first is None and last is None:
            return None, complete
        usage = wire.usage_of(first or wire.Counts(), last)
        return usage if last is not None else msgspec.structs.replace(usage, estimated=True), complete

    def _start(self) -> wire.Counts | None:
        for payload in self._edges.head():
            try:
                event = _event.decode(payload)
            except BROKEN:
                return None
            if event.message is not None:
                return event.message.usage
        return None
