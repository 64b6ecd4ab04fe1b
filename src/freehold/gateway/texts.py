"""Every text of a request that a model would read, one after the other, and the request with others in their place.

One walk does both, so that the texts that were judged are those that are replaced. Pure. What cannot be read (images,
sound, tokens) is counted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec
from msgspec import Raw
from msgspec.structs import replace

from freehold.core.errors import BadRequest, NotTranslatable
from freehold.gateway.errors import GuardBlocked
from freehold.gateway.forms import Form
from freehold.gateway.json_fields import JSON_TEXT
from freehold.gateway.json_read import BROKEN
from freehold.gateway.json_splice import joined, members
from freehold.gateway.json_texts import is_sealed, rewritten
from freehold.gateway.media import FORMS, names_in
from freehold.gateway.messages import (
    Extra,
    Image,
    Opaque,
    Part,
    Redacted,
    Refusal,
    Request,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolResult,
    Turn,
)
from freehold.gateway.ports import Dialect
from freehold.gateway.unplaced import unplaced
from freehold.guard.types import Piece, Source

Visit = Callable[[str, Source], str]
"""Takes a text and who wrote it, and gives what is to stand in its place."""

_SOURCES: dict[str, Source] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "assistant": "assistant",
    "function": "tool",
}
_DOCUMENTS = frozenset(
    {"document", "file", "input_file", "search_result", "searchResult", "web_search_tool_result", "container_upload"}
)
_UNREAD = frozenset({"data", "file_data"})
"""Members that hold a file's bytes in base64, where their object says so."""
_BYTES = "bytes"
"""The same in a `source`."""
_HELD = frozenset({"inlineData", "input_audio"})
"""Members that hold such an object."""
_TECHNICAL = frozenset({"model", "dimensions", "encoding_format"})
"""Members of a request in a dialect without a neutral form that no model reads."""


class Read:
    """What a walk met besides texts."""

    def __init__(self) -> None:
        self.unread = 0
        """Images, sound and files whose content no detector of texts can look at."""
        self.tokens = False
        """Was text sent as numbers of tokens?"""
        self.opaque: set[str] = set()
        """What is said to be base64: bytes of images and files, signatures."""
        self.ids: set[str] = set()
        """Ids of calls of tools."""
        self.visited: set[str] = set()
        """Strings whose inner texts were visited one by one."""


class Gather:
    """A visit that notes the texts down and leaves them as they are."""

    def __init__(self) -> None:
        self.pieces: list[Piece] = []
        self.turn = -1
        """The turn being walked; -1 outside of turns."""
        self.turns: list[int] = []
        """The turn of each piece."""

    def __call__(self, text: str, source: Source) -> str:
        """Note it."""
        self.pieces.append(Piece(text, source))
        self.turns.append(self.turn)
        return text


class Fill:
    """A visit that gives other texts, in the order of the walk."""

    def __init__(self, texts: Iterable[str]) -> None:
        self._texts = iter(texts)

    def __call__(self, text: str, source: Source) -> str:
        """The next one."""
        return next(self._texts)


class Walk:
    """One walk over one request."""

    def __init__(self, visit: Visit, read: Read | None = None) -> None:
        self._visit = visit
        self._read = read or Read()

    def request(self, request: Request) -> Request:
        """The request with what the visit gave."""
        turns = []
        for number, turn in enumerate(request.turns):
            if isinstance(self._visit, Gather):
                self._visit.turn = number
            turns.append(self._turn(turn))
        if isinstance(self._visit, Gather):
            self._visit.turn = -1
        form = request.format
        return replace(
            request,
            turns=tuple(turns),
            tools=tuple(self._tool(one) for one in request.tools),
            format=form
            and replace(
                form, schema=self._raw(form.schema, "system"), description=self._text(form.description, "system")
            ),
            stop=tuple(self._text(one, "system") for one in request.stop),
            user=self._text(request.user, "system"),
            extra=self._extra(request.extra, "system"),
        )

    def body(self, body: bytes) -> bytes:
        """The same for a request that has no neutral form; what no visit changed stays byte for byte."""
        found = members(body)
        changed = False
        for name, value in found.items():
            if name in _TECHNICAL:
                continue
            new = self._raw(value, "user")
            if name == "input" and _has_numbers(value):
                self._read.tokens = True
            if new is not value:
                found[name] = new
                changed = True
        return joined(found.items()) if changed else body

    def form(self, form: Form) -> bytes:
        """The same for a form: its fields' texts are read, files are counted."""
        self._read.unread += sum(1 for one in form.parts if one.files)
        return form.rewritten(lambda part, text: text if part.name in _TECHNICAL else self._text(text, "user"))

    def _turn(self, turn: Turn) -> Turn:
        source = _SOURCES.get(turn.role, "user")
        return replace(
            turn,
            parts=tuple(self._part(one, source) for one in turn.parts),
            name=self._text(turn.name, source),
            extra=self._extra(turn.extra, source),
        )

    def _part(self, part: Part, source: Source) -> Part:
        match part:
            case Text():
                extra, citations = self._extra(part.extra, source), self._raws(part.citations, source)
                text = self._inner(part, source) if _is_json(part) else self._text(part.text, source)
                return replace(part, text=text, citations=citations, extra=extra)
            case Refusal():
                return replace(part, text=self._text(part.text, source))
            case Thinking():
                self._read.opaque.add(part.signature)
                return replace(part, text=self._text(part.text, source), extra=self._extra(part.extra, source))
            case ToolCall():
                self._read.ids.add(part.id)
                self._read.opaque.add(part.signature)
                self._read.visited.add(part.arguments)
                arguments = rewritten(part.arguments, lambda text: self._visit(text, source))
                return replace(part, arguments=arguments, extra=self._extra(part.extra, source))
            case ToolResult():
                self._read.ids.add(part.id)
                inner: Any = tuple(self._part(one, "tool") for one in part.parts)
                return replace(part, parts=inner, extra=self._extra(part.extra, "tool"))
            case Image():
                self._read.unread += 1
                self._read.opaque |= {part.data, f"data:{part.media_type};base64,{part.data}"}
                return replace(part, url=self._text(part.url, source), extra=self._extra(part.extra, source))
            case Opaque() if part.kind == "tokens":
                self._read.tokens = True
                return part
            case Opaque() if part.kind.endswith("_output"):
                return self._opaque(part, "tool")
            case Opaque():
                return self._opaque(part, "document" if part.kind in _DOCUMENTS and source != "tool" else source)
            case Redacted():
                self._read.opaque.add(part.data)
                return part

    def _inner(self, part: Text, source: Source) -> str:
        """A text that is JSON in its dialect: the texts in it, one by one."""
        self._read.visited.add(part.text)
        return rewritten(part.text, lambda text: self._visit(text, source))

    def _opaque(self, part: Opaque, source: Source) -> Opaque:
        """A part of a kind that only its dialect knows: all its texts, but not the bytes of a file in it."""
        try:
            held = members(part.raw)
        except BROKEN:
            return replace(part, raw=self._raw(part.raw, source))
        bytes_of = "file_data" if part.kind == "input_file" and "file_data" in held else ""
        if bytes_of:
            self._read.unread += 1
            self._read.opaque.add(_string(held[bytes_of]))
        new = {name: one if name == bytes_of else self._member(name, one, source) for name, one in held.items()}
        same = all(new[name] is value for name, value in held.items())
        return part if same else replace(part, raw=Raw(joined(new.items())))

    def _member(self, name: str, value: Raw, source: Source) -> Raw:
        """A member of such a part; one that is an object itself is where files stand."""
        if not bytes(value).lstrip().startswith(b"{"):
            return self._raw(value, source)
        inner = members(value)
        if name in _HELD or "file_data" in inner or bytes(value).find(b'"base64"') >= 0:
            unread = [one for one in _UNREAD if one in inner]
            self._read.unread += len(unread)
            self._read.opaque |= {text for text in map(_string, (inner[one] for one in unread)) if text}
        else:
            unread = []
        new = {
            one: each if one in unread else self._bytes(each, source) if one == "source" else self._raw(each, source)
            for one, each in inner.items()
        }
        return value if all(new[one] is each for one, each in inner.items()) else Raw(joined(new.items()))

    def _bytes(self, value: Raw, source: Source) -> Raw:
        """Where a file comes from: its bytes, where they stand there, are not looked at."""
        held = members(value) if bytes(value).lstrip().startswith(b"{") else {}
        if _BYTES not in held:
            return self._raw(value, source)
        self._read.unread += 1
        self._read.opaque.add(_string(held[_BYTES]))
        new = {name: one if name == _BYTES else self._raw(one, source) for name, one in held.items()}
        return value if all(new[name] is one for name, one in held.items()) else Raw(joined(new.items()))

    def _tool(self, tool: Tool) -> Tool:
        opaque = tool.opaque and replace(tool.opaque, raw=self._raw(tool.opaque.raw, "system"))
        return replace(
            tool,
            description=self._text(tool.description, "system"),
            schema=self._raw(tool.schema, "system"),
            extra=self._extra(tool.extra, "system"),
            opaque=opaque,
        )

    def _text(self, text: str, source: Source) -> str:
        return self._visit(text, source) if text else text

    def _raw(self, raw: Raw, source: Source) -> Raw:
        """JSON that somebody wrote: the very same where nothing in it changed."""
        data = bytes(raw)
        if not data:
            return raw
        text = data.decode("utf-8", "surrogateescape")
        new = rewritten(text, lambda one: self._visit(one, source))
        return raw if new == text else Raw(new.encode("utf-8", "surrogateescape"))

    def _raws(self, raws: tuple[Raw, ...], source: Source) -> tuple[Raw, ...]:
        return tuple(self._raw(one, source) for one in raws)

    def _extra(self, extra: Extra, source: Source) -> Extra:
        found: list[tuple[str, str, Raw]] = []
        for owner, name, value in extra:
            sealed = is_sealed(name, bytes(value))
            if sealed:
                self._read.opaque.add(_string(value))
            found.append((owner, name, value if sealed else self._raw(value, source)))
        return tuple(found)


class Said:
    """A decoded call: its pieces, and how to write it down again."""

    def __init__(self, dialect: Dialect, body: bytes, beside: Sequence[str] = ()) -> None:
        """`beside` are texts that go out with the body, in headers. Raises BadRequest for what does not decode."""
        self.body = body
        self.read = Read()
        self.request: Request | None = None
        gather = Gather()
        walk = Walk(gather, self.read)
        self._form = Form(body) if dialect.name in FORMS else None
        if self._form is not None:
            walk.form(self._form)
            odd = names_in(self._form)
        else:
            try:
                self.request = dialect.decode_request(body)
            except NotTranslatable:
                walk.body(body)
            else:
                walk.request(self.request)
            model = "" if self.request is None else self.request.model
            visited = {model, *self.read.visited, *(one.text for one in gather.pieces)}
            odd = unplaced(body, visited, self.read.opaque, self.read.ids)
        self._unplaced = [Piece(one, "system") for one in (*odd, *beside)]
        self.pieces = [*gather.pieces, *self._unplaced]
        self.turns = [*gather.turns, *(-1 for _ in self._unplaced)]
        self._dialect = dialect

    def rewritten(self, texts: tuple[str, ...], model: str, system: str = "") -> bytes:
        """The body with these texts in the places of the pieces, and a system text before its own.

        Raises NotTranslatable where the dialect cannot hold what was decoded from it, GuardBlocked where a text would
        have to change that can not.
        """
        placed = len(self.pieces) - len(self._unplaced)
        if any(new != piece.text for new, piece in zip(texts[placed:], self._unplaced, strict=True)):
            raise GuardBlocked(
                "the request holds what this route takes out, where nothing can be put in its place",
                hint="it stands in a header, a member's name, an id, a tool's name or an option",
            )
        same = all(new == piece.text for new, piece in zip(texts, self.pieces, strict=True))
        if self._form is not None:
            return self.body if same else Walk(Fill(texts)).form(self._form)
        if self.request is None:
            return self.body if same else Walk(Fill(texts)).body(self.body)
        if same and (not system or _begins_with(self.request, system)):
            return self.body
        request = self.request if same else Walk(Fill(texts)).request(self.request)
        if system and not _begins_with(request, system):
            request = replace(request, turns=(Turn("system", (Text(system),)), *request.turns))
        body, dropped = self._dialect.encode_request(request, model)
        if dropped:
            raise NotTranslatable(f"the guard could not write the request again: {', '.join(dropped)}")
        in_path = self._dialect.in_path
        return body if in_path is None else in_path.put(body, model, stream=request.stream)


def _begins_with(request: Request, system: str) -> bool:
    """Does it have this system text already, as a recorded call that is asked again does?"""
    first = request.turns[0].parts[:1] if request.turns and _SOURCES.get(request.turns[0].role) == "system" else ()
    return any(isinstance(one, Text) and one.text == system for one in first)


def _is_json(part: Text) -> bool:
    return any(name == JSON_TEXT for _, name, _ in part.extra)


def _string(value: Raw) -> str:
    """A JSON string; empty for anything else."""
    found = msgspec.json.decode(value)
    return found if isinstance(found, str) else ""


def _has_numbers(value: Raw) -> bool:
    """Does the input of an embedding hold token ids?"""
    try:
        found = msgspec.json.decode(value)
    except BROKEN:
        raise BadRequest("the input is not JSON", param="input") from None
    items = found if isinstance(found, list) else [found]
    return any(isinstance(one, int | list) for one in items)
