"""Gemini's generateContent: https://ai.google.dev/api/generate-content, read in the official SDK's types, 3.4.

The path names the model and says whether to stream, as server-sent events or as one JSON array that grows.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec
from msgspec import Raw

from freehold.core.errors import FreeholdError, UpstreamLied
from freehold.gateway.dialects import gemini_encode, gemini_path, gemini_stream, gemini_write
from freehold.gateway.dialects import gemini_wire as wire
from freehold.gateway.dialects.gemini_decode import request_of
from freehold.gateway.dialects.gemini_meter import Meter, chunk_decoder
from freehold.gateway.dialects.gemini_stream import Decoder
from freehold.gateway.dialects.gemini_write import Encoder
from freehold.gateway.json_read import Count, from_caller, from_target
from freehold.gateway.messages import Answer, Event, Request
from freehold.gateway.ports import InPath, Peek
from freehold.ledger.meter import Usage

WHOLE, STREAM = "generateContent", "streamGenerateContent"
_NONE = (b"", b"null", b"[]")
_ABSENT, _NULL = Raw(b""), Raw(b"null")


class _Config(msgspec.Struct):
    """Both spellings of each name: a limit that was overlooked would be money."""

    limit: Count | None = msgspec.field(default=None, name="maxOutputTokens")
    limit_: Count | None = msgspec.field(default=None, name="max_output_tokens")
    choices: Count | None = msgspec.field(default=None, name="candidateCount")
    choices_: Count | None = msgspec.field(default=None, name="candidate_count")
    kind: str | None = msgspec.field(default=None, name="responseMimeType")
    kind_: str | None = msgspec.field(default=None, name="response_mime_type")


class _Labels(msgspec.Struct):
    workflow: str | None = None


class _Glance(msgspec.Struct):
    model: str
    contents: Raw
    stream: bool = False
    tools: Raw = _ABSENT
    labels: _Labels | None = None
    config: _Config | None = msgspec.field(default=None, name="generationConfig")
    config_: _Config | None = msgspec.field(default=None, name="generation_config")
    cached: Raw = msgspec.field(default=_NULL, name="cachedContent")
    cached_: Raw = msgspec.field(default=_NULL, name="cached_content")


_glance = msgspec.json.Decoder(_Glance)


class _Place:
    """`InPath` of the verbs that generate."""

    prefixes: tuple[str, ...] = gemini_path.PREFIXES

    def __init__(self, *, array: bool) -> None:
        self._array = array

    def place(self, path: str, body: bytes) -> bytes | None:
        """The body with the model, and whether to stream, put in."""
        model, verb, sse = gemini_path.asked(path)
        stream = verb == STREAM
        if verb not in {WHOLE, STREAM} or self._array != (stream and not sse):
            return None
        return self.put(body, model, stream=stream)

    def put(self, body: bytes, model: str, *, stream: bool) -> bytes:
        """The same for a body that was written anew."""
        return gemini_path.put(body, model, stream=stream)

    def upstream(self, model: str, peek: Peek) -> str:
        """The path after a target's base path; streams always come as events."""
        return gemini_path.upstream_of(model, f"{STREAM}?alt=sse" if peek.stream else WHOLE)


class Gemini:
    """The dialect `gemini`."""

    name = wire.NAME
    paths: tuple[str, ...] = ()
    upstream_path = ""
    in_path: InPath | None = _Place(array=False)
    stream_kind = b"text/event-stream"

    def peek(self, body: bytes) -> Peek:
        """What routing needs of a request. Usage always stands in these streams."""
        seen = from_caller(_glance, body)
        config, other = seen.config or _Config(), seen.config_ or _Config()
        limits = [one for one in (config.limit, config.limit_, other.limit, other.limit_) if one is not None]
        counts = [one for one in (config.choices, config.choices_, other.choices, other.choices_) if one is not None]
        kinds = [config.kind, config.kind_, other.kind, other.kind_]
        kept = any(bytes(one) != b"null" for one in (seen.cached, seen.cached_))
        return Peek(
            model=seen.model,
            stream=seen.stream,
            max_output=max(limits, default=None),
            choices=max([1, *counts]),
            workflow="" if seen.labels is None else seen.labels.workflow or "",
            tools=bytes(seen.tools) not in _NONE,
            structured="application/json" in kinds,
            leans_on="cachedContent" if kept else "",
        )

    def with_model(self, body: bytes, peek: Peek, model: str, *, add_usage: bool) -> bytes:
        """The body for a target that speaks the same dialect: what the caller sent."""
        return gemini_path.taken_off(body, peek.model, stream=peek.stream)

    def usage(self, body: bytes) -> Usage | None:
        """Usage out of a whole answer."""
        seen = from_target(chunk_decoder, body)
        if bytes(seen.error) != b"null":
            raise UpstreamLied("the target answered 200 with an error inside")
        if not seen.candidates and seen.feedback is None:
            raise UpstreamLied("the target's answer holds no candidates")
        return None if seen.usage is None else wire.usage_of(seen.usage)

    def decode_request(self, body: bytes) -> Request:
        """The neutral form."""
        return request_of(body)

    def encode_request(self, request: Request, model: str) -> tuple[bytes, tuple[str, ...]]:
        """The body for a target; the model stands in the path."""
        return gemini_encode.body_of(request)

    def decode_answer(self, body: bytes) -> Answer:
        """The neutral form."""
        return gemini_stream.answer_of(body)

    def encode_answer(self, answer: Answer, *, created: int = 0) -> tuple[bytes, tuple[str, ...]]:
        """The body for a caller; this dialect tells no time."""
        return gemini_write.body_of(answer)

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

    def error_event(self, error: FreeholdError, request_id: str) -> bytes:
        """An error inside a stream that has begun."""
        return wire.error_event(error)

    def headers(
        self, request_id: str, limits: Sequence[tuple[str, int, int, float]], now: float
    ) -> list[tuple[bytes, bytes]]:
        """The request id."""
        return wire.headers(request_id)

    def limit_lines(self, limits: Sequence[tuple[str, int, int, float]], now: float) -> bytes:
        """Nothing: this API tells no limits in headers."""
        return b""


class ArrayEncoder(Encoder):
    """The same answers as the items of one JSON array."""

    def __init__(self) -> None:
        super().__init__()
        self._begun = False

    def feed(self, events: Iterable[Event]) -> bytes:
        """The bytes for these events."""
        found = b""
        for one in self.chunks(events):
            found += (b",\r\n" if self._begun else b"[") + one
            self._begun = True
        return found + b"]" if self.over else found


class GeminiArray(Gemini):
    """The dialect `gemini_array`: streams without `alt=sse`. Only callers speak it, targets are asked for events."""

    name = "gemini_array"
    in_path: InPath | None = _Place(array=True)
    stream_kind = b"application/json"

    def stream_encoder(self, request: Peek, *, created: int = 0) -> ArrayEncoder:
        """An encoder for one stream."""
        return ArrayEncoder()

    def error_event(self, error: FreeholdError, request_id: str) -> bytes:
        """An error inside an array that has begun, which it leaves open."""
        return b",\r\n" + wire.error_body(error)[1] + b"\n\n"
