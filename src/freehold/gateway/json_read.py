"""Typed JSON decoding whose failures are ours: the caller's fault on the way in, the target's on the way out."""

from __future__ import annotations

import re
from typing import Annotated, TypeVar

import msgspec

from freehold.core.errors import BadRequest, MalformedJson, UpstreamLied

T = TypeVar("T")

Count = Annotated[int, msgspec.Meta(ge=0, le=1 << 53)]
"""A number of tokens or alternatives; JSON numbers are exact up to 2**53 (RFC 8259, section 6)."""

BROKEN = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""All that decoding JSON may raise; msgspec.ValidationError (right JSON, wrong shape) is a DecodeError."""

_MISSING = re.compile(r"missing required field `([^`]+)`(?: - at `\$\.?([^`]*)`)?")
_PLACE = re.compile(r" - at `\$\.?([^`]*)`")


def from_caller(decoder: msgspec.json.Decoder[T], body: bytes) -> T:
    """Decode a request. Raises MalformedJson, or BadRequest with the field at fault as `param`."""
    try:
        if not body.isascii():
            body.decode()  # what is skipped below is not checked for UTF-8
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        raise at_fault(error) from None
    except BROKEN as error:
        raise MalformedJson(f"the body is not valid JSON: {_first(error)}") from None


def from_target(decoder: msgspec.json.Decoder[T], body: bytes) -> T:
    """Decode what a target sent. Raises UpstreamLied; the message quotes none of the content."""
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        message, _ = _told(str(error))
        raise UpstreamLied(f"the target's answer has the wrong shape: {message}") from None
    except BROKEN as error:
        raise UpstreamLied(f"the target's answer is not valid JSON: {_first(error)}") from None


def at_fault(error: msgspec.ValidationError) -> BadRequest:
    """A validation failure as the caller's error."""
    message, param = _told(str(error))
    return BadRequest(message, param=param)


def _told(text: str) -> tuple[str, str | None]:
    missing = _MISSING.search(text)
    if missing is not None:
        field = ".".join(part for part in (missing[2], missing[1]) if part)
        return f"missing required field '{field}'", field
    place = _PLACE.search(text)
    said = _PLACE.sub("", text).replace("`", "'")
    if place is None or not place[1]:
        return said, None
    return f"{said} at '{place[1]}'", place[1]


def _first(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "nested too deeply"
    if isinstance(error, UnicodeDecodeError):
        return f"not UTF-8 at byte {error.start}"
    return str(error)
