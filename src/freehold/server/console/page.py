"""What a page of the console is: a path, and a function that asks the management API and says what to draw."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Literal

import msgspec

from freehold.identity.roles import permissions
from freehold.server.actors import Actor
from freehold.server.console.ask import Ask

BASE = "/console"


class Fields:
    """Fields of a query or a form: several values of a name are kept, the last counts."""

    def __init__(self, pairs: Sequence[tuple[str, str]]) -> None:
        self.pairs = tuple(pairs)

    def every(self, name: str) -> tuple[str, ...]:
        """All values of a name."""
        return tuple(value for key, value in self.pairs if key == name)

    def single(self) -> dict[str, str]:
        """The last value of each name, without the spaces around it."""
        return {key: value.strip() for key, value in self.pairs}


class View(msgspec.Struct, frozen=True):
    """One request of somebody who is signed in."""

    ask: Ask
    actor: Actor
    names: Mapping[str, str]
    """Parts of the path."""
    fields: Fields
    """Of the query."""
    sent: Fields
    """Of the form, where one was sent."""
    now: float

    @property
    def query(self) -> dict[str, str]:
        """The query; the last value of each name."""
        return self.fields.single()

    @property
    def form(self) -> dict[str, str]:
        """The form; the last value of each name."""
        return self.sent.single()

    def queries(self, name: str) -> tuple[str, ...]:
        """All values of a name in the query."""
        return self.fields.every(name)

    def forms(self, name: str) -> tuple[str, ...]:
        """All values of a name in the form."""
        return self.sent.every(name)

    def may(self, permission: str) -> bool:
        """True where the role allows it; the API decides anew when it is asked."""
        return permission in permissions(self.actor.role)


class Drawn(msgspec.Struct, frozen=True):
    """What to draw. `cli` are commands that tell the same."""

    template: str
    title: str
    data: dict[str, object]
    cli: tuple[str, ...] = ()
    status: int = 200


class Done(msgspec.Struct, frozen=True):
    """A form was carried out: where to go, below the console, and what is said there once."""

    to: str
    said: str


class Event(msgspec.Struct, frozen=True):
    """One server-sent event; `html` is made by `Lines.draw`, so that it is escaped."""

    name: str
    html: str


Draw = Callable[[View], Awaitable[Drawn]]
Act = Callable[[View], Awaitable[Done | Drawn]]
Part = Callable[..., str]
Events = Callable[[View, Part], AsyncIterator[Event]]


class Page(msgspec.Struct, frozen=True):
    """GET: a page. Paths are below the console."""

    path: str
    draw: Draw


class Action(msgspec.Struct, frozen=True):
    """POST: a form of a page of this session."""

    path: str
    act: Act


class Live(msgspec.Struct, frozen=True):
    """GET: server-sent events, for as long as somebody looks. `events` is given a function that draws a template:
    `part("calls_row.html", call=...)`.
    """

    path: str
    events: Events


class File(msgspec.Struct, frozen=True):
    """An answer of the API, handed on as it comes: a download, a report, a stream. A POST needs `x-freehold-form`."""

    path: str
    api: str
    """Its path there, with the same names."""
    method: Literal["GET", "POST"] = "GET"
    name: str = ""
    """What the browser saves it as, where it saves it."""
