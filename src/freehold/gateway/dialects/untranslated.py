"""Base of the dialects that stand alone: their content has no form in another dialect, so it is relayed or refused."""

from __future__ import annotations

from freehold.core.errors import NotTranslatable
from freehold.gateway.messages import Answer, Request
from freehold.gateway.ports import Peek, StreamDecoder, StreamEncoder, StreamMeter, StreamStripper


class Untranslated:
    """What a Dialect must offer for translation, refused."""

    name: str

    def decode_request(self, body: bytes) -> Request:
        """Raises NotTranslatable."""
        raise self._refusal()

    def encode_request(self, request: Request, model: str) -> tuple[bytes, tuple[str, ...]]:
        """Raises NotTranslatable."""
        raise self._refusal()

    def decode_answer(self, body: bytes) -> Answer:
        """Raises NotTranslatable."""
        raise self._refusal()

    def encode_answer(self, answer: Answer, *, created: int = 0) -> tuple[bytes, tuple[str, ...]]:
        """Raises NotTranslatable."""
        raise self._refusal()

    def stream_decoder(self) -> StreamDecoder:
        """Raises NotTranslatable."""
        raise self._refusal()

    def stream_encoder(self, request: Peek, *, created: int = 0) -> StreamEncoder:
        """Raises NotTranslatable."""
        raise self._refusal()

    def estimate(self, body: bytes) -> bytes | None:
        """None: an answer cannot be guessed."""
        return None

    def stream_meter(self) -> StreamMeter:
        """Raises NotTranslatable: its answers do not stream."""
        raise self._refusal()

    def stream_stripper(self) -> StreamStripper | None:
        """None: its answers do not stream."""
        return None

    def _refusal(self) -> NotTranslatable:
        return NotTranslatable(f"{self.name} has no form in another dialect", param="model")
