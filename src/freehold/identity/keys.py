"""Virtual keys as values: how a secret is made, what a key may do, and what the data plane is told of it.

A secret is shown once; only its SHA-256 is kept (it has 256 random bits, so no slow hash is needed).
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from types import MappingProxyType

import msgspec
from msgspec.structs import replace

from freehold.core.crypto import sha256
from freehold.core.label import UNKNOWN, Label
from freehold.identity.types import Grant, Keys, Principal

PREFIX = "fh-"
SHOWN = 10
TOLD_SECONDS = 90 * 86400.0


class Minted(msgspec.Struct, frozen=True):
    """A new secret, to be shown once and forgotten."""

    secret: str
    digest: bytes
    prefix: str
    """What stays visible of it: `fh-` and the next characters."""


HIGHEST = "interactive"
"""Class of the calls of keys whose team has none of its own."""


class Secret(msgspec.Struct, frozen=True):
    """What is kept of a secret. Several may open one key while a rotation's grace lasts."""

    digest: bytes
    prefix: str
    made_at: float
    until: float | None = None
    """Unix seconds at which it was, or will be, rotated away; None for the current one."""


class Key(msgspec.Struct, frozen=True, kw_only=True):
    """One virtual key. Times are Unix seconds, the budget US dollars."""

    id: str
    name: str
    team: str = "default"
    role: str = "developer"
    routes: tuple[str, ...] = ("*",)
    label: Label = UNKNOWN
    rights: tuple[str, ...] = ()
    created_at: float = 0.0
    created_by: str = ""
    expires_at: float | None = None
    revoked_at: float | None = None
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    budget: Decimal | None = None
    period: str = "month"
    secrets: tuple[Secret, ...] = ()

    @property
    def prefix(self) -> str:
        """The current secret's visible beginning."""
        return self.secrets[-1].prefix if self.secrets else ""


def mint(random: Callable[[int], bytes]) -> Minted:
    """A new secret out of 32 random bytes: `fh-` and 43 characters of URL-safe base64."""
    secret = PREFIX + base64.urlsafe_b64encode(random(32)).rstrip(b"=").decode()
    return Minted(secret, digest_of(secret), secret[:SHOWN])


def digest_of(secret: str) -> bytes:
    """What a secret is looked up by."""
    return sha256(secret.encode())


def state(key: Key, now: float) -> str:
    """`active`, `expired` or `revoked`."""
    if key.revoked_at is not None and key.revoked_at <= now:
        return "revoked"
    return "expired" if key.expires_at is not None and key.expires_at <= now else "active"


def snapshot(
    keys: Sequence[Key],
    budgets: Mapping[str, tuple[str, ...]],
    now: float,
    grants: Mapping[str, tuple[Grant, ...]] = MappingProxyType({}),
    priorities: Mapping[str, str] = MappingProxyType({}),
    machines: int = 1,
) -> Keys:
    """The `keys` snapshot: one principal a secret.

    What was revoked or rotated away stays for `TOLD_SECONDS`, so that a caller is told which it is. `budgets` maps
    an owner (`key/NAME`, `team/NAME`) to the ids of its budgets, `grants` a key's id to the rights it has for a while,
    `priorities` a team to the class of its calls; `machines` share each limit.
    """
    found = [
        replace(_principal(key, secret, budgets, grants.get(key.id, ())), priority=priorities.get(key.team, HIGHEST))
        for key in keys
        for secret in key.secrets
    ]
    told = tuple(one for one in found if (one.revoked_at or now) > now - TOLD_SECONDS)
    return Keys(principals=told, machines=machines)


def _principal(
    key: Key, secret: Secret, budgets: Mapping[str, tuple[str, ...]], grants: tuple[Grant, ...]
) -> Principal:
    ends = [one for one in (key.revoked_at, secret.until) if one is not None]
    return Principal(
        key_id=key.id,
        name=key.name,
        digest=secret.digest,
        team=key.team,
        role=key.role,
        routes=key.routes,
        label=key.label,
        rights=key.rights,
        grants=grants,
        expires_at=key.expires_at,
        revoked_at=min(ends) if ends else None,
        requests_per_minute=key.requests_per_minute,
        tokens_per_minute=key.tokens_per_minute,
        budgets=(*budgets.get(f"key/{key.name}", ()), *budgets.get(f"team/{key.team}", ())),
    )
