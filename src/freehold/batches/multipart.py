"""`multipart/form-data` as its parts (RFC 7578, RFC 2046). Pure; what is not well-formed is refused, never guessed."""

from __future__ import annotations

import re

import msgspec

from freehold.core.errors import BadRequest, WrongContentType

_BOUNDARY = re.compile(r"""multipart/form-data\s*;.*?\bboundary=(?:"([^"]{1,70})"|([^\s;"]{1,70}))""", re.IGNORECASE)
_PARAMETER = re.compile(r"""[;\s](name|filename)="((?:[^"\\]|\\.)*)\"""", re.IGNORECASE)
MOST_PARTS = 64


class Part(msgspec.Struct, frozen=True):
    """One field of a form. `filename` is None where it is no file."""

    name: str
    filename: str | None
    data: bytes


def parts_of(kind: str, body: bytes) -> list[Part]:
    """The parts of a body with this content type. Raises WrongContentType, BadRequest."""
    found = _BOUNDARY.match(kind.strip())
    if found is None:
        raise WrongContentType("a file is sent as multipart/form-data with a boundary", hint="send the field `file`")
    mark = b"\r\n--" + (found[1] or found[2]).encode("latin-1")
    pieces = (b"\r\n" + body).split(mark, MOST_PARTS + 2)
    if len(pieces) > MOST_PARTS + 2:
        raise BadRequest(f"a form of more than {MOST_PARTS} parts")
    if len(pieces) < 2 or not pieces[-1].startswith(b"--"):
        raise BadRequest("the form does not end with its boundary: it was cut, or the boundary is not the declared one")
    return [_part(one) for one in pieces[1:-1]]


def _part(piece: bytes) -> Part:
    padding, _, rest = piece.partition(b"\r\n")
    head, gap, data = rest.partition(b"\r\n\r\n")
    if padding.strip(b" \t") or not gap:
        raise BadRequest("a part of the form has no head of its own")
    for line in head.decode("utf-8", "replace").split("\r\n"):
        name, _, value = line.partition(":")
        if name.strip().lower() == "content-disposition":
            told = {key.lower(): re.sub(r"\\(.)", r"\1", text) for key, text in _PARAMETER.findall(value)}
            if "name" in told:
                return Part(told["name"], told.get("filename"), data)
    raise BadRequest("a part of the form has no name")
