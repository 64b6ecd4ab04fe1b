"""Bedrock's Converse and ConverseStream: the service model of bedrock-runtime 2023-09-30, read in botocore 1.44.

The path names the model and whether to stream; both are put at the body's end, and taken off again before it leaves.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import quote, unquote

import msgspec
from msgspec import Raw

from freehold.core.errors import FreeholdError, UpstreamLied
from freehold.gateway import event_stream
from freehold.gateway.dialects import bedrock_answer, bedrock_encode
from freehold.gateway.dialects import bedrock_wire as wire
from freehold.gateway.dialects.bedrock_decode import request_of
from freehold.gateway.dialects.bedrock_meter import Meter
from freehold.gateway.dialects.bedrock_parts import NAME
from freehold.gateway.dialects.bedrock_stream import Decoder
from freehold.gateway.dialects.bedrock_write import Encoder
from freehold.gateway.json_read import Count, from_caller, from_target
from freehold.gateway.json_splice import joined, members
from freehold.gateway.messages import Answer, Request
from freehold.gateway.ports import InPath, Peek
from freehold.ledger.meter import Usage

_EMPTY_OBJECT = re.compile(rb"\s*\{\s*\}\s*")
_encode = msgspec.json.Encoder().encode


class _Limits(msgspec.Struct):
    maxTokens: Count | None = None  # noqa: N815 - the wire's name


class _Output(msgspec.Struct):
    textFormat: Raw = Raw(b"null")  # noqa: N815 - the wire's name


class _Metadata(msgspec.Struct):
    workflow: str | None = None


class _Glance(msgspec.Struct):
    model: str
    stream: bool = False
    inferenceConfig: _Limits | None = None  # noqa: N815 - the wire's name
    toolConfig: Raw = Raw(b"null")  # noqa: N815 - the wire's name
    outputConfig: _Output | None = None  # noqa: N815 - the wire's name
    requestMetadata: _Metadata | None = None  # noqa: N815 - the wire's name


class _Message(msgspec.Struct):
    content: Raw = Raw(b"")


class _Told(msgspec.Struct):
    message: _Message | None = None


class _Whole(msgspec.Struct):
    output: _Told | None = None
    usage: wire.Counts | None = None


_glance = msgspec.json.Decoder(_Glance)
_whole = msgspec.json.Decoder(_Whole)


class ConversePath:
    """`/model/MODEL/converse` and `/model/MODEL/converse-stream`; the model is percent-encoded."""

    prefixes: tuple[str, ...] = ("/model/",)

    def place(self, path: str, body: bytes) -> bytes | None:
        """The body with `model` and `stream` at its end. What is no object stays as it is."""
        plain = path.partition("?")[0]
        model, mark, verb = plain.removeprefix("/model/").rpartition("/")
        if not mark or not model or verb not in {"converse", "converse-stream"}:
            return None
        return self.put(body, unquote(model), stream=verb != "converse")

    def put(self, body: bytes, model: str, *, stream: bool) -> bytes:
        """The same for a model that is known."""
        end = body.rfind(b"}")
        if end < 0 or body[end + 1 :].strip() or body.lstrip()[:1] != b"{":
            return body
        tail = _tail(model, stream=stream)
        return b"".join((body[:end], tail[1:] if _EMPTY_OBJECT.fullmatch(body) else tail, body[end:]))

    def upstream(self, model: str, peek: Peek) -> str:
        """The path at the vendor."""
        return f"/model/{quote(model, safe='')}/converse{'-stream' if peek.stream else ''}"


class BedrockConverse:
    """The dialect `bedrock_converse`."""

    name = NAME
    paths: tuple[str, ...] = ()
    upstream_path = ""
    in_path: InPath | None = ConversePath()
    stream_kind = event_stream.KIND

    def peek(self, body: bytes) -> Peek:
        """What routing needs of a request. Usage always stands in these streams."""
        seen = from_caller(_glance, body)
        limits, output, metadata = seen.inferenceConfig, seen.outputConfig, seen.requestMetadata
        return Peek(
            model=seen.model,
            stream=seen.stream,
            max_output=None if limits is None else limits.maxTokens,
            workflow="" if metadata is None else metadata.workflow or "",
            tools=bytes(seen.toolConfig) != b"null",
            structured=output is not None and bytes(output.textFormat) != b"null",
        )

    def with_model(self, body: bytes, peek: Peek, model: str, *, add_usage: bool) -> bytes:
        """The body as it came: `model` goes into the path."""
        tail = _tail(peek.model, stream=peek.stream)
        for one in (tail, tail[1:]):
            before, _, after = body.rpartition(one)
            if before and after.strip() == b"}":
                return before + after
        kept = [pair for pair in members(body).items() if pair[0] not in {"model", "stream"}]  # written anew since
        return joined(kept)

    def usage(self, body: bytes) -> Usage | None:
        """Usage out of a whole answer."""
        seen = from_target(_whole, body)
        message = None if seen.output is None else seen.output.message
        if message is None or not bytes(message.content).startswith(b"["):
            raise UpstreamLied("the target's answer holds no message")
        return None if seen.usage is None else wire.usage_of(seen.usage)

    def decode_request(self, body: bytes) -> Request:
        """The neutral form."""
        return request_of(body)

    def encode_request(self, request: Request, model: str) -> tuple[bytes, tuple[str, ...]]:
        """The body for a target."""
        return bedrock_encode.body_of(request, model)

    def decode_answer(self, body: bytes) -> Answer:
        """The neutral form."""
        return bedrock_answer.answer_of(body)

    def encode_answer(self, answer: Answer, *, created: int = 0) -> tuple[bytes, tuple[str, ...]]:
        """The body for a caller; this dialect tells no time."""
        return bedrock_answer.body_of(answer)

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
        """Status and body; the request id goes in a header."""
        return wire.error_body(error)

    def error_headers(self, error: FreeholdError) -> list[tuple[bytes, bytes]]:
        """`x-amzn-errortype`, by which SDKs choose an exception."""
        return [(wire.ERROR_TYPE, wire.error_type(error).encode())]

    def error_event(self, error: FreeholdError, request_id: str) -> bytes:
        """An exception inside a stream that has begun."""
        return wire.error_event(error)

    def headers(
        self, request_id: str, limits: Sequence[tuple[str, int, int, float]], now: float
    ) -> list[tuple[bytes, bytes]]:
        """`x-amzn-requestid`; the vendor tells no limits."""
        return wire.headers(request_id)

    def limit_lines(self, limits: Sequence[tuple[str, int, int, float]], now: float) -> bytes:
        """Nothing."""
        return b""


def _tail(model: str, *, stream: bool) -> bytes:
    """What is put before the last brace of a body."""
    return b',"model":%b,"stream":%b' % (_encode(model), b"true" if stream else b"false")
