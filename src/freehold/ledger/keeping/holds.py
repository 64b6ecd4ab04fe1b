"""Legal holds: what must not be erased, neither by retention nor by anybody, until whoever may releases it.

Pure. A hold covers what all of its given fields say; one that says nothing covers everything.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from freehold.core.canonical import exact
from freehold.core.clock import iso
from freehold.core.ids import as_text
from freehold.ledger.errors import Held


class Scope(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is held. Ids in hex; `subject` is its name in rows; times are Unix seconds of calls, `until` excluded."""

    call: str = ""
    key: str = ""
    team: str = ""
    workflow: str = ""
    subject: str = ""
    since: float | None = None
    until: float | None = None

    @property
    def text(self) -> str:
        """As it is stored."""
        return exact(msgspec.to_builtins(self)).decode()

    @property
    def told(self) -> str:
        """For people."""
        parts = [
            f"{name} {value}"
            for name in ("call", "key", "team", "workflow", "subject")
            if (value := getattr(self, name))
        ]
        parts += [f"{name} {iso(at)}" for name in ("since", "until") if (at := getattr(self, name)) is not None]
        return ", ".join(parts) or "everything"


class Hold(msgspec.Struct, frozen=True, kw_only=True):
    """One hold. Times are Unix seconds."""

    raw: bytes
    made_at: float
    made_by: str
    why: str
    scope: Scope
    released_at: float | None = None
    released_by: str = ""
    released_why: str = ""

    @property
    def id(self) -> str:
        """As people see it."""
        return as_text("hold", self.raw)

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Hold:
        """Out of its row."""
        scope = msgspec.json.decode(row["scope"], type=Scope)
        names = ("made_at", "made_by", "why", "released_at", "released_by", "released_why")
        return cls(raw=row["id"], scope=scope, **{name: row[name] for name in names})


def refuse(what: str, found: Sequence[Hold]) -> None:
    """Raises Held, which says by whom and why, where there is a hold."""
    if found:
        told = "; ".join(f"{one.id} by {one.made_by} ({one.why})" for one in found[:3])
        raise Held(f"{what} is under legal hold: {told}{'; and others' if len(found) > 3 else ''}")
