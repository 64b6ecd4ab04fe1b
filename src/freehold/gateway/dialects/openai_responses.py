"""OpenAI's responses: https://developers.openai.com/api/reference (responses), read in the SDK's types, 3.54.

Answers that a vendor keeps belong to the target that gave them: a call that leans on one goes nowhere else.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec import Raw

from freehold.core.errors import BadRequest, FreeholdError, UpstreamLied
from freehold.gateway import json_splice
from freehold.gateway.assemble import events_of
from freehold.gateway.dialects import openai_responses_answer, openai_responses_encode, openai_responses_write
from freehold.gateway.dialects import openai_responses_wire as counts
from freehold.gateway.dialects import openai_wire as wire
from freehold.gateway.dialects.openai_responses_decode import request_of
from freehold.gateway.dialects.openai_responses_meter import Meter
from freehold.gateway.dialects.openai_responses_stream import Decoder
from freehold.gateway.dialects.openai_responses_write import Encoder
from freehold.gateway.json_read import BROKEN, Count, from_caller, from_target
from freehold.gateway.messages import Answer, Request
from freehold.gateway.ports import InPath, Peek
from freehold.ledger.meter import Usage

_NONE = (b"", b"null", b"[]")
_ABSENT, _NULL = Raw(b""), Raw(b"null")


class _Metadata(msgspec.Struct):
    workflow: str | None = None


class _Kind(msgspec.Struct):
    type: str | None = None


class _Text(msgspec.Struct):
    format: _Kind | None = None


class _Glance(msgspec.Struct):
    model: str
    input: Raw
    stream: bool | None = None
    max_output_tokens: Count | None = None
    metadata: _Metadata | None = None
    user: str | None = None
    prompt_cache_key: str | None = None
    tools: Raw = _ABSENT
    text: _Text | None = None
    store: bool | None = None
    background: bool | None = None
    previous_response_id: Raw = _NULL
    conversation: Raw = _NULL
    prompt: Raw = _NULL


class _Whole(msgspec.Struct):
    output: Raw = _ABSENT
    usage: counts.Counts | None = None
    error: Raw = _NULL
    status: str = "completed"


_glance = msgspec.json.Decoder(_Glance)
_kinds = msgspec.json.Decoder(list[_Kind])
_whole = msgspec.json.Decoder(_Whole)


class OpenAiResponses:
    """The dialect `openai_responses`."""

    name = "openai_responses"
    paths: tuple[str, ...] = ("/v1/responses",)
    upstream_path = "/responses"
    in_path: InPath | None = None
    stream_kind = b"text/event-stream"

    def peek(self, body: bytes) -> Peek:
        """What routing needs of a request. Usage always stands in these streams."""
        seen = from_caller(_glance, body)
        if seen.background:
            raise BadRequest(
                "background responses are not served here: there is nowhere to fetch them from",
                param="background",
                hint="leave `background` out, and stream the response",
            )
        form = seen.text.format if seen.text is not None else None
        return Peek(
            model=seen.model,
            stream=seen.stream is True,
            max_output=seen.max_output_tokens,
            workflow="" if seen.metadata is None else seen.metadata.workflow or "",
            conversation=seen.prompt_cache_key or seen.user or "",
            tools=bytes(seen.tools) not in _NONE,
            structured=form is not None and (form.type or "").startswith("json"),
            leans_on=_leaning(seen),
            keeps=seen.store is True,
        )

    def with_model(self, body: bytes, peek: Peek, model: str, *, add_usage: bool) -> bytes:
        """The body for a target that speaks the same dialect."""
        return json_splice.with_model(body, peek.model, model)

    def usage(self, body: bytes) -> Usage | None:
        """Usage out of a whole answer."""
        seen = from_target(_whole, body)
        if bytes(seen.error) != b"null" or seen.status not in {"completed", "incomplete"}:
            raise UpstreamLied("the target answered 200 with an error inside")
        if not bytes(seen.output).startswith(b"["):
            raise UpstreamLied("the target's answer holds no output")
        return None if seen.usage is None else counts.usage_of(seen.usage)

    def decode_request(self, body: bytes) -> Request:
        """The neutral form."""
        return request_of(body)

    def encode_request(self, request: Request, model: str) -> tuple[bytes, tuple[str, ...]]:
        """The body for a target."""
        return openai_responses_encode.body_of(request, model)

    def decode_answer(self, body: bytes) -> Answer:
        """The neutral form."""
        return openai_responses_answer.answer_of(body)

    def encode_answer(self, answer: Answer, *, created: int = 0) -> tuple[bytes, tuple[str, ...]]:
        """The body for a caller."""
        return openai_responses_write.body_of(answer, events_of(answer), created)

    def stream_decoder(self) -> Decoder:
        """A decoder for one stream."""
        return Decoder()

    def stream_encoder(self, request: Peek, *, created: int = 0) -> Encoder:
        """An encoder for one stream."""
        return Encoder(created=created)

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

    def error_event(self, error: FreeholdError, request_id: str) -> bytes:
        """An error inside a stream that has begun, in the words of strict clients and of the SDK."""
        return wire.typed_error_event(error)

    def headers(
        self, request_id: str, limits: Sequence[tuple[str, int, int, float]], now: float
    ) -> list[tuple[bytes, bytes]]:
        """`x-request-id` and `x-ratelimit-*`."""
        return wire.headers(request_id, limits)

    def limit_lines(self, limits: Sequence[tuple[str, int, int, float]], now: float) -> bytes:
        """`x-ratelimit-*`, ready for a response head."""
        return wire.limit_lines(limits)


def _leaning(seen: _Glance) -> str:
    """The field that leans on what a target has kept; empty for none."""
    for name in ("previous_response_id", "conversation", "prompt"):
        if bytes(getattr(seen, name)) != b"null":
            return name
    items = bytes(seen.input)
    if b"item_reference" not in items and b"\\u" not in items:
        return ""
    try:
        kinds = _kinds.decode(items)
    except BROKEN:
        return ""
    return "input" if any(one.type == "item_reference" for one in kinds) else ""
