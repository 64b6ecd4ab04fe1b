"""Keys in the database. Every function takes an open connection: the caller decides what is one transaction."""

from __future__ import annotations

import json
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, RowMapping, select, update

from freehold.core.errors import Conflict, NotFound
from freehold.core.label import parse_label
from freehold.identity.keys import Key, Secret
from freehold.identity.tables import key_secrets, keys


def add(connection: Connection, key: Key) -> None:
    """Store a new key with its secrets. Raises Conflict where the name is taken."""
    if connection.scalar(select(keys.c.id).where(keys.c.name == key.name)):
        raise Conflict(f"there is a key named {key.name!r} already", hint="choose another name, or rotate that key")
    connection.execute(keys.insert().values(id=key.id, **_columns(key)))
    for one in key.secrets:
        add_secret(connection, key.id, one)


def add_secret(connection: Connection, key_id: str, secret: Secret) -> None:
    """Store one more secret that opens a key."""
    values = {"digest": secret.digest, "key": key_id, "prefix": secret.prefix, "made_at": secret.made_at}
    connection.execute(key_secrets.insert().values(until=secret.until, **values))


def end_secrets(connection: Connection, key_id: str, until: float) -> None:
    """Let every secret of a key end at `until`, unless it ends earlier."""
    mine = key_secrets.c.key == key_id
    open_ended = key_secrets.c.until.is_(None) | (key_secrets.c.until > until)
    connection.execute(update(key_secrets).where(mine, open_ended).values(until=until))


def replace(connection: Connection, key: Key) -> None:
    """Store a key's new values; its secrets stay as they are."""
    connection.execute(update(keys).where(keys.c.id == key.id).values(**_columns(key)))


def everything(connection: Connection) -> tuple[Key, ...]:
    """Every key, oldest first."""
    return _read(connection, connection.execute(select(keys).order_by(keys.c.created_at, keys.c.id)).mappings())


def by_name(connection: Connection, name: str) -> Key:
    """The key of a name or id. Raises NotFound."""
    rows = connection.execute(select(keys).where((keys.c.name == name) | (keys.c.id == name))).mappings()
    found = _read(connection, rows)
    if not found:
        raise NotFound(f"there is no key named {name!r}", hint="list them: freehold keys list")
    return found[0]


def by_digest(connection: Connection, digest: bytes) -> Key | None:
    """The key that a secret with this digest opens, whether or not it still counts."""
    owner = select(key_secrets.c.key).where(key_secrets.c.digest == digest).scalar_subquery()
    found = _read(connection, connection.execute(select(keys).where(keys.c.id == owner)).mappings())
    return found[0] if found else None


def _read(connection: Connection, rows: Iterable[RowMapping]) -> tuple[Key, ...]:
    found = list(rows)
    ids = [row["id"] for row in found]
    secrets: dict[str, list[Secret]] = {one: [] for one in ids}
    query = select(key_secrets).order_by(key_secrets.c.made_at)
    if len(ids) == 1:
        query = query.where(key_secrets.c.key == ids[0])
    for row in connection.execute(query).mappings() if ids else ():
        secrets[row["key"]].append(Secret(row["digest"], row["prefix"], row["made_at"], row["until"]))
    return tuple(_key(row, tuple(secrets[row["id"]])) for row in found)


def _key(row: RowMapping, secrets: tuple[Secret, ...]) -> Key:
    return Key(
        id=row["id"],
        name=row["name"],
        team=row["team"],
        role=row["role"],
        routes=tuple(json.loads(row["routes"])),
        label=parse_label(row["label"]),
        rights=tuple(json.loads(row["rights"])),
        created_at=row["created_at"],
        created_by=row["created_by"],
        expires_at=row["expires_at"],
        revoked_at=row["revoked_at"],
        requests_per_minute=row["requests_per_minute"],
        tokens_per_minute=row["tokens_per_minute"],
        budget=None if row["budget"] is None else Decimal(row["budget"]),
        period=row["period"],
        secrets=secrets,
    )


def _columns(key: Key) -> dict[str, Any]:
    return {
        "name": key.name,
        "team": key.team,
        "role": key.role,
        "routes": json.dumps(key.routes),
        "label": str(key.label),
        "rights": json.dumps(key.rights),
        "created_at": key.created_at,
        "created_by": key.created_by,
        "expires_at": key.expires_at,
        "revoked_at": key.revoked_at,
        "requests_per_minute": key.requests_per_minute,
        "tokens_per_minute": key.tokens_per_minute,
        "budget": None if key.budget is None else str(key.budget),
        "period": key.period,
    }
