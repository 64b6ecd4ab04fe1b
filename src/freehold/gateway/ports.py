"""What the call machine asks of a dialect and of a provider's driver. Implementations never see each other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol, runtime_checkable

import msgspec

from freehold.core.errors import FreeholdError, UpstreamFailed
from freehold.gateway.messages import Answer, Event, Request
from freehold.ledger.meter import Usage
from freehold.policy.targets import Target


class Peek(msgspec.Struct, frozen=True):
    """What the machine must know of a request without decoding its content."""

    model: str
    stream: bool = False
    max_output: int | None = None
    """Most output tokens the caller asked for, per choice; None where it named no limit."""
    choices: int = 1
    wants_usage: bool = True
    """False where a streaming caller did not ask for usage: it is requested anyway, and stripped."""
    workflow: str = ""
    """`metadata.workflow`, where given."""
    conversation: str = ""
    """What identifies the conversation for stickiness (`user`, `metadata.user_id`, ...), else empty."""
    tools: bool = False
    """True where the request offers tools."""
    structured: bool = False
    """True where the request asks for a JSON schema or JSON object."""
    leans_on: str = ""
    """The field that leans on what one target has kept of earlier calls (`previous_response_id`); empty for none."""
    keeps: bool = False
    """True where the caller asks the target to keep the answer."""
    given: int | None = None
    """Most input tokens it can be, where its bytes tell nothing of that (sound); None where bytes bound them."""
    units: int = 0
    """Most of `unit` that it can be: what is reserved, and charged where the answer does not tell."""
    unit: str = ""
    """One of `ledger.meter.UNITS`."""
    tool: str = ""
    """Name of the tool that is called, of a registered server; empty for anything else."""


class StreamDecoder(Protocol):
    """Bytes of a body in, events out; sans-I/O; any split of the bytes gives the same events."""

    def feed(self, data: bytes) -> list[Event]:
        """Events that are now complete. Raises UpstreamLied on what the protocol does not allow."""

    def end(self) -> list[Event]:
        """The body is over. Raises UpstreamLied where the stream was cut before its end mark."""


class StreamEncoder(Protocol):
    """Events in, bytes of a body out."""

    @property
    def dropped(self) -> tuple[str, ...]:
        """Names of what this dialect could not carry so far."""

    def feed(self, events: Iterable[Event]) -> bytes:
        """The bytes for these events."""


class StreamMeter(Protocol):
    """Reads usage off a stream that is relayed verbatim, looking at no more bytes than it must."""

    def feed(self, data: bytes) -> None:
        """Raw bytes as they came (chunk framing may be among them)."""

    def end(self) -> tuple[Usage | None, bool]:
        """Usage where the stream told it, and whether the stream reached its end mark."""


class StreamStripper(Protocol):
    """Takes out of a relayed stream the usage that was asked for on the gateway's own account; sans-I/O."""

    def feed(self, data: bytes) -> bytes:
        """The bytes to pass on for these bytes of the body (chunk framing removed); may hold some back."""

    def end(self) -> bytes:
        """The body is over: what was held back."""


class InPath(Protocol):
    """What a dialect adds whose path names the model. Its bodies are placed once, so that they tell everything."""

    prefixes: tuple[str, ...]
    """Of the paths it is served at; several dialects may share one."""

    def place(self, path: str, body: bytes) -> bytes | None:
        """The body with the model, and what else only the path says, put in. None where the path is not ours.

        `path` comes with its query. `with_model` takes them out again. A body that is no JSON object stays as it is:
        `peek` refuses it.
        """

    def put(self, body: bytes, model: str, *, stream: bool) -> bytes:
        """The same for a body that was written anew, behind a guard."""

    def upstream(self, model: str, peek: Peek) -> str:
        """What is appended to a target's base path."""


class Dialect(Protocol):
    """One wire protocol, both ways."""

    name: str
    paths: tuple[str, ...]
    """Paths this dialect is served at."""
    upstream_path: str
    """Appended to a target's base path; empty for dialects with `in_path`."""
    in_path: InPath | None
    """None where the body names the model."""
    stream_kind: bytes
    """Media type of its streams."""

    def peek(self, body: bytes) -> Peek:
        """Read what routing needs. Raises MalformedJson or BadRequest; never keeps the body."""

    def with_model(self, body: bytes, peek: Peek, model: str, *, add_usage: bool) -> bytes:
        """The body with the model's name replaced in place, all else byte for byte.

        `add_usage` also asks for usage in the stream, where the caller did not.
        """

    def decode_request(self, body: bytes) -> Request:
        """The neutral form. Raises BadRequest with the path of the field at fault."""

    def encode_request(self, request: Request, model: str) -> tuple[bytes, tuple[str, ...]]:
        """The body for a target, and the names of what was dropped."""

    def decode_answer(self, body: bytes) -> Answer:
        """The neutral form of a whole answer. Raises UpstreamLied."""

    def encode_answer(self, answer: Answer, *, created: int = 0) -> tuple[bytes, tuple[str, ...]]:
        """The body for a caller, and the names of what was dropped. `created`: see `stream_encoder`."""

    def stream_decoder(self) -> StreamDecoder:
        """A new decoder for one stream."""

    def stream_encoder(self, request: Peek, *, created: int = 0) -> StreamEncoder:
        """A new encoder for one stream to a caller who asked with `request`.

        `created` (Unix seconds) is stated where the dialect has such a field and the answer does not tell.
        """

    def stream_meter(self) -> StreamMeter:
        """A new meter for one stream that is relayed verbatim."""

    def stream_stripper(self) -> StreamStripper | None:
        """A new stripper for one stream whose usage the caller did not ask for; None where there is no such thing."""

    def usage(self, body: bytes) -> Usage | None:
        """Usage out of a whole answer. Raises UpstreamLied where the body is not JSON or holds an error."""

    def estimate(self, body: bytes) -> bytes | None:
        """The answer by rule of thumb, where this dialect has one for targets that cannot give it; else None."""

    def error(self, error: FreeholdError, request_id: str) -> tuple[int, bytes]:
        """Status and body of an error in this dialect's own form."""

    def error_event(self, error: FreeholdError, request_id: str) -> bytes:
        """The same inside a stream that has begun."""

    def headers(
        self, request_id: str, limits: Sequence[tuple[str, int, int, float]], now: float
    ) -> list[tuple[bytes, bytes]]:
        """Response headers in this dialect's own form: request id, and rate limits.

        `limits` are (`requests` or `tokens`, limit, remaining, seconds until reset); `now` is Unix seconds.
        """

    def limit_lines(self, limits: Sequence[tuple[str, int, int, float]], now: float) -> bytes:
        """The lines of `headers` for the limits alone, ready for a response head."""


@runtime_checkable
class HeadsErrors(Protocol):
    """A dialect whose errors say in a header what they are."""

    def error_headers(self, error: FreeholdError) -> list[tuple[bytes, bytes]]:
        """The headers of an error that is answered whole."""


class Restore(Protocol):
    """Undoes on the answer what a driver did to the request."""

    def answer(self, answer: Answer) -> Answer:
        """A whole answer, restored."""

    def feed(self, events: list[Event]) -> list[Event]:
        """Events of a stream, restored; may hold some back until the end."""


class Signer(Protocol):
    """Signs each request."""

    def sign(self, target: Target, secret: str, path: str, body: bytes, now: float) -> list[tuple[str, str]]:
        """The headers that sign this body for this path (base path included) at this time (Unix seconds)."""

    def fault(self, target: Target, secret: str) -> str:
        """Why nothing can be signed for this target; empty where it can."""


class Driver(Protocol):
    """How one kind of provider is spoken to: authorisation, paths, failures, and what it cannot do."""

    name: str
    adapts: bool
    """False where `must_adapt` never says yes, so that it need not be asked for each call."""
    signer: Signer | None
    """None where the headers are the same for every request."""

    def headers(self, target: Target, secret: str, dialect: str) -> list[tuple[str, str]]:
        """Headers every call to this target carries: authorisation, versions, the target's own."""

    def forwards(self) -> frozenset[bytes]:
        """Names (lower case) of the caller's headers that go on to this provider."""

    def must_adapt(self, target: Target, peek: Peek) -> bool:
        """True where the request needs `adapt`, so its content must be decoded."""

    def adapt(self, target: Target, request: Request) -> tuple[Request, Restore | None]:
        """The request as this provider can take it. Raises NotTranslatable."""

    def failure(self, status: int, headers: Mapping[bytes, bytes], body: bytes) -> UpstreamFailed:
        """What an answer with an error status means, with the provider's own message (no secrets)."""
