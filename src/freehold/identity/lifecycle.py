"""A key's life: made, changed, rotated with a grace period, revoked. Each step is one transaction of the caller's."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from sqlalchemy import Connection

from freehold.core.errors import BadRequest, Conflict
from freehold.identity import store
from freehold.identity.keys import Key, Secret, mint, state
from freehold.identity.rights import checked
from freehold.identity.roles import ROLES
from freehold.identity.types import SERVICE

Random = Callable[[int], bytes]

GRACE_SECONDS = 24 * 3600.0
PERIODS = ("hour", "day", "week", "month", "total")


def create(connection: Connection, key: Key, now: float, random: Random) -> tuple[Key, str]:
    """Store a new key; returns it with its secret, which is kept nowhere. Raises Conflict, BadRequest."""
    _check(key, now)
    minted = mint(random)
    made = msgspec.structs.replace(
        key, id=f"key_{random(8).hex()}", created_at=now, secrets=(Secret(minted.digest, minted.prefix, now),)
    )
    store.add(connection, made)
    return made, minted.secret


def update(connection: Connection, name: str, now: float, **changes: object) -> tuple[Key, Key]:
    """Change some of a key's values; returns it before and after. Raises NotFound, Conflict, BadRequest."""
    before = _alive(connection, name, now)
    after = msgspec.structs.replace(before, **changes)
    _check(after, now, (SERVICE,) if before.role == SERVICE else ROLES)
    store.replace(connection, after)
    return before, after


def rotate(connection: Connection, name: str, now: float, random: Random, grace: float) -> tuple[Key, str]:
    """Give a key a new secret; older ones count for `grace` seconds more. Raises NotFound, Conflict."""
    key = _alive(connection, name, now)
    if key.role == SERVICE:
        hint = f"to replace it: freehold keys revoke {key.name}, then start the instance again"
        raise Conflict(f"the key {key.name!r} is Freehold's own", hint=hint)
    if grace < 0:
        raise BadRequest("a grace period cannot be negative", hint="give 0 or more seconds", param="grace_seconds")
    minted = mint(random)
    store.end_secrets(connection, key.id, now + grace)
    store.add_secret(connection, key.id, Secret(minted.digest, minted.prefix, now))
    return store.by_name(connection, key.id), minted.secret


def revoke(connection: Connection, name: str, now: float) -> Key:
    """End a key at once. Raises NotFound; revoking twice changes nothing."""
    key = store.by_name(connection, name)
    if key.revoked_at is None:
        key = msgspec.structs.replace(key, revoked_at=now)
        store.replace(connection, key)
    return key


def _alive(connection: Connection, name: str, now: float) -> Key:
    key = store.by_name(connection, name)
    if state(key, now) == "revoked":
        raise Conflict(f"the key {key.name!r} is revoked", hint="make another: freehold keys create NAME")
    return key


def _check(key: Key, now: float, roles: tuple[str, ...] = ROLES) -> None:
    if not key.routes:
        raise BadRequest("a key needs at least one route", hint="name routes, or * for all", param="routes")
    if key.role not in roles:
        raise BadRequest(f"{key.role!r} is no role here", hint=f"use one of {', '.join(roles)}", param="role")
    if key.period not in PERIODS:
        raise BadRequest(f"{key.period!r} is no period", hint=f"use one of {', '.join(PERIODS)}", param="period")
    checked(key.rights)
    if key.expires_at is not None and key.expires_at <= now and key.created_at == 0.0:
        raise BadRequest("the key would be born expired", hint="choose a time to come", param="expires_at")
