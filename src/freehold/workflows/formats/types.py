"""What a format's reader gives: drafts of records, or halves of them that must find each other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from freehold.ledger.meter import Usage

Json = dict[str, Any]


class Draft(msgspec.Struct, kw_only=True):
    """One call as a file tells it. Request and response are in canonical chat form."""

    source: str
    request: Json
    response: Json | None = None
    external_id: str = ""
    at: float | None = None
    """Unix seconds; None where the format does not tell."""
    vendor: str = ""
    model: str = ""
    app: str = ""
    caller: str = ""
    """A key, or a hash of one, that names the caller where nothing else does. It is hashed and never stored."""
    workflow: str = ""
    conversation: str = ""
    status: int = 200
    usage: Usage | None = None
    latency: float | None = None
    first_token: float | None = None


class Half(msgspec.Struct, kw_only=True):
    """A request or an answer that stands alone; `key` is what both halves share."""

    source: str
    key: str
    answer: bool
    body: Json
    more: Json = {}
    """What this side knows besides its body; plain JSON."""


Read = Callable[[Json, Json], Iterator[Draft | Half]]
"""An element and its context (`resource` of a span) in; raises Unreadable, or NotACall."""


class Format(msgspec.Struct, frozen=True):
    """One form of log. `knows` looks at an element's keys alone; `join` makes a call of two halves."""

    name: str
    knows: Callable[[Json], bool]
    read: Read
    join: Callable[[Half, Half], Draft] | None = None
