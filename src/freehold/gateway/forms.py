"""Bodies of `multipart/form-data` (RFC 7578), read strictly, changed in place: every byte that is not named here stays.

Invariant: there is one way to cut a body that is accepted into its parts, so that we and the target read the same.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import pairwise

import msgspec

from freehold.core.errors import BadRequest

MOST_PARTS = 64
_BOUNDARY = re.compile(rb"--([0-9A-Za-z'()+_,./:=?-]{1,70})\r\n")
_DECLARED = re.compile(
    rb'multipart/form-data\s*;\s*boundary=(?:"([^"\\]{1,70})"|([^\s;"]{1,70}))\s*(?:;.*)?', re.IGNORECASE
)
_NAME = re.compile(
    rb'form-data(?:;\s*name="([^"\\\r\n]*)")((?:;\s*filename\*?=(?:"[^"\r\n]*"|[^\s;"]+))*)\s*', re.IGNORECASE
)
_FILE = re.compile(rb'filename\*?=(?:"([^"\r\n]*)"|([^\s;"]+))', re.IGNORECASE)
_CHARSET = re.compile(r"(?i)charset(?!\s*=\s*\"?(?:utf-8|us-ascii)\"?\s*(?:;|$))")
_PLAIN = re.compile(rb"[0-9A-Za-z'+_.-]+")
_HEADERS = frozenset({b"content-disposition", b"content-length", b"content-type"})


class Part(msgspec.Struct, frozen=True):
    """One field: its name, where its content stands in the body, and of a file what its caller calls it."""

    name: str
    start: int
    end: int
    files: tuple[str, ...] = ()
    kind: str = ""
    """As declared; may be empty."""

    @property
    def size(self) -> int:
        """Bytes of content."""
        return self.end - self.start


class Form:
    """A body and its parts. Raises BadRequest where it is not plain."""

    def __init__(self, body: bytes) -> None:
        self.body = body
        found = _BOUNDARY.match(body)
        if found is None:
            raise BadRequest("the body is no multipart form", hint="it begins with its boundary, without a preamble")
        self.boundary = found[1]
        self.parts = _parts(body, self.boundary)

    def texts(self, name: str) -> list[str]:
        """What the fields of that name say, files aside. Raises BadRequest for what is not UTF-8."""
        return [self.text(one) for one in self.parts if one.name == name and not one.files]

    def one(self, name: str) -> str:
        """What the only field of that name says; empty where there is none. Raises BadRequest for two."""
        found = self.texts(name)
        if len(found) > 1 or any(one.name == name and one.files for one in self.parts):
            raise BadRequest(f"the form has {name} more than once, or as a file", param=name)
        return found[0] if found else ""

    def flag(self, name: str) -> bool:
        """Does the field of that name say true? Raises BadRequest."""
        return self.one(name).strip().lower() in {"1", "true"}

    def files(self, names: frozenset[str]) -> list[Part]:
        """The files. Raises BadRequest for one of another name: what is sent as a file is not read as a text."""
        found = [one for one in self.parts if one.files]
        odd = next((one.name[:40] for one in found if one.name not in names), None)
        if odd is not None:
            raise BadRequest(f"the form has {odd!r} as a file", param=odd)
        return found

    @property
    def told(self) -> int:
        """Bytes of its texts."""
        return sum(one.size for one in self.parts if not one.files)

    def text(self, part: Part) -> str:
        """What a field says. Raises BadRequest for what is not UTF-8."""
        try:
            return self.body[part.start : part.end].decode()
        except UnicodeDecodeError:
            raise BadRequest(f"the form's {part.name[:40]} is not UTF-8", param=part.name[:40]) from None

    @property
    def kind(self) -> bytes:
        """Its media type, with the boundary."""
        plain = _PLAIN.fullmatch(self.boundary) is not None
        return b"multipart/form-data; boundary=" + (self.boundary if plain else b'"%b"' % self.boundary)

    def rewritten(self, visit: Callable[[Part, str], str]) -> bytes:
        """The body with each text in the place of which `visit` puts another. Raises BadRequest."""
        pieces, at = [], 0
        for one in self.parts:
            if one.files:
                continue
            text = self.text(one)
            new = visit(one, text)
            if new != text:
                content = new.encode("utf-8", "surrogatepass")
                if b"--" + self.boundary in content:
                    raise BadRequest("the form's boundary stands in its content", param=one.name[:40])
                pieces += [self.body[at : one.start], content]
                at = one.end
        return b"".join((*pieces, self.body[at:])) if pieces else self.body


def declared_boundary(kind: bytes) -> bytes:
    """The boundary that a content type declares; empty where it declares no form."""
    found = _DECLARED.fullmatch(kind.strip())
    return b"" if found is None else found[1] or found[2]


def with_field(body: bytes, name: str, new: str) -> bytes:
    """The body with the content of the field of that name replaced. Raises BadRequest."""
    return Form(body).rewritten(lambda part, text: new if part.name == name else text)


def _parts(body: bytes, boundary: bytes) -> tuple[Part, ...]:
    mark, between = b"--" + boundary, b"\r\n--" + boundary
    places = [0]
    while (at := body.find(between, places[-1] + 1)) >= 0:
        places.append(at + 2)
        if len(places) > MOST_PARTS + 1:
            raise BadRequest(f"a form of more than {MOST_PARTS} parts")
    if body.count(mark) != len(places):
        raise BadRequest("the form's boundary stands in its content")
    if body[places[-1] :] not in (mark + b"--\r\n", mark + b"--"):
        raise BadRequest("the form is not whole")
    return tuple(_part(body, start + len(mark), end - 2) for start, end in pairwise(places))


def _part(body: bytes, start: int, end: int) -> Part:
    head_end = body.find(b"\r\n\r\n", start, end)
    if not body.startswith(b"\r\n", start) or head_end < 0:
        raise BadRequest("a part of the form has no head")
    headers: dict[bytes, bytes] = {}
    for line in body[start + 2 : head_end].split(b"\r\n"):
        name, mark, value = line.partition(b":")
        name = name.lower()
        if not mark or name in headers or name not in _HEADERS or b"\n" in value or b"\r" in value:
            said = "a part of the form has a head that is not plain"
            raise BadRequest(said, hint="content-disposition, content-type and content-length are read, each once")
        headers[name] = value.strip()
    named = _NAME.fullmatch(headers.get(b"content-disposition", b""))
    if named is None:
        raise BadRequest("a part of the form has no plain name")
    if named[1].lower() == b"_charset_":  # RFC 7578, section 4.6: it says how all others are to be read
        raise BadRequest("the form names a charset of its own", hint="fields are UTF-8")
    files = tuple((a or b).decode("utf-8", "replace") for a, b in _FILE.findall(named[2]))
    kind = headers.get(b"content-type", b"").decode("latin-1")
    if not named[2] and _CHARSET.search(kind):
        raise BadRequest("a field of the form has a charset other than UTF-8")
    return Part(named[1].decode("utf-8", "replace"), head_end + 4, end, files or (("",) if named[2] else ()), kind)
