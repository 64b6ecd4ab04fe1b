"""OpenAI's speech: text in, sound out as it comes. Read in the SDK's types, 3.54 (audio/speech)."""

from __future__ import annotations

import msgspec

from freehold.core.errors import FreeholdError
from freehold.gateway.dialects.relayed import Relayed
from freehold.gateway.dialects.relayed_meter import Meter, Passing
from freehold.gateway.json_read import from_caller
from freehold.gateway.ports import Peek, StreamMeter
from freehold.ledger.meter import Usage

TOKENS_PER_CHARACTER = 2
"""Reserved for speech sold by tokens: slow speech is ten characters a second, and a second some twenty tokens."""


class _Glance(msgspec.Struct):
    model: str
    input: str


_glance = msgspec.json.Decoder(_Glance)


class OpenAiSpeech(Relayed):
    """The dialect `openai_speech`. Its answers are passed on as they come, whatever kind of sound they are."""

    name = "openai_speech"
    paths: tuple[str, ...] = ("/v1/audio/speech",)
    upstream_path = "/audio/speech"
    stream_kind = b""

    def peek(self, body: bytes) -> Peek:
        """What routing needs: every answer is a stream."""
        seen = from_caller(_glance, body)
        many = len(seen.input)
        return Peek(
            model=seen.model,
            stream=True,
            max_output=TOKENS_PER_CHARACTER * many,
            units=many,
            unit="character",
        )

    def usage(self, body: bytes) -> Usage | None:
        """Nothing is told: what was asked for is charged."""
        return Usage()

    def error_event(self, error: FreeholdError, request_id: str) -> bytes:
        """Nothing: no error can be told inside of sound, and the cut is told by the framing."""
        return b""

    def stream_meter(self) -> StreamMeter:
        """A meter for one relayed stream."""
        return _Either()


class _Either:
    """Sound, or events that hold sound: the first bytes tell which."""

    __slots__ = ("_meter",)

    def __init__(self) -> None:
        self._meter: StreamMeter | None = None

    def feed(self, data: bytes) -> None:
        """Raw bytes as they came."""
        if self._meter is None and data:
            events = data.lstrip().startswith((b"data:", b"event:"))
            self._meter = Meter(frozenset({"speech.audio.done"})) if events else Passing()
        if self._meter is not None:
            self._meter.feed(data)

    def end(self) -> tuple[Usage | None, bool]:
        """As the one that was chosen says; nothing at all is no answer."""
        return (None, False) if self._meter is None else self._meter.end()
