"""A replica's life: added with a token that is shown once, removed, or given up for lost."""

from __future__ import annotations

import base64
from collections.abc import Callable

import msgspec
from sqlalchemy import Connection

from freehold.core.crypto import sha256
from freehold.core.errors import Conflict, NotFound
from freehold.identity.replicas import store
from freehold.identity.replicas.types import Replica

Random = Callable[[int], bytes]
PREFIX = "fhr-"
"""What a replica's token begins with, so that it is told apart from a caller's key."""


def add(connection: Connection, name: str, by: str, now: float, random: Random) -> tuple[Replica, str]:
    """Store a new replica; returns it with its token, kept nowhere. Raises Conflict where the name is taken."""
    if any(one.name == name for one in store.serving(connection)):
        hint = f"choose another name, or first: freehold replicas remove {name}"
        raise Conflict(f"there is a replica {name!r} already", hint=hint)
    token = PREFIX + base64.urlsafe_b64encode(random(32)).decode().rstrip("=")
    made = Replica(
        id=f"{name}-{random(3).hex()}", name=name, digest=sha256(token.encode()), created_at=now, created_by=by
    )
    store.add(connection, made)
    return made, token


def remove(connection: Connection, name: str, now: float, unshipped: int, *, lost: bool) -> Replica:
    """End a replica. `unshipped` is how many of its gateways' journals are not known to be here as a whole.

    Raises NotFound; Conflict where some are not and it is not given up for lost.
    """
    found = next((one for one in store.serving(connection) if one.name == name), None)
    if found is None:
        raise NotFound(f"there is no replica {name!r}", hint="see them with: freehold replicas list")
    if unshipped and not lost:
        hint = "stop it there, so that it ships them; if it is gone for good: freehold replicas remove --lost"
        raise Conflict(f"{name} has journals that are not all here ({unshipped})", hint=hint)
    store.end(connection, found.id, now, lost=bool(unshipped))
    return msgspec.structs.replace(found, ended_at=now, lost=bool(unshipped))


def admitted(connection: Connection, token: str) -> str | None:
    """The id of the replica whose token that is, unless it ended."""
    digest = sha256(token.encode())
    return next((one.id for one in store.serving(connection) if one.digest == digest), None)
