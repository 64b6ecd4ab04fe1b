"""Changing one member of a JSON object in place: every byte that is not named here stays as the caller wrote it.

The body must be a valid JSON object (a typed decode has said so). Invariant: whatever duplicates and escapes the
text holds, a reader that takes the last and one that takes the first of two equal keys see the same new value.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import msgspec
from msgspec import Raw

_encode = msgspec.json.Encoder().encode
_members = msgspec.json.Decoder(dict[str, Raw])

_MODEL = b'"model"'
_SPACE = re.compile(rb"[ \t\r\n]*:[ \t\r\n]*")
_USAGE_OPTION = b'"stream_options":{"include_usage":true}'
_ESCAPED_OPTION = (b"\\u005", b"\\u006", b"\\u007")
"""The escapes that could spell a letter of `stream_options` (all are U+005F to U+0074)."""


def members(body: bytes | Raw) -> dict[str, Raw]:
    """The members of a JSON object, each with its bytes; the last of equal keys counts.

    Raises msgspec.DecodeError where it is none.
    """
    return _members.decode(body)


def joined(pairs: Iterable[tuple[str, bytes | Raw]]) -> bytes:
    """A JSON object of members that are JSON already."""
    return b"{" + b",".join(_encode(key) + b":" + bytes(value) for key, value in pairs) + b"}"


def with_model(body: bytes, old: str, new: str) -> bytes:
    """The body with its top-level `model` (known to be `old`) saying `new`.

    The short way needs `"model"` to stand in the body once and no escape that could spell the key another way (its
    letters are U+0064 to U+006F). A string value cannot hold the seven bytes: its quotes are escaped. So the one
    place is the key.
    """
    at = body.find(_MODEL)
    if at >= 0 and body.find(_MODEL, at + 7) < 0 and (92 not in body or body.find(b"\\u006") < 0):
        said = _encode(old)
        if body.startswith(said, at + 8) and body[at + 7] == 58:  # `:` and no space
            start = at + 8
        else:
            gap = _SPACE.match(body, at + 7)
            start = gap.end() if gap is not None and body.startswith(said, gap.end()) else 0
        if start:
            return b"".join((body[:start], _encode(new), body[start + len(said) :]))
    found = members(body)
    found["model"] = Raw(_encode(new))
    return joined(found.items())


def with_usage_asked(body: bytes) -> bytes:
    """The body with `stream_options.include_usage` true; the options' other members stay."""
    if b"stream_options" not in body and (b"\\" not in body or not any(mark in body for mark in _ESCAPED_OPTION)):
        end = body.rstrip()[:-1]
        return end + b"," + _USAGE_OPTION + b"}"
    found = members(body)
    options = found.get("stream_options")
    inner = {} if options is None or bytes(options) == b"null" else members(options)
    inner["include_usage"] = Raw(b"true")
    found["stream_options"] = Raw(joined(inner.items()))
    return joined(found.items())
