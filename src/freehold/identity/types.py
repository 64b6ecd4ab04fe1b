"""Who calls: a principal is a key in a team, with its scope, its default label and its limits."""

from __future__ import annotations

import msgspec

from freehold.core.label import UNKNOWN, Label

SERVICE = "service"
"""The role of the key that Freehold's own rooms call with. It may do nothing on the management API."""


class Grant(msgspec.Struct, frozen=True):
    """A right that is held for a while: what break-glass gives."""

    right: str
    until: float
    """Unix seconds."""


class Principal(msgspec.Struct, frozen=True, kw_only=True):
    """One virtual key as the data plane knows it. The secret itself exists nowhere; `digest` is its SHA-256."""

    key_id: str
    name: str
    digest: bytes
    team: str = "default"
    role: str = "developer"
    routes: tuple[str, ...] = ("*",)
    """Routes the key may name; `*` is all."""
    label: Label = UNKNOWN
    """Default label of what this key sends. UNKNOWN is the top: only targets cleared for everything take it."""
    rights: tuple[str, ...] = ()
    """Named rights of the key itself, such as `declassify`: see `identity/rights.py`."""
    grants: tuple[Grant, ...] = ()
    """Rights held for a while. Ask `holds`, which knows of both."""
    expires_at: float | None = None
    """Unix seconds."""
    revoked_at: float | None = None
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    budgets: tuple[str, ...] = ()
    """Ids of every budget a call by this key draws on (its own, its team's); a route's are added by route."""
    priority: str = "interactive"
    """The highest class of its calls where a target is full: `interactive`, `normal` or `batch`. Its team's."""

    def holds(self, right: str, now: float) -> bool:
        """Whether the key has a named right at `now` (Unix seconds), of its own or by break-glass."""
        return right in self.rights or any(one.right == right and now < one.until for one in self.grants)


class Keys(msgspec.Struct, frozen=True, kw_only=True):
    """Content of the `keys` snapshot. Revoked and expired keys stay, so the caller is told which it is."""

    principals: tuple[Principal, ...] = ()
    machines: int = 1
    """How many machines with gateways share each limit: the primary and its replicas."""
