"""OpenAI's transcriptions and translations of sound: a form in, a text out. Read in the SDK's types, 3.54 (audio)."""

from __future__ import annotations

import re

import msgspec
from msgspec import Raw

from freehold.core.errors import BadRequest, UpstreamLied
from freehold.gateway.dialects.relayed import Relayed
from freehold.gateway.dialects.relayed_meter import Meter, Spent, usage_of
from freehold.gateway.forms import Form, with_field
from freehold.gateway.json_read import from_target
from freehold.gateway.ports import Peek
from freehold.ledger.meter import Usage

LEAST_BYTES_A_SECOND = 750
"""No codec that is taken (Opus at 6 kbit/s is the leanest, RFC 6716, section 2) needs fewer for a second of speech."""
TOKENS_A_SECOND = 20
"""Above what OpenAI counts for a second of sound (some ten) and for what is said in it (some four)."""
_FILES = frozenset({"file"})
_ENDS = frozenset({"transcript.text.done"})
_TIMES = re.compile(rb"--> *(?:(\d+):)?(\d\d):(\d\d)[.,](\d{3})")


class _Whole(msgspec.Struct):
    text: Raw = Raw(b"null")
    duration: float | None = None
    usage: Spent | None = None
    error: Raw = Raw(b"null")


_whole = msgspec.json.Decoder(_Whole)


class OpenAiTranscriptions(Relayed):
    """The dialect `openai_transcriptions`."""

    name = "openai_transcriptions"
    paths: tuple[str, ...] = ("/v1/audio/transcriptions",)
    upstream_path = "/audio/transcriptions"

    def peek(self, body: bytes) -> Peek:
        """What routing needs. Raises BadRequest for a form that is not plain, or without a model or a file."""
        form = Form(body)
        model = form.one("model")
        if not model:
            raise BadRequest("missing required field 'model'", param="model")
        seconds = sum(_seconds(form, part.start, part.end) for part in form.files(_FILES))
        if not seconds:
            raise BadRequest("the form holds no sound", param="file")
        return Peek(
            model=model,
            stream=form.flag("stream"),
            max_output=TOKENS_A_SECOND * seconds,
            given=TOKENS_A_SECOND * seconds + form.told,
            units=seconds,
            unit="second",
        )

    def with_model(self, body: bytes, peek: Peek, model: str, *, add_usage: bool) -> bytes:
        """The form for a target that speaks the same dialect."""
        return with_field(body, "model", model)

    def usage(self, body: bytes) -> Usage | None:
        """Tokens or seconds as told, or as the times of subtitles tell; nothing where the answer is text alone."""
        if not body.lstrip().startswith(b"{"):
            return _of_times(body)
        seen = from_target(_whole, body)
        if bytes(seen.error) != b"null":
            raise UpstreamLied("the target answered 200 with an error inside")
        if not bytes(seen.text).startswith(b'"'):
            raise UpstreamLied("the target's answer holds no text")
        found = usage_of(seen.usage)
        if found.units or not seen.duration:
            return found
        return usage_of(Spent(input_tokens=found.input, output_tokens=found.output, seconds=seen.duration))

    def stream_meter(self) -> Meter:
        """A meter for one relayed stream."""
        return Meter(_ENDS)


class OpenAiTranslations(OpenAiTranscriptions):
    """The dialect `openai_translations`: the same, with the text in English."""

    name = "openai_translations"
    paths: tuple[str, ...] = ("/v1/audio/translations",)
    upstream_path = "/audio/translations"


def _seconds(form: Form, start: int, end: int) -> int:
    """Most seconds of sound these bytes can be; of a plain WAV exactly, by the rate in its head (RFC 2361)."""
    head = form.body[start : start + 32]
    rate = int.from_bytes(head[28:32], "little") if head[:4] == b"RIFF" and head[8:16] == b"WAVEfmt " else 0
    return -(-(end - start) // max(rate, LEAST_BYTES_A_SECOND))


def _of_times(body: bytes) -> Usage:
    """Seconds up to the end of the last subtitle; nothing where there is none."""
    last = 0
    for hours, minutes, seconds, more in _TIMES.findall(body):
        last = max(last, int(hours or 0) * 3600 + int(minutes) * 60 + int(seconds) + (int(more) > 0))
    return Usage(units=last, unit="second" if last else "")
