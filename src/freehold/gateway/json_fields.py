"""Reading a JSON object member by member; what nobody read is left over, so that nothing gets lost unseen.

A member that is null counts as absent. Faults name the place: `messages[3].content[0].type`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn, TypeVar

import msgspec
from msgspec import Raw

from freehold.core.errors import BadRequest, FreeholdError, MalformedJson, UpstreamLied
from freehold.gateway.json_read import BROKEN
from freehold.gateway.messages import Extra

T = TypeVar("T")

_members = msgspec.json.Decoder(dict[str, Raw])
_text = msgspec.json.Decoder(str)
_number = msgspec.json.Decoder(float)
_integer = msgspec.json.Decoder(int)
_flag = msgspec.json.Decoder(bool)
_items = msgspec.json.Decoder(list[Raw])
_texts = msgspec.json.Decoder(list[str])
_encode = msgspec.json.Encoder().encode

NULL = Raw(b"null")
OWN = "own."
"""Before names of fields that place a part in its dialect, and say nothing elsewhere."""
JSON_TEXT = OWN + "json"
"""Marks a text that stands as JSON in its dialect."""

_EMPTY = frozenset({b"", b"null", b"[]", b"{}", b'""', b"false"})

_UNFIT = re.compile(r"[^A-Za-z0-9_.-]")
_LONGEST_NAME = 64
_MOST_NAMES = 32

Fault = Callable[[str, str], FreeholdError]
"""Makes the error out of what is wrong and where."""


def caller_fault(wrong: str, place: str) -> FreeholdError:
    """The caller's request is at fault."""
    return BadRequest(f"{place or 'the body'}: {wrong}", param=place or None)


def target_fault(wrong: str, place: str) -> FreeholdError:
    """The target's answer is at fault."""
    return UpstreamLied(f"the target's answer is wrong at {place or 'its top'}: {wrong}")


class Fields:
    """The members of one object."""

    __slots__ = ("_fault", "_left", "place")

    def __init__(self, raw: bytes | Raw, place: str, fault: Fault) -> None:
        self.place = place
        self._fault = fault
        try:
            self._left = _members.decode(raw)
        except BROKEN:
            self.wrong("expected an object")

    def wrong(self, what: str, name: str = "") -> NoReturn:
        """Raise the fault at a member, or at this object."""
        raise self._fault(what, self._at(name))

    def raw(self, name: str) -> Raw | None:
        """A member's bytes; None where it is absent or null."""
        found = self._left.pop(name, None)
        return None if found is None or bytes(found) == b"null" else found

    def text(self, name: str, default: str | None = "") -> str:
        """A string. Without a default it must be there."""
        found = self._read(name, _text, "a string")
        if found is None:
            if default is None:
                self.wrong("is required", name)
            return default
        return found

    def number(self, name: str) -> float | None:
        """A number."""
        return self._read(name, _number, "a number")

    def integer(self, name: str, least: int = 0) -> int | None:
        """A whole number, not below `least` and of 64 bits at most."""
        found = self._read(name, _integer, "a whole number")
        if found is not None and not least <= found < 1 << 63:
            self.wrong(f"expected a whole number from {least}", name)
        return found

    def flag(self, name: str) -> bool | None:
        """True or false."""
        return self._read(name, _flag, "true or false")

    def texts(self, name: str) -> tuple[str, ...]:
        """A list of strings."""
        found = self._read(name, _texts, "a list of strings")
        return () if found is None else tuple(found)

    def text_or_texts(self, name: str) -> tuple[str, ...]:
        """A string, or a list of strings."""
        found = self.raw(name)
        if found is None:
            return ()
        if bytes(found).startswith(b'"'):
            return (self._decode(name, found, _text, "a string"),)
        texts = self._decode(name, found, _texts, "a string or a list of strings")
        return tuple(texts)

    def inner(self, name: str) -> Fields | None:
        """An object."""
        found = self.raw(name)
        return None if found is None else self.within(name, found)

    def within(self, name: str, raw: Raw) -> Fields:
        """The object in a member that has been taken out already."""
        return Fields(raw, self._at(name), self._fault)

    def raws(self, name: str) -> list[Raw]:
        """A list's items."""
        return self._read(name, _items, "a list") or []

    def objects(self, name: str) -> list[tuple[Raw, Fields]]:
        """A list of objects, each also with its bytes."""
        return self._numbered(name, self.raws(name))

    def spelled(self, names: Mapping[str, str]) -> Fields:
        """Itself, with members of these names read by what they lead to."""
        for name in names.keys() & self._left.keys():
            self._left.setdefault(names[name], self._left.pop(name))
        return self

    def put_back(self, name: str, raw: Raw) -> None:
        """Undo a `raw`, so that the member is read again."""
        self._left[name] = raw

    def content(self, name: str) -> str | list[tuple[Raw, Fields]]:
        """What may be a string or a list of objects; each item also with its bytes."""
        found = self.raw(name)
        if found is None:
            return []
        if bytes(found).startswith(b'"'):
            return self._decode(name, found, _text, "a string")
        return self._numbered(name, self._decode(name, found, _items, "a string or a list"))

    def rest(self, dialect: str, prefix: str = "") -> Extra:
        """The members nobody read, nulls aside."""
        return tuple((dialect, prefix + name, value) for name, value in self._left.items() if bytes(value) != b"null")

    def _numbered(self, name: str, items: list[Raw]) -> list[tuple[Raw, Fields]]:
        place = self._at(name)
        return [(one, Fields(one, f"{place}[{i}]", self._fault)) for i, one in enumerate(items)]

    def _at(self, name: str) -> str:
        return f"{self.place}.{name}" if self.place and name else self.place or name

    def _read(self, name: str, decoder: msgspec.json.Decoder[T], what: str) -> T | None:
        found = self.raw(name)
        return None if found is None else self._decode(name, found, decoder, what)

    def _decode(self, name: str, raw: Raw, decoder: msgspec.json.Decoder[T], what: str) -> T:
        try:
            return decoder.decode(raw)
        except BROKEN:
            self.wrong(f"expected {what}", name)


def of_caller(body: bytes) -> Fields:
    """A request's top. Raises MalformedJson where it is no JSON, BadRequest where it is no object."""
    try:
        if not body.isascii():
            body.decode()
        _members.decode(body)
    except msgspec.ValidationError:
        raise BadRequest("the body is not a JSON object") from None
    except BROKEN as error:
        raise MalformedJson(f"the body is not valid JSON: {type(error).__name__}") from None
    return Fields(body, "", caller_fault)


def of_target(body: bytes) -> Fields:
    """An answer's top. Raises UpstreamLied, also where it is not UTF-8: what is passed on unread nobody else reads."""
    if not body.isascii():
        try:
            body.decode()
        except UnicodeDecodeError:
            raise target_fault("is not UTF-8", "") from None
    return Fields(body, "", target_fault)


def under(extra: Extra, dialect: str, prefix: str) -> dict[str, Raw]:
    """This dialect's own fields under a prefix (`metadata.`), named without it."""
    return {name[len(prefix) :]: value for owner, name, value in extra if owner == dialect and name.startswith(prefix)}


def own(extra: Extra, dialect: str, name: str) -> Raw | None:
    """One of this dialect's own fields."""
    return next((value for owner, field, value in extra if owner == dialect and field == name), None)


def foreign(extra: Extra, dialect: str) -> list[str]:
    """Names of fields that another dialect's form held and that say something."""
    return [
        name
        for owner, name, value in extra
        if owner != dialect and bytes(value) not in _EMPTY and not name.startswith(OWN)
    ]


def alien(extra: Extra, dialect: str) -> bool:
    """Do its fields show that another dialect wrote a part? Then what a vendor signed or cited there is not ours."""
    return any(owner != dialect for owner, _, _ in extra)


def build(pairs: dict[str, Any], extra: Extra, dialect: str, nested: tuple[str, ...] = ()) -> dict[str, Any]:
    """An object to encode: what is None is left out, the dialect's own fields are put back.

    Those under a `nested` prefix belong elsewhere.
    """
    found = {name: value for name, value in pairs.items() if value is not None}
    found.update({name: value for owner, name, value in extra if owner == dialect and not name.startswith(nested)})
    return found


def lone_text(parts: list[Any]) -> str | list[Any]:
    """Parts as both OpenAI's and Anthropic's messages have them at their shortest: a lone plain text is a string."""
    if not parts:
        return ""
    if len(parts) == 1 and isinstance(parts[0], dict) and set(parts[0]) == {"type", "text"}:
        text: str = parts[0]["text"]
        return text
    return parts


def encoded(value: dict[str, Any]) -> bytes:
    """JSON, with members that are JSON already left as they are."""
    return _encode(value)


def given(raw: Raw) -> Raw | None:
    """None for JSON that was never sent."""
    return raw if bytes(raw) else None


def named(names: Sequence[str]) -> tuple[str, ...]:
    """Dropped names, each once, sorted, fit for a header line: they are keys that somebody else chose."""
    clean = sorted({_UNFIT.sub("_", name)[:_LONGEST_NAME] for name in names})
    return tuple(clean[:_MOST_NAMES]) + (("...",) if len(clean) > _MOST_NAMES else ())
