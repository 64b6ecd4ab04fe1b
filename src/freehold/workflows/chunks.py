"""Pieces of a log by the chunk: opened, recognised, taken apart, their secrets out. Pure, so any process may do it.

Which form an element has may hang on the element before it; a chunk says what it took that for, and its reader checks.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator

import msgspec

from freehold.workflows.drafts import Drafted, Options, drafted
from freehold.workflows.errors import NotACall, Unreadable
from freehold.workflows.formats.registry import BY_NAME, FORMATS, recognised
from freehold.workflows.formats.types import Format, Half, Json
from freehold.workflows.pieces import Raw, opened

MOST_PIECES = 250
MOST_BYTES = 1 << 20
SHAPE = "its shape is not that of its form"
MISSHAPEN = (AttributeError, IndexError, KeyError, TypeError, ValueError, RecursionError)
"""A reader relies on the common shape of its form; what is shaped otherwise is a bad line like others."""


class Chunk(msgspec.Struct, frozen=True):
    """Some pieces, and what is said of them all. `likely` names the form taken to be that of the element before."""

    raws: tuple[Raw, ...]
    options: Options
    import_id: bytes
    likely: str = ""


class Taken(msgspec.Struct, frozen=True):
    """What came of one element: calls and halves of calls in their order, and why the rest of it is none."""

    place: int
    kind: str
    form: str = ""
    """Empty where it is of none."""
    calls: tuple[Drafted | Half, ...] = ()
    skipped: bool = False
    reason: str = ""


class Done(msgspec.Struct, frozen=True):
    """A chunk that was read. `first` names all forms that know its first element; `last` is the form of its last."""

    taken: tuple[Taken, ...]
    begun: str = ""
    first: tuple[str, ...] = ()
    last: str = ""
    elements: int = 0

    def holds(self, likely: str) -> bool:
        """True where it would read the same after an element of the form `likely`."""
        if not self.elements:
            return True
        return self.begun == (likely if likely in self.first else next(iter(self.first), ""))


def cut(raws: Iterable[Raw]) -> Iterator[tuple[Raw, ...]]:
    """Pieces in chunks of at most MOST_PIECES, and MOST_BYTES where they are not single ones."""
    held: list[Raw] = []
    size = 0
    for one in raws:
        held.append(one)
        size += len(one.element.raw or b"") if one.element is not None else 0
        if len(held) >= MOST_PIECES or size >= MOST_BYTES:
            yield tuple(held)
            held, size = [], 0
    if held:
        yield tuple(held)


def read(chunk: Chunk) -> Done:
    """What stands in a chunk. Never raises for what a log says."""
    form = BY_NAME.get(chunk.likely)
    taken: list[Taken] = []
    elements, begun = 0, ""
    first: tuple[str, ...] = ()
    for raw in chunk.raws:
        piece = opened(raw)
        if piece.reason:
            taken.append(Taken(piece.place, piece.kind, reason=piece.reason))
        for one, context in piece.inside:
            form = recognised(one, form)
            if not elements:
                begun = form.name if form is not None else ""
                first = tuple(each.name for each in FORMATS if each.knows(one))
            elements += 1
            if form is None:
                reason = f"it is of no known form{_members(one)}"
                taken.append(Taken(piece.place, piece.kind, reason=reason))
            else:
                taken.append(_taken(raw, form, (one, context), chunk))
    last = form.name if form is not None else ""
    return Done(tuple(taken), begun, first, last, elements)


def _taken(raw: Raw, form: Format, said: tuple[Json, Json], chunk: Chunk) -> Taken:
    calls: list[Drafted | Half] = []
    skipped, reason = False, ""
    try:
        for one in form.read(*said):
            call = one if isinstance(one, Half) else drafted(one, chunk.options, chunk.import_id)
            calls.append(call)  # one by one: what came before an error counts
    except NotACall:
        skipped = True
    except Unreadable as error:
        reason = error.message
    except MISSHAPEN:
        reason = SHAPE
    return Taken(raw.place, raw.kind, form.name, tuple(calls), skipped, reason)


def _members(one: Json) -> str:
    """The first names an object has, where they look like names."""
    names = [name for name in itertools.islice(one, 8) if name.isascii() and name.isidentifier() and len(name) <= 32]
    return f"; its members are {', '.join(names)}" if names else ""
